"""`tradeterm doctor`: whether what a run depends on works, and what to do where it does not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradeterm.printing import json_option, say

if TYPE_CHECKING:
    from tradeterm.ops.doctor.finding import Finding
    from tradeterm.settings.settings import Settings

_MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def diagnosing_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [doctor]


@click.command()
@json_option
@click.option("--llm", is_flag=True, help="One tiny request to every model of every role.")
@click.option("--live", is_flag=True, help="A live market is wanted: its exchange must answer.")
@click.option("--offline", is_flag=True, help="Leave out every host.")
@click.option(
    "--db", type=click.Path(path_type=Path, dir_okay=False),
    help="The book of record (default: the platform's data directory).",
)  # fmt: skip
@click.option(
    "--config", "config_dir", type=click.Path(path_type=Path), help="Directory of YAML overrides."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting."
)
def doctor(
    as_json: bool, llm: bool, live: bool, offline: bool, db: Path | None,
    config_dir: Path | None, overrides: tuple[str, ...],
) -> int:  # fmt: skip
    """Look at all a run depends on: the machine, files, settings, keys, hosts, the clock.

    Exits 1 when something does not work; a warning is none. Without --live (or an address of its
    own in live.endpoints) an exchange out of reach is a warning: sim and replay ask nobody. Keys
    are never shown.
    """
    settings, found = _settings(config_dir, overrides)
    found = [*_machine(db), *found]
    if settings is not None:
        found += _keys(settings)
        if not offline:
            own = settings.live.endpoints
            found += _hosts(settings, live=live or bool(own.rest or own.ws))
    checks = [each.as_dict() for each in found]
    if llm and settings is not None:
        from tradeterm.ops.modelcheck import check_models

        checks += asyncio.run(check_models(settings.llm))
    ok = all(one["ok"] for one in checks)
    say(as_json, {"ok": ok, "checks": checks}, _lines(checks))
    return 0 if ok else 1


def _settings(
    config_dir: Path | None, overrides: Sequence[str]
) -> tuple[Settings | None, list[Finding]]:
    """What is in force; None when it does not add up, with every mistake."""
    from tradeterm.errors import ConfigError
    from tradeterm.ops.doctor.finding import Finding
    from tradeterm.settings.loading import load_settings, packaged_dir

    try:
        settings = load_settings(config_dir, overrides, os.environ).settings
    except ConfigError as error:
        remedy = (
            "correct it; `tradeterm config check` says the same, `config show` what is in force"
        )
        return None, [Finding("settings", "fail", str(error), remedy)]
    place = f"{packaged_dir()}" + (f", then {config_dir}" if config_dir else "")
    return settings, [Finding("settings", "ok", f"valid ({place})")]


def _machine(db: Path | None) -> Iterator[Finding]:
    from tradeterm.adapters.advisors.opening import ENV_FILE
    from tradeterm.adapters.store.paths import locate
    from tradeterm.errors import StoreUnwritable
    from tradeterm.ops.doctor.environment import look_at_environment
    from tradeterm.ops.doctor.files import look_at_files
    from tradeterm.ops.doctor.finding import Finding
    from tradeterm.ops.doctor.machine import look_at_machine

    yield from look_at_machine(os.environ)
    try:
        yield from look_at_files(locate(db), ENV_FILE)
    except StoreUnwritable as error:
        yield Finding("store", "fail", str(error), "set HOME, or name a file with --db")
    yield from look_at_environment(os.environ)


def _keys(settings: Settings) -> Iterator[Finding]:
    from tradeterm.adapters.advisors.opening import ENV_FILE
    from tradeterm.ops.doctor.environment import look_at_keys

    return look_at_keys(settings.llm, os.environ, ENV_FILE)


def _hosts(settings: Settings, *, live: bool) -> list[Finding]:
    from tradeterm.ops.doctor.environment import endpoints
    from tradeterm.ops.doctor.network import addresses, look_at_exchange, look_at_hosts

    models = [] if settings.llm.provider == "rules" else endpoints(settings.llm)
    return [look_at_exchange(settings.live), *look_at_hosts(
        addresses(settings.live), [one.address for one in models], settings.risk.max_clock_skew,
        live=live,
    )]  # fmt: skip


def _lines(found: Iterable[dict[str, Any]]) -> Iterable[str]:
    for one in found:
        mark = _MARKS[one.get("outcome", "ok" if one["ok"] else "fail")]
        yield f"{mark}  {one['what']:<13} {one['found']}"
        if one.get("remedy"):
            yield f"      → {one['remedy']}"
