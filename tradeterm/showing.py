"""The console on a terminal: one's own, or looking on at another process's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradeterm.errors import StoreAbsent, TradetermError, UsageError
from tradeterm.logs import start_logging
from tradeterm.model.text import visible
from tradeterm.printing import db_option

if TYPE_CHECKING:
    from tradeterm.sessions import RunRequest
    from tradeterm.settings.console import ConsoleSettings
    from tradeterm.tui.options import ConsoleOptions
    from tradeterm.tui.session import EngineSession


def showing_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [watch]


def open_console(prepare: Callable[[], RunRequest]) -> int:
    """The console with an engine of its own; the exit code."""
    _require_terminal()
    from tradeterm.tui.engine_thread import EngineThread

    return _shown(EngineThread(prepare, lambda request: _options(request.settings.console)))


@click.command()
@db_option
def watch(db: Path | None) -> int:
    """Look on at a run that another process drives: the same screen; only H (halt) does anything."""
    start_logging("info")
    _require_terminal()
    from tradeterm.adapters.store.paths import locate
    from tradeterm.control import ask
    from tradeterm.tui.onlooker import Onlooker

    path = locate(db).db
    if ask(path, "status") is None:
        raise StoreAbsent(f"nobody runs {path}; start it with `tradeterm --db {path}`")
    return _shown(Onlooker(path, _read_options))


def _require_terminal() -> None:
    streams = (sys.stdin, sys.stdout, sys.stderr)  # Textual draws on stderr
    if not all(s.isatty() for s in streams) or os.environ.get("TERM") == "dumb":
        raise UsageError("the console needs a terminal; use `tradeterm run --headless`")


def _shown(session: EngineSession) -> int:
    from tradeterm.tui.app import TradetermApp

    code = TradetermApp(session).run()
    if isinstance(session.failure, TradetermError):
        raise session.failure
    if session.failure is not None:
        said = f"tradeterm: the engine could not start: {session.failure!r}; see the log"
        click.echo(visible(said), err=True)
        return 1
    return code


def _read_options() -> ConsoleOptions:
    """The settings' own, for who watches: read on the session's thread, after the first paint."""
    from tradeterm.settings.loading import load_settings

    return _options(load_settings(None, (), os.environ).settings.console)


def _options(console: ConsoleSettings) -> ConsoleOptions:
    from tradeterm.tui.options import ConsoleOptions

    return ConsoleOptions(
        poll=console.poll,
        refresh=console.refresh.model_dump(),
        theme=console.theme,
        bell=console.bell,
        question_timeout=console.question_timeout,
        stale_after=console.stale_after,
    )
