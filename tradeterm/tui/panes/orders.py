"""Orders: working ones first, then what became of the others."""

from __future__ import annotations

from typing import ClassVar

from tradeterm.engine.view import ConsoleView, OrderView
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, Part
from tradeterm.tui.moments import WORKING
from tradeterm.tui.panes.base import ListPane
from tradeterm.tui.panes.columns import Column, as_wide, heads, row

COLUMNS = (
    Column("ORDER", 6, "<", 8, pinned=True),
    Column("SYMBOL", 9, "<", 0, pinned=True),
    Column("SIDE", 4, "<", 0),
    Column("TYPE", 11, "<", 4),
    Column("FOR", 7, "<", 1),
    Column("SIZE", 9, ">", 5),
    Column("FILLED", 9, ">", 7),
    Column("PRICE", 10, ">", 6),
    Column("STATUS", 11, "<", 2),
    Column("AGE", 6, ">", 3),
)
_ROLES = {
    "filled": "up",
    "rejected": "error",
    "error": "error",
    "cancelled": "quiet",
    "expired": "quiet",
    "partially_filled": "warn",
}


def _status(order: OrderView) -> Part:
    words: str = order.status
    if words == "partially_filled":
        share = int(order.filled / order.size * 100)
        words = f"{min(99, max(1, share))}% filled"
    return words, _ROLES.get(order.status, "text")


class OrdersPane(ListPane):
    """One row per order."""

    NAME: ClassVar[str] = "orders"
    KEY: ClassVar[str] = "7"
    TITLE: ClassVar[str] = "Orders"
    HINTS = (
        ("cancel_order", "cancel"),
        ("cancel_entries", "cancel entries"),
        ("detail", "detail"),
        ("copy_id", "copy"),
    )

    def part_of(self, view: ConsoleView) -> object:
        status = view.status
        second = status.market_time // 10**9
        return view.orders, status.state, second, figures.age(status.data_age)

    def heading(self) -> str:
        if self.filter:
            return f"Orders {self.counted(len(self.ids()), len(self.view.orders))}"
        working = sum(order.status in WORKING for order in self.view.orders)
        return f"Orders ({working if self.view.status.known else '–'} working)"

    def age(self) -> str:
        return f"age {figures.age(self.view.status.data_age)}"

    def ids(self) -> list[str]:
        return [
            each.id
            for each in self.view.orders
            if self.passes(each.id, each.symbol, each.status, each.purpose, each.type)
        ]

    def current(self) -> OrderView | None:
        """The order under the cursor."""
        return next((each for each in self.view.orders if each.id == self.selected), None)

    def selection_changed(self) -> None:
        order = self.current()
        if order:
            self.choice.follow(order.symbol)

    def empty(self) -> tuple[str, ...]:
        return (
            "no orders yet",
            "Entries, stops and targets appear here as soon as risk lets one through.",
        )

    def header(self, width: int) -> list[Line]:
        return [heads(self.columns(), width, self.sideways)]

    def columns(self) -> tuple[Column, ...]:
        """Names as wide as they are."""
        held, (name, symbol, *others) = self.view.orders, COLUMNS
        return (
            as_wide(name, (each.id for each in held)),
            as_wide(symbol, (each.symbol for each in held)),
            *others,
        )

    def row(self, row_id: str, width: int) -> Line:
        order = next(each for each in self.view.orders if each.id == row_id)
        return row(self.columns(), self._cells(order), width, self.sideways)

    def _cells(self, order: OrderView) -> list[Part]:
        book = self.view.books.get(order.symbol)
        live = order.status in WORKING
        since = order.created if live else order.updated
        age = max(0, self.view.status.market_time - since) // 10**9 + 0.0
        role = "text" if live else "quiet"
        return [
            (order.id, "quiet"),
            (order.symbol, "text+bold" if live else "quiet"),
            (order.side, ("up" if order.side == "buy" else "down") if live else "quiet"),
            (order.type.replace("_", " "), role),
            (order.purpose, role),
            (figures.size(order.size), role),
            (figures.size(order.filled), role),
            (figures.price(order.price, book.tick if book else None), role),
            ("unknown", "error") if order.unknown else _status(order),
            (figures.age(age), "quiet"),
        ]
