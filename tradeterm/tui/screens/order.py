"""Everything about an order: where it stands, every status it had, its fills, its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradeterm.engine.view import BookView, ConsoleView, OrderView
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, wrap
from tradeterm.tui.panes.cardlines import pairs
from tradeterm.tui.screens.storylines import evidence, fills, head, steps, verdicts

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

_WORKING = frozenset({"pending", "open", "partially_filled"})


class OrderDetail:
    """One order, kept current."""

    def __init__(self, order_id: str) -> None:
        self._id = order_id

    def read(self, reader: Reader) -> Any:
        """Its story."""
        from tradeterm.lab import trade

        return trade.trade_story(reader, self._id)

    def _of(self, view: ConsoleView) -> OrderView | None:
        return next((each for each in view.orders if each.id == self._id), None)

    def mark(self, view: ConsoleView) -> object:
        """Whatever the book of record has more of when it changes."""
        order = self._of(view)
        return order and (order.status, order.filled, order.updated)

    def lines(self, view: ConsoleView, story: Any, width: int) -> Sequence[Line]:
        """Where it stands, then its life."""
        order = self._of(view)
        now = _gone(self._id, width) if order is None else _facts(order, view, width)
        if story is None:
            return now
        return [
            *now,
            *head("Its life"),
            *(line for one in story["orders"] for line in steps(one, width)),
            *head("Fills"),
            *fills(story["fills"], width),
            *_followed(story["followed"], width),
            *head("The verdict it was sent on"),
            *verdicts(story["verdicts"], width),
            *head("Why it was sent"),
            *evidence(story, width),
        ]


def _gone(order_id: str, width: int) -> list[Line]:
    return [((part, "text"),) for part in wrap(f"{order_id} is no longer listed.", width)]


def _facts(order: OrderView, view: ConsoleView, width: int) -> list[Line]:
    book = view.books.get(order.symbol)
    tick = book.tick if book else None
    facts = [
        ("for", order.purpose),
        ("size", figures.size(order.size)),
        ("filled", figures.size(order.filled)),
        ("price", figures.price(order.price, tick)),
        ("status", order.status.replace("_", " ")),
        ("position", order.position or "–"),
        ("expires", figures.when(order.expires)),
        ("created", figures.when(order.created)),
        ("updated", figures.when(order.updated)),
    ]
    if book and order.price is not None and order.status in _WORKING:
        facts += _place(order, order.price, book)
    kind = order.type.replace("_", " ") + (", post-only" if order.post_only else "")
    title = f"{order.id}  {order.side} {order.symbol} {kind}"
    said = [order.reason] if order.reason else []
    said += [f"unknown at the venue: {order.unknown}"] if order.unknown else []
    told: list[Line] = [((part, "text"),) for text in said for part in wrap(text, width)]
    return [((title, "text+bold"),), *pairs(facts, width), *told]


def _place(order: OrderView, price: Decimal, book: BookView) -> list[tuple[str, str]]:
    """How far the market is from it, and what stands before it in the book on screen."""
    facts = []
    if book.last > 0:
        facts.append(("from last", f"{(float(price) / book.last - 1) * 100:+.2f} %"))
    if order.limit is None:
        return facts
    buys = order.side == "buy"
    levels = book.bids if buys else book.asks
    at = float(price)
    better = sum(size for level, size in levels if (level > at if buys else level < at))
    same = sum(size for level, size in levels if level == at)
    facts.append(("before it", f"{figures.quantity(better)} at better prices"))
    facts.append(("at its price", f"{figures.quantity(same)}, part of it later than ours"))
    return facts


def _followed(found: Sequence[dict[str, Any]], width: int) -> list[Line]:
    """Where the market went: what the fill model can be judged by."""
    lines: list[Line] = []
    for one in found:
        later = ", ".join(f"{mid:.8g} after {seconds:g} s" for seconds, mid in one["later"])
        told = f"mid {one['mid']:.8g} at the fill" + (f"; {later}" if later else "")
        lines += [((part, "quiet"),) for part in wrap(told, width)]
    return lines
