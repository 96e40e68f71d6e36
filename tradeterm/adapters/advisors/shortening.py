"""A prompt that small models read in seconds: the best of its facts, cut at a budget of tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tradeterm.model.pieces import Piece, left_out

#: Of a whole request, instructions and template of the conversation included.
MOST_TOKENS: Final = 300
#: What servers put around two messages, and what a repair may add (``prompting.repairing``).
TEMPLATE_TOKENS, REPAIR_TOKENS = 14, 24
#: How many letters, capitals and signs in a row make one token: measured on our own words with the
#: small vocabulary of SmolLM2; of strangers' words nobody knows.
_OURS: Final = (8, 3, 2)
_STRANGE: Final = (2, 2, 1)
_PARTS: Final = re.compile(
    r"([a-z]+)|([A-Z]+)|([!-/:-@\[-`{-~]+)|[0-9]|[^\x00-\x7f]|\s(?=[0-9\s])|\n"
)


def tokens(text: str, runs: tuple[int, int, int] = _OURS) -> int:
    """How many a small model's tokenizer makes of it, rather too many than too few.

    A digit is one, and the space before it; a character beyond ASCII one for each of its bytes.
    """
    count = 0
    for part in _PARTS.finditer(text):
        found = part[0]
        if part.lastindex is None:
            count += len(found.encode())
        else:
            count += -(-len(found) // runs[part.lastindex - 1])
    return count


def defused(text: str) -> str:
    """Without the signs that could close the delimiters around it."""
    return text.replace("<", "‹").replace(">", "›")


def fitted(
    system: str, frame: str, symbol: str, pieces: Iterable[Piece]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The facts that fit beside the ``system`` message and the ``frame`` around them, and the names
    of those left out. What does not fit makes room for what is smaller and comes later.
    """
    known = tuple(dict.fromkeys(pieces))
    room = MOST_TOKENS - TEMPLATE_TOKENS - REPAIR_TOKENS - tokens(system) - tokens(frame)
    room -= tokens(_line("symbol", symbol))
    chosen: list[Piece] = []
    keys: set[str] = set()
    for piece in known:
        cost = _cost(piece, new=piece.key not in keys)
        if cost <= room:
            chosen.append(piece)
            keys.add(piece.key)
            room -= cost
    return {"symbol": symbol, **_together(chosen)}, left_out(known, chosen)


def _cost(piece: Piece, *, new: bool) -> int:
    runs = _STRANGE if piece.is_quoted else _OURS
    words = tokens(defused(json.dumps(piece.words, ensure_ascii=False)), runs)
    return words + (tokens(_line(piece.key, "")) if new else 1)


def _line(key: str, words: str) -> str:
    return f"{json.dumps({key: words}, ensure_ascii=False)[1:-1]},"


def _together(chosen: Iterable[Piece]) -> Mapping[str, Any]:
    """Pieces of one key in one sentence; quotations each by itself."""
    found: dict[str, Any] = {}
    for piece in chosen:
        if piece.is_quoted:
            found.setdefault(piece.key, []).append(piece.words)
        else:
            before = f"{found[piece.key]}, " if piece.key in found else ""
            found[piece.key] = f"{before}{piece.words}"
    return found
