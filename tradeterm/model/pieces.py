"""Facts in few words, for prompts that have room for few: each by itself, most important first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

#: Figures are told to so many digits, and those that lie close to one another (prices) to more.
DIGITS, PRICE_DIGITS = 3, 5
PRICES: Final = frozenset(
    {
        "close", "ema_21", "ema_50", "ema_200", "support", "resistance", "last", "bid", "ask",
        "entry", "stop", "target", "price", "notional", "equity", "free",
    }
)  # fmt: skip


class Piece(NamedTuple):
    """One value of one fact, in words."""

    fact: str
    """Its name in the record."""
    name: str
    """Of the value; empty: the fact is told as a whole or not at all."""
    key: str
    """Under which it is told; pieces of one key stand together."""
    words: str
    is_quoted: bool = False
    """Words that nobody here wrote: told apart from the facts."""


def brief(value: float | str, name: str = "") -> str:
    """A value in few digits."""
    if isinstance(value, str):
        return value
    number = float(f"{value:.{PRICE_DIGITS if name in PRICES else DIGITS}g}")
    return f"{number:.10f}".rstrip("0").rstrip(".")


def left_out(pieces: Sequence[Piece], told: Sequence[Piece]) -> tuple[str, ...]:
    """What was not told, for the record: whole facts by name, others with their values."""
    return tuple(_names(pieces, frozenset(told)))


def _names(pieces: Sequence[Piece], told: frozenset[Piece]) -> Iterator[str]:
    for fact in dict.fromkeys(piece.fact for piece in pieces):
        mine = [piece for piece in pieces if piece.fact == fact]
        missing = [piece.name for piece in mine if piece not in told]
        if missing:
            yield fact if len(missing) == len(mine) else f"{fact}: {', '.join(missing)}"
