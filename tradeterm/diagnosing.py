"""`tradeterm doctor`: whether what a run depends on works, and what to do where it does not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from tradeterm.printing import json_option, say


def diagnosing_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [doctor]


@click.command()
@json_option
@click.option("--llm", is_flag=True, help="One tiny request to every model of every role.")
@click.option("--config", "config_dir", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE")
def doctor(as_json: bool, llm: bool, config_dir: Path | None, overrides: tuple[str, ...]) -> int:
    """Check settings, the place of the store, and with --llm the language models.

    Exits 1 when something does not work.
    """
    from tradeterm.adapters.store.paths import locate
    from tradeterm.settings.loading import load_settings

    settings = load_settings(config_dir, overrides, os.environ).settings
    found = [
        {"what": "settings", "ok": True, "found": "valid"},
        _place(locate(None).db),
    ]
    if llm:
        from tradeterm.ops.modelcheck import check_models

        found += asyncio.run(check_models(settings.llm))
    ok = all(one["ok"] for one in found)
    say(as_json, {"ok": ok, "checks": found}, _lines(found))
    return 0 if ok else 1


def _place(db: Path) -> dict[str, Any]:
    """Whether the book of record can be written where it belongs."""
    folder = next(path for path in (db.parent, *db.parent.parents) if path.exists())
    ok = os.access(folder, os.W_OK)
    remedy = "" if ok else f"make {folder} writable, or name a file with --db"
    return {"what": "store", "ok": ok, "found": str(db), "remedy": remedy}


def _lines(found: Iterable[dict[str, Any]]) -> Iterable[str]:
    for one in found:
        yield f"{'ok  ' if one['ok'] else 'FAIL'}  {one['what']:<10} {one['found']}"
        if one.get("remedy"):
            yield f"      → {one['remedy']}"
