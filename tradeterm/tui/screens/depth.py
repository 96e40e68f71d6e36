"""The order book in figures: spread, imbalance, depth by distance, where own orders stand in it,
and the last trades.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from tradeterm.engine.view import BookView, ConsoleView, OrderView
from tradeterm.tui import figures
from tradeterm.tui.ink import BLANK, Line, fit, spread, wrap
from tradeterm.tui.panes.cardlines import pairs
from tradeterm.tui.screens.text import Builder

_WORKING = frozenset({"pending", "open", "partially_filled"})
#: Percent from the middle up to which depth is added up.
_BANDS = (0.05, 0.1, 0.25, 0.5, 1.0)
#: Levels on each side of the picture of the book.
_LEVELS = 12
_COUNTS = (1, 5, 10, 20)
_WIDE = 14
#: Cells of the levels with what is ours among them, and of the trades, where both fit side by side.
_LADDER, _TAPE = 50, 42
Levels = Sequence[tuple[float, float]]


def book_page(symbol: str) -> Builder:
    """One symbol's book, kept current."""

    def build(view: ConsoleView, width: int) -> Sequence[Line]:
        book = view.books.get(symbol)
        if book is None or not (book.bids and book.asks):
            why = (
                "it is being fetched, and nothing is entered meanwhile."
                if view.status.feed
                else "this feed has only bars, or nothing arrived yet."
            )
            told = f"{symbol or 'No symbol'} has no order book now: {why}"
            return [((part, "text"),) for part in wrap(told, width)]
        own = [each for each in view.orders if each.symbol == symbol and each.status in _WORKING]
        return [
            *_facts(book, width),
            BLANK,
            *_depth(book),
            BLANK,
            *_beside(_ladder(book, own), _trades(book), width),
            BLANK,
            *_own(own, book, width),
        ]

    return build


def _middle(book: BookView) -> float:
    return (book.bids[0][0] + book.asks[0][0]) / 2


def _facts(book: BookView, width: int) -> list[Line]:
    spread = book.asks[0][0] - book.bids[0][0]
    middle = _middle(book)
    side = {"buy": "a buyer took it", "sell": "a seller took it"}.get(
        book.last_side, "side unknown"
    )
    facts = [
        ("best bid", figures.price(book.bids[0][0], book.tick)),
        ("best ask", figures.price(book.asks[0][0], book.tick)),
        ("spread", (f"{figures.price(spread, book.tick)}, {spread / float(book.tick):.0f} ticks, "
         f"{spread / middle * 10_000:.2f} bp")),
        ("last trade", f"{figures.price(book.last, book.tick)}, {side}"),
        ("age", figures.age(book.age)),
        *((f"imbalance of {count}", f"{_imbalance(book, count):+.2f}") for count in _COUNTS),
    ]  # fmt: skip
    title = f"{book.symbol} order book"
    meaning = "imbalance: (bids − asks) / (bids + asks) of the best levels; +1 is only buyers"
    told: list[Line] = [((part, "quiet"),) for part in wrap(meaning, width)]
    return [((title, "text+bold"),), *pairs(facts, width), *told]


def _imbalance(book: BookView, count: int) -> float:
    bids, asks = (sum(size for _, size in side[:count]) for side in (book.bids, book.asks))
    return (bids - asks) / (bids + asks) if bids + asks > 0 else 0.0


def _depth(book: BookView) -> list[Line]:
    """Base units within so much of the middle; + where it goes on beyond what we see."""
    middle = _middle(book)
    heads = fit("WITHIN", 10) + fit("BIDS", _WIDE, ">") + fit("ASKS", _WIDE, ">")
    lines: list[Line] = [(("Depth, base units", "accent+bold"),), ((heads, "quiet"),)]
    for band in _BANDS:
        reach = middle * band / 100
        cells = []
        for side in (book.bids, book.asks):
            inside = sum(size for price, size in side if abs(price - middle) <= reach)
            more = "" if abs(side[-1][0] - middle) > reach else "+"
            cells.append(figures.quantity(inside) + more)
        lines.append(
            (
                (fit(f"{band:g} %", 10), "quiet"),
                (fit(cells[0], _WIDE, ">"), "up"),
                (fit(cells[1], _WIDE, ">"), "down"),
            )
        )
    return lines


def _beside(left: Sequence[Line], right: Sequence[Line], width: int) -> list[Line]:
    """Side by side, or one below the other where there is no room for that."""
    if width < _LADDER + _TAPE:
        return [*left, BLANK, *right]
    both = zip_longest(left, right, fillvalue=BLANK)
    return [spread(one, other, _LADDER + _TAPE) for one, other in both]


def _ladder(book: BookView, own: Sequence[OrderView]) -> list[Line]:
    """The best levels, ours marked with their order."""
    lines: list[Line] = [(("Levels", "accent+bold"),)]
    lines += [_level(each, book, own, "sell") for each in reversed(book.asks[:_LEVELS])]
    lines.append(((fit("spread", _WIDE, ">"), "quiet"),))
    return lines + [_level(each, book, own, "buy") for each in book.bids[:_LEVELS]]


def _level(level: tuple[float, float], book: BookView, own: Sequence[OrderView], side: str) -> Line:
    price, size = level
    ours = [
        f"{each.id} {figures.size(each.size - each.filled)}"
        for each in own
        if each.side == side and each.limit is not None and float(each.limit) == price
    ]
    role = "down" if side == "sell" else "up"
    marked = f"  ◂ yours: {', '.join(ours)}" if ours else ""
    return (
        (fit(figures.price(price, book.tick), _WIDE, ">"), role),
        (fit(figures.quantity(size), 12, ">"), "text"),
        (marked, "text+bold"),
    )


def _own(own: Sequence[OrderView], book: BookView, width: int) -> list[Line]:
    """Every working order of the symbol: those away from the levels above stand only here."""
    lines: list[Line] = [(("Your working orders", "accent+bold"),)]
    if not own:
        return [*lines, (("none on this symbol", "quiet"),)]
    for each in own:
        away = "" if each.price is None or book.last <= 0 else (
            f", {(float(each.price) / book.last - 1) * 100:+.2f} % from last"
        )  # fmt: skip
        told = (
            f"{each.id} {each.side} {figures.size(each.size - each.filled)} "
            f"{each.type.replace('_', ' ')} for {each.purpose} at "
            f"{figures.price(each.price, book.tick)}{away}"
        )
        lines += [((part, "text"),) for part in wrap(told, width)]
    return lines


def _trades(book: BookView) -> list[Line]:
    """Time and sales, newest first; the side is the taker's."""
    lines: list[Line] = [((fit("Last trades", _TAPE), "accent+bold"),)]
    if not book.trades:
        return [*lines, ((fit("none since this console was opened", _TAPE), "quiet"),)]
    heads = fit("TIME, UTC", 10) + fit("TAKER", 6) + fit("PRICE", _WIDE, ">") + fit("SIZE", 12, ">")
    lines.append(((heads, "quiet"),))
    for each in book.trades:
        role = {"buy": "up", "sell": "down"}.get(each.side, "quiet")
        lines.append(
            (
                (fit(figures.clock(each.ts), 10), "quiet"),
                (fit(each.side or "?", 6), role),
                (fit(figures.price(each.price, book.tick), _WIDE, ">"), "text"),
                (fit(figures.quantity(each.size), 12, ">"), "text"),
            )
        )
    return lines
