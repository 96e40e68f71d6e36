"""Recorded operator keys for headless runs: ``--approve script:FILE``.

One JSON object a line, in time order: ``{"at": "2025-06-02T01:00:02Z", "command": "approve",
"card_id": "card-1"}``. ``"card_id": "oldest"`` means the card that has waited longest. Every
command an operator can give can be scripted; ``content_hash`` of an approval is taken
from the card when it is left out.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import msgspec

from tradeterm.errors import DataError, TradetermError
from tradeterm.model.commands import Command, OperatorCommand, harmless
from tradeterm.model.timing import parse_instant


def read_script(path: Path) -> list[tuple[int, Command]]:
    """(market time, command) pairs; raises DataError naming the file, and the line where one is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"key script {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"key script {path}: byte {error.start} is not UTF-8; write one JSON object a line"
        ) from error
    keys = [_key(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    for (earlier, _), (later, _) in pairwise(keys):
        if later < earlier:
            raise DataError(f"key script {path}: keys are not in time order; sort them by 'at'")
    return keys


def _key(path: Path, number: int, line: str) -> tuple[int, Command]:
    try:
        entry = json.loads(line)
        at = parse_instant(str(entry.pop("at")))
        entry.setdefault("actor", "script")
        if entry.get("command") == "approve":
            entry.setdefault("content_hash", "")
        return at, harmless(msgspec.convert(entry, OperatorCommand))
    except (
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        RecursionError,
        TradetermError,
    ) as error:
        raise DataError(
            f"key script {path}, line {number}: {error}; write for example "
            '{"at": "2025-06-02T01:00:02Z", "command": "approve", "card_id": "oldest"}'
        ) from error
