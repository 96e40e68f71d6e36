"""Prints the branch coverage of the trading rooms; exits 1 when one is below the given percent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOMS = ("risk", "execution", "portfolio", "coordinator", "engine")


def branches(files: dict[str, dict[str, dict[str, int]]], room: str) -> tuple[int, int]:
    """(covered, all) branches of a room."""
    summaries = [f["summary"] for name, f in files.items() if f"tradeterm/{room}/" in name]
    covered = sum(summary["covered_branches"] for summary in summaries)
    return covered, sum(summary["num_branches"] for summary in summaries)


def main(report: Path, least: float) -> int:
    """One line per room."""
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    low = False
    for room in ROOMS:
        covered, total = branches(files, room)
        percent = 100 * covered / total if total else 0.0
        low = low or percent < least
        mark = "" if percent >= least else f"  below {least:g} %"
        sys.stdout.write(f"branch coverage {room:<12}{percent:6.1f} %  ({covered}/{total}){mark}\n")
    return int(low)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
