"""The order book: asks above, bids below, depth as bars, spread and imbalance between."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import accumulate
from typing import ClassVar, NamedTuple

from tradeterm.engine.view import BookView, ConsoleView
from tradeterm.tui import figures
from tradeterm.tui.ink import BLANK, Line, fit
from tradeterm.tui.panes.base import Pane, placeholder

#: Ticks in one line of the book, as the keys step through them.
GROUPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SIZE = 10
#: From this many lines on, column heads cost no level worth seeing.
_HEADED = 12
#: From this width on, sizes are also added up from the best level on.
_SUMMED = 40
_ONLY_BARS = "this feed has only bars: no depth to show; fills are estimated from bars and say so"
_NO_BOOK = "no book now: it is being fetched, and nothing is entered meanwhile"


class BookPane(Pane):
    """Best prices in the middle; each line is cached until its own figures change."""

    NAME: ClassVar[str] = "book"
    KEY: ClassVar[str] = "3"
    TITLE: ClassVar[str] = "Book"
    HINTS = (
        ("finer_book coarser_book", "grouping"),
        ("previous_symbol next_symbol", "symbol"),
        ("follow_cursor", "follow"),
        ("zoom", "zoom"),
    )

    def part_of(self, view: ConsoleView) -> object:
        book = view.books.get(self.choice.symbol)
        if book is None:
            return self.choice.symbol, view.status.state
        return self.choice.symbol, self.choice.grouping, book.version, figures.age(book.age)

    def _book(self) -> BookView | None:
        return self.view.books.get(self.choice.symbol)

    def heading(self) -> str:
        choice = self.choice
        words = ["Book", choice.symbol] if choice.symbol else ["Book"]
        if choice.grouping > 1:
            words.append(f"×{choice.grouping}")
        return " ".join(words) + ("" if choice.follows else " stays")

    def age(self) -> str:
        book = self._book()
        return f"age {figures.age(book.age)}" if book else ""

    def inside(self, width: int, height: int) -> list[Line]:
        book = self._book()
        if book is None:
            return placeholder("the order book appears with the first market data", width=width)
        if not book.bids and not book.asks:
            return [
                (("last ", "quiet"), (figures.price(book.last, book.tick), "text+bold")),
                *placeholder(_NO_BOOK if self.view.status.feed else _ONLY_BARS, width=width),
            ]
        headed = height >= _HEADED
        room_below = height - 1 - headed
        above = max(0, room_below // 2)
        below = max(0, room_below - above)
        asks = grouped(book.asks, book.tick, self.choice.grouping, up=True)[:above]
        bids = grouped(book.bids, book.tick, self.choice.grouping, up=False)[:below]
        deepest = max((size for _, size in (*asks, *bids)), default=1.0) or 1.0
        wide = (
            max(
                len(figures.price(level[0], book.tick))
                for level in (*asks[:1], *bids[:1], (book.last, 0.0))
            )
            + 1
        )
        summed = headed and width >= _SUMMED
        room = max(0, width - wide - _SIZE * (1 + summed) - 2)
        scale = _Scale(deepest, wide, room, summed)
        rows: list[Line] = [_heads(scale)] if headed else []
        rows += [BLANK] * (above - len(asks))
        rows += reversed(_side(asks, book, scale, "down", "ask"))
        rows.append(self._middle(book, wide))
        rows += _side(bids, book, scale, "up", "bid")
        return rows

    @staticmethod
    def _middle(book: BookView, wide: int) -> Line:
        spread = book.asks[0][0] - book.bids[0][0] if book.asks and book.bids else math.nan
        bid_depth = sum(size for _, size in book.bids[:10])
        ask_depth = sum(size for _, size in book.asks[:10])
        depth = bid_depth + ask_depth
        imbalance = (bid_depth - ask_depth) / depth if depth > 0 else 0.0
        side = {"buy": "up", "sell": "down"}.get(book.last_side, "text")
        arrow = {"buy": "▲", "sell": "▼"}.get(book.last_side, " ")
        words = f" spread {figures.price(spread, book.tick)} imb {imbalance:+.2f}"
        last = fit(figures.price(book.last, book.tick), wide, ">")
        return ((last, side + "+bold"), (" last" + arrow, side), (words, "quiet"))


Levels = tuple[tuple[float, float], ...]


def grouped(levels: Levels, tick: Decimal, ticks: int, up: bool) -> Levels:
    """Sizes added up in steps of so many ticks, away from the spread (``up``: asks).

    The deepest step may go on below the depth we see, so it is left out unless it is the only one.
    """
    if ticks == 1:
        return levels
    sums: dict[int, float] = {}
    for price, size in levels:
        place = round(price / float(tick))
        step = -(-place // ticks) if up else place // ticks
        sums[step] = sums.get(step, 0.0) + size
    found = tuple((float(tick * ticks * step), size) for step, size in sums.items())
    return found[:-1] or found


class _Scale(NamedTuple):
    """How the levels of one picture are drawn."""

    deepest: float
    wide: int
    """Cells of a price."""
    room: int
    """Cells of a bar."""
    summed: bool
    """Whether there is room for the sizes added up from the best level on."""


def _heads(scale: _Scale) -> Line:
    """Over prices, and sizes in base currency."""
    words = fit("PRICE", scale.wide, ">") + fit("SIZE", _SIZE, ">")
    return ((words + (fit("SUM", _SIZE, ">") if scale.summed else ""), "quiet"),)


def _side(
    levels: tuple[tuple[float, float], ...], book: BookView, scale: _Scale, role: str, bar: str
) -> list[Line]:
    """Best level first."""
    sums = accumulate(size for _, size in levels)
    return [
        _level(level, through, book, scale, (role, bar))
        for level, through in zip(levels, sums, strict=True)
    ]


def _level(
    level: tuple[float, float],
    through: float,
    book: BookView,
    scale: _Scale,
    roles: tuple[str, str],
) -> Line:
    price, size = level
    eighths = round(size / scale.deepest * scale.room * 8)
    whole, part = divmod(min(eighths, scale.room * 8), 8)
    bar = "█" * whole + (_EIGHTHS[part] if part else "")
    return (
        (fit(figures.price(price, book.tick), scale.wide, ">"), roles[0]),
        (fit(figures.quantity(size), _SIZE, ">"), "text"),
        ((fit(figures.quantity(through), _SIZE, ">") if scale.summed else "") + "  ", "quiet"),
        (bar, roles[1]),
    )
