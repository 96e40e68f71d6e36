"""Candles as columns: what is stored, merged and checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import msgspec
import numpy as np

from tradeterm.adapters.feeds.bar_files import Floats, Ints
from tradeterm.model.market import Candle
from tradeterm.model.timing import SECOND


class Series(msgspec.Struct):
    """Candles of one symbol and timeframe, oldest first, one for each close."""

    ts: Ints
    """Close stamps (ns)."""
    figures: tuple[Floats, Floats, Floats, Floats, Floats]
    """Open, high, low, close, volume."""

    @classmethod
    def of(cls, candles: list[Candle]) -> Self:
        """From single ones."""
        rows = [(c.open, c.high, c.low, c.close, c.volume) for c in candles]
        columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
        return cls(
            np.array([c.ts for c in candles], dtype=np.int64),
            tuple(np.ascontiguousarray(column) for column in columns),  # type: ignore[arg-type]
        )

    def __len__(self) -> int:
        return len(self.ts)

    def between(self, since: int, until: int) -> Series:
        """Those that close after ``since`` and at or before ``until`` (ns)."""
        return self._part(slice(*np.searchsorted(self.ts, (since, until), side="right").tolist()))

    def last(self, count: int) -> Series:
        """The newest ones."""
        return self._part(slice(max(0, len(self) - count), None))

    def _part(self, part: slice | Ints) -> Series:
        return Series(self.ts[part], tuple(column[part] for column in self.figures))  # type: ignore[arg-type]

    def merged(self, newer: Series) -> tuple[Series, int, int]:
        """(Both, how many were new, how many replaced other figures): ``newer`` wins."""
        stamps = np.concatenate((newer.ts, self.ts))
        chosen, first = np.unique(stamps, return_index=True)
        columns = tuple(
            np.concatenate((new, old))[first]
            for new, old in zip(newer.figures, self.figures, strict=True)
        )
        added = len(chosen) - len(self)
        common, mine, theirs = np.intersect1d(self.ts, newer.ts, return_indices=True)
        differ = np.zeros(len(common), dtype=np.bool_)
        for old, new in zip(self.figures, newer.figures, strict=True):
            differ |= old[mine] != new[theirs]
        return Series(chosen, columns), added, int(differ.sum())  # type: ignore[arg-type]

    def months(self, timeframe: int) -> Iterator[tuple[str, Series]]:
        """(``2025-06``, its candles) by the UTC month they open in."""
        opens = (self.ts - timeframe * SECOND).astype("datetime64[ns]").astype("datetime64[M]")
        for month in np.unique(opens):
            yield str(month), self._part(np.flatnonzero(opens == month))

    def candles(self, symbol: str, timeframe: int) -> list[Candle]:
        """One by one."""
        columns = (column.tolist() for column in self.figures)
        return [
            Candle(ts, symbol, timeframe, *figures)
            for ts, *figures in zip(self.ts.tolist(), *columns, strict=True)
        ]

    # -- Parquet ---------------------------------------------------------------------------

    def packed(self, timeframe: int) -> bytes:
        """A Parquet file: ``date`` (open, UTC), open, high, low, close, volume."""
        import pyarrow as pa
        from pyarrow import parquet

        opens = pa.array(self.ts - timeframe * SECOND).cast(pa.timestamp("ns", tz="UTC"))
        names = ["date", "open", "high", "low", "close", "volume"]
        table = pa.table([opens, *(pa.array(column) for column in self.figures)], names=names)
        sink: Any = pa.BufferOutputStream()
        parquet.write_table(table, sink, compression="zstd")
        return bytes(sink.getvalue())


def nothing() -> Series:
    """A series without candles."""
    return Series.of([])
