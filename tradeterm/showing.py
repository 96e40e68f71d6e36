"""The console on a terminal: one's own, or looking on at another process's."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradeterm.errors import StoreAbsent, TradetermError, UsageError
from tradeterm.logs import log_dir, start_logging, without_secrets
from tradeterm.model.text import visible
from tradeterm.printing import db_option

if TYPE_CHECKING:
    from tradeterm.sessions import RunRequest
    from tradeterm.settings.console import ConsoleSettings
    from tradeterm.tui.options import ConsoleOptions
    from tradeterm.tui.session import EngineSession


def showing_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [watch, serve]


def open_console(
    prepare: Callable[[], RunRequest], db: Path | None, *, or_watch: bool, only_ascii: bool
) -> int:
    """The console with an engine of its own; the exit code.

    ``or_watch``: look on instead while another process drives the one in ``db``.
    """
    _require_terminal("run --headless")
    from tradeterm.tui.engine_thread import EngineThread

    if or_watch and (path := _driven(db)) is not None:
        return _watched(path, only_ascii)
    return _shown(EngineThread(prepare, _own_options), only_ascii)


@click.command()
@db_option
@click.option("--ascii", "only_ascii", is_flag=True, help="Draw with ASCII only.")
def watch(db: Path | None, only_ascii: bool) -> int:
    """Look on at a run that another process drives: the same screen; only H (halt) does anything."""
    start_logging("info")
    _require_terminal("status")
    path = _driven(db)
    if path is None:
        where = "" if db is None else f" --db {db}"
        raise StoreAbsent(f"nobody runs that file; `tradeterm{where}` starts it")
    return _watched(path, only_ascii)


def _driven(db: Path | None) -> Path | None:
    """The book of record, when a process answers for it."""
    from tradeterm.adapters.store.paths import locate
    from tradeterm.control import ask

    path = locate(db).db
    return None if ask(path, "status") is None else path


def _watched(path: Path, only_ascii: bool) -> int:
    from tradeterm.tui.onlooker import Onlooker

    return _shown(Onlooker(path, lambda: _read_options(only_ascii)), only_ascii)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--port", type=click.IntRange(1024, 65535), default=8765, show_default=True)
@click.argument("run_options", nargs=-1, type=click.UNPROCESSED)
def serve(port: int, run_options: tuple[str, ...]) -> int:
    """The console in a browser on this machine; what follows are options of `tradeterm run`.

    Prints an address with a token. The first page drives the engine, further pages look on.
    """
    start_logging("info")
    from tradeterm.ops.webserver import HOST, GuardedServer

    try:
        with socket.create_server((HOST, port)):
            pass
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror}; choose another one") from error
    GuardedServer(run_options, port, click.echo).serve()
    return 0


def _require_terminal(instead: str) -> None:
    if os.environ.get("TEXTUAL_DRIVER"):
        return  # textual-serve brings a terminal of its own
    streams = (sys.stdin, sys.stdout, sys.stderr)  # Textual draws on stderr
    if not all(s.isatty() for s in streams) or os.environ.get("TERM") == "dumb":
        raise UsageError(f"the console needs a terminal; use `tradeterm {instead}`")


def _shown(session: EngineSession, only_ascii: bool) -> int:
    gc.disable()  # collections cost a tenth of the way to the first paint; the app enables them
    from tradeterm.tui.app import TradetermApp
    from tradeterm.tui.stray import terminal_to_the_screen

    served = bool(os.environ.get("TEXTUAL_DRIVER"))  # its standard output is no terminal
    with nullcontext() if served else terminal_to_the_screen():
        app = TradetermApp(session)
        if only_ascii:
            app.begin_in_ascii()
        code = app.run()
    if isinstance(session.failure, TradetermError):
        raise session.failure
    if session.failure is not None:
        said = f"tradeterm: the engine could not start: {session.failure!r}; see the log"
        click.echo(visible(without_secrets(said)), err=True)
        return 1
    if session.view.fault and not session.watching:
        click.echo(visible(without_secrets(f"tradeterm: {session.view.fault}")), err=True)
        return code or 1
    return code


def _read_options(only_ascii: bool) -> ConsoleOptions:
    """The settings' own, for who watches: read on the session's thread, after the first paint."""
    from tradeterm.settings.loading import load_settings

    overrides = ("console.glyphs=ascii",) if only_ascii else ()
    return console_options(load_settings(None, overrides, os.environ).settings.console)


def _own_options(request: RunRequest) -> ConsoleOptions:
    """Before the store is opened: whether it is there tells a first run."""
    from tradeterm.adapters.store.paths import locate

    console = request.settings.console
    first = request.feed == "sim" and not locate(request.db).db.exists()
    return console_options(console, tour=console.tour and first)


def console_options(console: ConsoleSettings, *, tour: bool = False) -> ConsoleOptions:
    from tradeterm.tui.layout import FILE_NAME as LAYOUT
    from tradeterm.tui.options import ConsoleOptions

    return ConsoleOptions(
        poll=console.poll,
        refresh=console.refresh.model_dump(),
        theme=console.theme,
        glyphs=console.glyphs,
        layout=log_dir() / LAYOUT if console.remember_layout else None,
        bell=console.bell,
        desktop=console.desktop,
        idle_after=console.idle_after,
        idle_pause=console.idle_pause,
        question_timeout=console.question_timeout,
        stale_after=console.stale_after,
        on_signal=console.on_signal,
        tour=tour,
    )
