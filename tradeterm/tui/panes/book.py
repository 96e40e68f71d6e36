"""The order book: asks above, bids below, depth as bars, spread and imbalance between."""

from __future__ import annotations

import math
from typing import ClassVar

from tradeterm.engine.view import BookView, ConsoleView
from tradeterm.tui import figures
from tradeterm.tui.ink import BLANK, Line, fit
from tradeterm.tui.panes.base import Pane, placeholder

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SIZE = 10
#: From this many lines on, column heads cost no level worth seeing.
_HEADED = 12


class BookPane(Pane):
    """Best prices in the middle; each line is cached until its own figures change."""

    NAME: ClassVar[str] = "book"
    KEY: ClassVar[str] = "3"
    TITLE: ClassVar[str] = "Book"

    def part_of(self, view: ConsoleView) -> object:
        book = view.books.get(self.choice.symbol)
        if book is None:
            return self.choice.symbol, view.status.state
        return self.choice.symbol, book.version, figures.age(book.age)

    def _book(self) -> BookView | None:
        return self.view.books.get(self.choice.symbol)

    def heading(self) -> str:
        return f"Book {self.choice.symbol}" if self.choice.symbol else "Book"

    def age(self) -> str:
        book = self._book()
        return f"age {figures.age(book.age)}" if book else ""

    def hint(self) -> str:
        return "s , next symbol · z zoom"

    def inside(self, width: int, height: int) -> list[Line]:
        book = self._book()
        if book is None:
            return placeholder("the order book appears with the first market data", width=width)
        if not book.bids and not book.asks:
            return [
                (("last ", "quiet"), (figures.price(book.last, book.tick), "text+bold")),
                *placeholder(
                    "this feed has only bars: no depth to show; fills are estimated from "
                    "bars and say so",
                    width=width,
                ),
            ]
        headed = height >= _HEADED
        room_below = height - 1 - headed
        above = max(0, room_below // 2)
        below = max(0, room_below - above)
        asks, bids = book.asks[:above], book.bids[:below]
        deepest = max((size for _, size in (*asks, *bids)), default=1.0) or 1.0
        wide = (
            max(
                len(figures.price(level[0], book.tick))
                for level in (*asks[:1], *bids[:1], (book.last, 0.0))
            )
            + 1
        )
        room = max(0, width - wide - _SIZE - 2)
        rows: list[Line] = [_heads(wide)] if headed else []
        rows += [BLANK] * (above - len(asks))
        rows += [
            _level(level, book, deepest, (wide, room), "down", "ask") for level in reversed(asks)
        ]
        rows.append(self._middle(book, wide))
        rows += [_level(level, book, deepest, (wide, room), "up", "bid") for level in bids]
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
        words = f" spread {figures.price(spread, book.tick)}  imb {imbalance:+.2f}"
        last = fit(figures.price(book.last, book.tick), wide, ">")
        return ((last, side + "+bold"), (" " + arrow, side), (words, "quiet"))


def _heads(wide: int) -> Line:
    """Over prices, sizes in base currency, and the bars that show the same sizes."""
    return ((fit("PRICE", wide, ">") + fit("SIZE", _SIZE, ">") + "  DEPTH", "quiet"),)


def _level(
    level: tuple[float, float],
    book: BookView,
    deepest: float,
    widths: tuple[int, int],
    role: str,
    bar_role: str,
) -> Line:
    price, size = level
    wide, room = widths
    eighths = round(size / deepest * room * 8)
    whole, part = divmod(min(eighths, room * 8), 8)
    bar = "█" * whole + (_EIGHTHS[part] if part else "")
    return (
        (fit(figures.price(price, book.tick), wide, ">"), role),
        (fit(figures.quantity(size), _SIZE, ">") + "  ", "text"),
        (bar, bar_role),
    )
