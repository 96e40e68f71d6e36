"""The command line: the console, headless runs, and commands to a run."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tradeterm import __version__
from tradeterm.commands import Commands, ReaderGone
from tradeterm.errors import TradetermError, UsageError
from tradeterm.logs import start_logging, without_secrets
from tradeterm.model.text import visible

if TYPE_CHECKING:
    from tradeterm.sessions import RunRequest

SIGNAL_EXITS = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}


def main() -> None:
    """Entry point: every deliberate error becomes one clear line and its exit code."""
    try:
        sys.exit(cli(standalone_mode=False, prog_name="tradeterm") or 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        click.echo(visible(said.getvalue()), err=True, nl=False)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except ReaderGone:  # what is still buffered has no reader either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except TradetermError as error:
        _complain(str(error))
        sys.exit(error.exit_code)


def _run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of ``tradeterm`` and ``tradeterm run``."""
    options = [
        click.option(
            "--feed",
            default="sim",
            show_default=True,
            help="sim, live, replay:PATH (tape, CSV, feather, or a folder of them), or "
            "history:EXCHANGE (what `tradeterm data` stored).",
        ),
        click.option("--exchange", help="Whose live market, e.g. kraken (as live.exchange)."),
        click.option("--symbols", help="Comma-separated, e.g. BTC/USDT,XRP/USDT."),
        click.option("--speed", help="Market seconds per second, or max."),
        click.option("--seed", type=click.IntRange(0), help="Seed of the simulated market."),
        click.option("--until", help="Stop at this market time, or after this duration (7d)."),
        click.option(
            "--db",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The book of record (default: the platform's data directory).",
        ),
        click.option(
            "--config",
            "config_dir",
            type=click.Path(path_type=Path),
            help="Directory of YAML files that override the defaults.",
        ),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override one setting, e.g. risk.max_leverage=3.",
        ),
        click.option(
            "--record",
            is_flag=True,
            help="Keep the market on a tape beside the file; a live one always is.",
        ),
        click.option("--fresh", is_flag=True, help="Begin a new run in the same file."),
        click.option(
            "--on-bad",
            type=click.Choice(["skip", "refuse"]),
            default="skip",
            show_default=True,
            help="What to do with damaged data rows.",
        ),
        click.option(
            "--log-level",
            default="info",
            show_default=True,
            type=click.Choice(["debug", "info", "warning", "error"]),
            help="The mildest line the log file gets.",
        ),
        click.option(
            "--or-watch", is_flag=True, help="Look on when another process has the file already."
        ),
        click.option(
            "--ascii",
            "only_ascii",
            is_flag=True,
            help="Draw with ASCII only (as console.glyphs=ascii); noticed by itself where TERM or "
            "the locale says so.",
        ),
        click.option("--headless", is_flag=True, help="Run without a screen."),
        click.option(
            "--approve",
            default="none",
            show_default=True,
            help="Headless only: none, all, or script:FILE (recorded keys).",
        ),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="Headless: print the summary as one JSON line, last on stdout.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="tradeterm")
@_run_options
@click.pass_context
def cli(context: click.Context, /, **options: Any) -> int:
    """An interactive paper-trading console with analysts, a coordinator and a veto.

    Without a command it opens the console on the embedded simulated market: no account, no key, no
    network. There, ? shows every key and ctrl+t a guided start. COMMAND --help says more of each.
    """
    if not context.invoked_subcommand:
        return _start(**options)
    _refuse_misplaced(context)
    return 0


def _refuse_misplaced(context: click.Context) -> None:
    """An option before a command's name is the console's: a halt would go to another book."""
    typed = [
        option.opts[0]
        for option in context.command.params
        if option.name and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    ]
    if typed:
        command = context.invoked_subcommand
        raise UsageError(
            f"{' '.join(typed)} before {command!r} would not count; write options after the "
            f"command's name: tradeterm {command} {typed[0]} ..."
        )


@cli.command()
@_run_options
def run(**options: Any) -> int:
    """The console (default), or with --headless the same engine without a screen."""
    return _start(**options)


def _start(
    *,
    headless: bool,
    as_json: bool,
    log_level: str,
    or_watch: bool,
    only_ascii: bool,
    **options: Any,
) -> int:
    start_logging(log_level)
    if headless:
        return asyncio.run(_headless(_request(headless=True, **options), as_json=as_json))
    if as_json or options["approve"] != "none":
        raise UsageError("--json and --approve need --headless: the console's keys approve")
    from tradeterm.showing import open_console

    if only_ascii:
        options["overrides"] = (*options["overrides"], "console.glyphs=ascii")
    return open_console(
        lambda: _request(headless=False, **options),
        options["db"],
        or_watch=or_watch,
        only_ascii=only_ascii,
    )


def _request(
    *,
    exchange: str | None,
    symbols: str | None,
    speed: str | None,
    config_dir: Path | None,
    overrides: tuple[str, ...],
    headless: bool,
    **options: Any,
) -> RunRequest:
    """Read the settings and put the request together; raises ConfigError or UsageError."""
    from tradeterm.sessions import RunRequest
    from tradeterm.settings.loading import load_settings

    if exchange is not None:
        overrides = (*overrides, f"live.exchange={exchange}")
    loaded = load_settings(config_dir, overrides, os.environ)
    return RunRequest(
        settings=loaded.settings,
        effective=loaded.settings.effective(),
        origins=loaded.written,
        symbols=_symbols(symbols),
        speed=_speed(speed),
        headless=headless,
        **options,
    )


def _symbols(text: str | None) -> tuple[str, ...] | None:
    if not text:
        return None
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name and names.count(name) > 1:
            raise UsageError(f"--symbols {text!r} names {name!r} twice; once is enough")
    return names


def _speed(text: str | None) -> float | None:
    if text is None or text == "max":
        return None if text is None else float("inf")
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise UsageError(f"--speed {text!r}: write a number above 0, or max")
    return speed


# -- headless --------------------------------------------------------------------------------


async def _headless(request: RunRequest, *, as_json: bool) -> int:
    from tradeterm.adapters.store.paths import locate
    from tradeterm.desk import Desk, finished_summary
    from tradeterm.ops.attending import Attendants

    finished = finished_summary(request)
    if finished is not None:
        _complain("this run is finished; a later --until extends it, --fresh begins another")
        _print_summary(finished, as_json=as_json)
        return 0
    attendants = Attendants(request.settings.console, locate(request.db).db)
    desk = await Desk.open(request, complain=_complain, tell=attendants.tell)
    desk.driver.supervisor.watch(*attendants.tasks)
    caught: list[signal.Signals] = []
    loop = asyncio.get_running_loop()
    for number in SIGNAL_EXITS:
        loop.add_signal_handler(number, _stop, desk, caught, number)
    try:
        for line in desk.notices:
            _complain(line)
        await desk.run()
        summary = desk.summary()
        for line in desk.afterword():
            _complain(line)
    finally:
        await desk.close()
        attendants.close()
    _print_summary(summary, as_json=as_json)
    return SIGNAL_EXITS[caught[0]] if caught else 0


def _complain(text: str) -> None:
    click.echo(f"tradeterm: {visible(without_secrets(text))}", err=True)


def _stop(desk: Any, caught: list[signal.Signals], number: signal.Signals) -> None:
    caught.append(number)
    desk.driver.stop()


def _print_summary(summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary, separators=(",", ":")))
        return
    for key, value in summary.items():
        click.echo(visible(f"{key.replace('_', ' '):>15}  {_readable(value)}").rstrip())


def _readable(value: Any) -> str:
    """Only what is there: ``stop 2, target 1`` for counts, without the zeros."""
    if isinstance(value, dict):
        parts = (
            (key, f"({_readable(inner)})" if isinstance(inner, dict) else _readable(inner))
            for key, inner in value.items()
        )
        return ", ".join(f"{key} {text}" for key, text in parts if text not in {"", "0", "()"})
    if isinstance(value, list):
        return "; ".join(_readable(inner) for inner in value)
    return str(value)


if __name__ == "__main__":
    main()
