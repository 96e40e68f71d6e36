"""The head file: the last confirmed row's number and hash, kept outside the database."""

from __future__ import annotations

import json
from pathlib import Path

from tradeterm.adapters.store.paths import replace_file
from tradeterm.adapters.store.rows import Tail
from tradeterm.errors import StoreDamaged


def write_head(path: Path, tail: Tail) -> None:
    """Replace the head file atomically and durably."""
    text = json.dumps({"seq": tail.seq, "hash": tail.hash.hex()})
    replace_file(path, text.encode() + b"\n")


def read_head(path: Path) -> Tail | None:
    """What the head file says; None when there is none; raises StoreDamaged on rubbish."""
    try:
        found = json.loads(path.read_bytes())
        return Tail(int(found["seq"]), bytes.fromhex(found["hash"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StoreDamaged(
            f"{path}: not a head file ({error}). It only mirrors the end of the journal: "
            f"check the store with `tradeterm verify`, then remove {path}"
        ) from error
