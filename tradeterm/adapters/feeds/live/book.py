"""Our own book of one symbol, from the text of the messages, checked as its venue allows."""

from __future__ import annotations

import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final

from tradeterm.model.market import Levels

#: (price, size) as the venue wrote them.
Written = Iterable[tuple[bytes, bytes]]
#: Levels per side that Kraken's checksum covers.
CHECKED: Final = 10
_INF: Final = float("inf")


class OutOfStep(Exception):
    """The book is not what the venue's is; the text says how that was noticed."""


class _Side:
    """Prices ascending by key (bids negated), with what the checksum needs of each."""

    __slots__ = ("digits", "keys", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[float] = []
        self.digits: dict[float, bytes] = {}

    def set(self, price: float, size: float, digits: bytes) -> None:
        key = price * self.sign
        if size > 0.0:
            if key not in self.digits:
                insort(self.keys, key)
            self.digits[key] = digits
        elif self.digits.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def cut(self, depth: int) -> list[float]:
        """Prices that fell out of the subscribed depth."""
        gone = self.keys[depth:]
        if gone:
            del self.keys[depth:]
            for key in gone:
                del self.digits[key]
        return [key * self.sign for key in gone]

    def top(self) -> bytes:
        digits = self.digits
        return b"".join([digits[key] for key in self.keys[:CHECKED]])


class WireBook:
    """One symbol. ``snapshot`` and ``update`` say what to tell the engine, or raise OutOfStep."""

    def __init__(self, symbol: str, depth: int) -> None:
        self.symbol = symbol
        self.depth = depth
        """Levels per side beyond which the venue says no more."""
        self.ready = False
        self._bids, self._asks = _Side(-1), _Side(1)

    def reset(self) -> None:
        """Nothing is known until the next snapshot."""
        self.ready = False
        self._bids, self._asks = _Side(-1), _Side(1)

    def snapshot(
        self, bids: Written, asks: Written, checksum: int | None = None
    ) -> tuple[Levels, Levels]:
        """A whole book, best first."""
        self.reset()
        told = _take(self._bids, bids), _take(self._asks, asks)
        self._check(checksum)
        self.ready = True
        return told

    def update(
        self, bids: Written, asks: Written, checksum: int | None = None
    ) -> tuple[Levels, Levels]:
        """Changed levels, with those that left the depth as removed."""
        told = (
            self._changed(self._bids, bids),
            self._changed(self._asks, asks),
        )
        self._check(checksum)
        return told

    def _changed(self, side: _Side, levels: Written) -> Levels:
        changed = _take(side, levels)
        if len(side.keys) > self.depth:
            changed += tuple((price, 0.0) for price in side.cut(self.depth))
        return changed

    def _check(self, checksum: int | None) -> None:
        bids, asks = self._bids.keys, self._asks.keys
        if bids and asks and -bids[0] >= asks[0]:
            raise OutOfStep(f"crossed: bid {-bids[0]:.12g}, ask {asks[0]:.12g}")
        if checksum is None:
            return
        ours = zlib.crc32(self._asks.top() + self._bids.top())
        if ours != checksum:
            raise OutOfStep(f"checksum {ours} here, {checksum} there")

    @property
    def touch(self) -> tuple[float, float] | None:
        """Best bid and ask; None while one of them is missing."""
        bids, asks = self._bids.keys, self._asks.keys
        return (-bids[0], asks[0]) if bids and asks else None

    @property
    def levels(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Prices of both sides, best first."""
        return tuple(-key for key in self._bids.keys), tuple(self._asks.keys)


def _take(side: _Side, levels: Written) -> Levels:
    """Put levels in; the numbers of them."""
    told = []
    for price_text, size_text in levels:
        price, size = float(price_text), float(size_text)
        if not (0.0 < price < _INF and 0.0 <= size < _INF):
            raise OutOfStep(
                f"level {price_text.decode(errors='replace')} × "
                f"{size_text.decode(errors='replace')} is no price and size"
            )
        side.set(price, size, _digits(price_text) + _digits(size_text))
        told.append((price, size))
    return tuple(told)


def _digits(text: bytes) -> bytes:
    """A number as Kraken's checksum wants it: without point and leading zeros."""
    return text.replace(b".", b"", 1).lstrip(b"0")
