"""What a replayed file offers to the feed that merges it with others."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import msgspec

from tradeterm.model.market import MarketEvent


class Steps(msgspec.Struct):
    """The finest price and size steps seen of a symbol, as numbers of decimals."""

    price: int = 0
    size: int = 0

    @property
    def tick(self) -> Decimal:
        """The price step."""
        return Decimal(1).scaleb(-min(self.price, 10))

    @property
    def lot(self) -> Decimal:
        """The size step, never finer than a satoshi."""
        return Decimal(1).scaleb(-min(self.size, 8))


class SourceMark(msgspec.Struct, frozen=True):
    """Where a source stood before a chunk was read."""

    row: int = 0
    """Rows or lines already read."""
    offset: int = 0
    """Bytes of plain text already read."""
    last: dict[str, int] = {}
    """Newest stamp by symbol (bars) or of all lines ("")."""
    bad: int = 0


class Source(Protocol):
    """One file: time-ordered events in chunks, with a way back."""

    path: Path
    steps: dict[str, Steps]
    """Every symbol in the file with its steps."""
    timeframe: int
    """Seconds of its bars; 0 for a tape."""

    @property
    def begin(self) -> int:
        """Market time at which the chosen symbols' data begins (ns)."""
        ...

    def choose(self, symbols: frozenset[str]) -> None:
        """Give only these symbols from now on."""
        ...

    def chunk(self) -> Sequence[MarketEvent]:
        """The next events; empty at the end of the file."""
        ...

    def mark(self) -> SourceMark:
        """Where the next chunk begins."""
        ...

    def seek(self, mark: SourceMark) -> None:
        """Go back (or forward) to a mark."""
        ...

    def close(self) -> None:
        """Let go of files; taking more opens them again."""
        ...
