"""Every figure the product promises, each with its reference in the same run.

``python -m tests.bench [--only NAME]... [--quick]`` prints one JSON object; progress and a table
go to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import (
    console_load,
    console_runs,
    live,
    market_runs,
    matching,
    replay_bars,
    store_commits,
    verdicts,
)

QUICK_BARS = 20_000

Bench = Callable[[Path, bool], dict[str, Any]]


def _commits(directory: Path, _quick: bool) -> dict[str, Any]:
    figures: dict[str, Any] = dict(store_commits.measure(directory))
    raw = figures["raw_sqlite3_one_row_commits"]
    return {**figures, "ratio": figures["one_row_commits"] / raw}


def _bars(quick: bool) -> int:
    return QUICK_BARS if quick else replay_bars.BARS


BENCHES: dict[str, Bench] = {
    "ema_cross": lambda d, q: replay_bars.ema_cross(d, 1 if q else 7, _bars(q)),
    "all_agents": lambda d, q: replay_bars.all_agents(d, 1 if q else 2, _bars(q)),
    "sim_day": lambda d, q: market_runs.sim_day(d, 1 if q else 3),
    "tape": lambda d, q: market_runs.tape(d, 1 if q else 3),
    "book_updates": lambda d, q: market_runs.book_updates(d, 1 if q else 3),
    "live": lambda d, q: live.storm(d, 5.0 if q else 20.0),
    "live_on_screen": lambda d, q: live.drawn(d, 5.0 if q else 10.0),
    "matching": lambda _, q: matching.matching(1 if q else 3),
    "verdict": lambda _, q: verdicts.measure(300 if q else 3000),
    "commits": _commits,
    "first_paint": lambda d, q: console_runs.first_paint(d, 2 if q else 5),
    "ui_cpu": lambda d, q: console_runs.ui_cpu(d, 3.0 if q else 6.0),
    "key_reaction": lambda _, q: console_load.key_reaction(20 if q else 100),
    "engine_lateness": lambda d, q: console_load.engine_lateness(d, 4.0 if q else 10.0),
    "halt_latency": lambda d, q: console_runs.halt_latency(d, 5 if q else 20),
}


def main() -> int:
    """Run what is asked for; 1 when a figure could not be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(BENCHES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds and bars")
    asked = parser.parse_args()
    results: dict[str, Any] = {}
    for name in asked.only or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as directory:
            try:
                results[name] = BENCHES[name](Path(directory).resolve(), asked.quick)
            except Exception as error:  # noqa: BLE001  one figure must not cost the others
                results[name] = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(results, indent=2))
    _table(results)
    return int(any("failed" in figures for figures in results.values()))


def _table(results: dict[str, Any]) -> None:
    for name, figures in results.items():
        for key, value in _flat(figures):
            text = (
                f"{value:,.3g}"
                if isinstance(value, float) and value < 100
                else (f"{value:,.0f}" if isinstance(value, int | float) else str(value))
            )
            print(f"{name:>14}  {key:<34} {text:>14}", file=sys.stderr)


def _flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in figures.items():
        flat += (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]
        )
    return flat


if __name__ == "__main__":
    sys.exit(main())
