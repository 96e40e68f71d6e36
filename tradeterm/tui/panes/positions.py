"""Open positions: what is held, what it earns, where it is protected."""

from __future__ import annotations

from typing import ClassVar

from tradeterm.engine.view import ConsoleView, PositionView
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, Part
from tradeterm.tui.panes.base import ListPane
from tradeterm.tui.panes.columns import Column, fitting, heads, row
from tradeterm.tui.plan import NORMAL

STOP_WIDTH = 10
BY = Column("BY", 5, "<", 7)
COLUMNS = (
    Column("SYMBOL", 9, "<", 0),
    Column("SIDE", 7, "<", 0),
    Column("SIZE", 9, ">", 1),
    Column("ENTRY", 10, ">", 5),
    Column("MARK", 10, ">", 3),
    Column("NET", 8, ">", 2),
    Column("%EQ", 5, ">", 8),
    Column("STOP", STOP_WIDTH, ">", 4),
    BY,
    Column("TARGET", 10, ">", 9),
    Column("LEV", 4, ">", 10),
    Column("PRICE", 8, ">", 11),
    Column("COSTS", 7, ">", 12),
    Column("AGENT", 9, "<", 13),
    Column("HELD", 6, ">", 14),
)
ID = Column("ID", 6, "<", 6)
"""What shell commands and results call it; a narrow terminal says it in the detail."""


#: What the stop in force is, in as many letters as fit.
STOP_KINDS = {"stop": "stop", "trailing": "trail", "break_even": "b-e", "liquidation": "liq"}


class PositionsPane(ListPane):
    """One row per position; book and chart follow the cursor."""

    NAME: ClassVar[str] = "positions"
    KEY: ClassVar[str] = "1"
    TITLE: ClassVar[str] = "Positions"

    def part_of(self, view: ConsoleView) -> object:
        return (view.positions, figures.age(view.status.data_age), view.status.market_time // 10**9)

    def heading(self) -> str:
        return f"Positions {self.counted(len(self.ids()), len(self.view.positions))}"

    def age(self) -> str:
        return f"age {figures.age(self.view.status.data_age)}"

    def hint(self) -> str:
        return "j/k move · x close · X part · m stop · T trail"

    def ids(self) -> list[str]:
        return [
            each.id
            for each in self.view.positions
            if self.passes(each.id, each.symbol, each.side, each.agent)
        ]

    def current(self) -> PositionView | None:
        """The position under the cursor."""
        return next((each for each in self.view.positions if each.id == self.selected), None)

    def selection_changed(self) -> None:
        position = self.current()
        if position:
            self.choice.symbol = position.symbol

    def empty(self) -> tuple[str, ...]:
        return (
            "no open positions",
            "A position appears here when an order fills; its stop and target come in that step.",
        )

    def header(self, width: int) -> list[Line]:
        return [heads(self._columns(), width, self.sideways)]

    def row(self, row_id: str, width: int) -> Line:
        position = next(each for each in self.view.positions if each.id == row_id)
        columns = self._columns()
        kind_shown = bool(self.sideways) or columns.index(BY) in fitting(columns, width)
        cells = self._cells(position, kind_shown)
        return row(columns, cells if self._named else cells[1:], width, self.sideways)

    @property
    def _named(self) -> bool:
        return self.screen.size.width >= NORMAL

    def _columns(self) -> tuple[Column, ...]:
        return (ID, *COLUMNS) if self._named else COLUMNS

    def _cells(self, position: PositionView, kind_shown: bool) -> list[Part]:
        book = self.view.books.get(position.symbol)
        tick = book.tick if book else None
        net = position.net
        gain = "up" if net > 0 else "down" if net < 0 else "text"
        kind = STOP_KINDS.get(position.stop_kind, position.stop_kind)
        long = position.side == "long"
        stop = figures.price(position.stop, tick)
        if kind != "stop" and not kind_shown:
            stop = _marked(stop, kind)
        held = max(0, self.view.status.market_time - position.opened) / 10**9
        return [
            (position.id, "quiet"),
            (position.symbol, "text+bold"),
            (
                "closing" if position.closing else ("▲ " if long else "▼ ") + position.side,
                "warn" if position.closing else "up" if long else "down",
            ),
            (figures.size(position.size), "text"),
            (figures.price(position.entry, tick), "quiet"),
            (figures.price(position.mark, tick), "text"),
            (figures.signed(net), gain),
            (figures.percent(position.percent_equity), "text"),
            (stop, "quiet" if kind == "stop" else "accent"),
            (kind, "quiet" if kind == "stop" else "accent"),
            (figures.price(position.target, tick), "quiet"),
            (f"{position.leverage.normalize():f}×", "quiet"),
            (figures.signed(position.price), "quiet"),
            (figures.money(position.costs), "quiet"),
            (figures.agent(position.agent), "quiet"),
            (figures.age(held if held >= 10 else held // 1 + 0.0), "quiet"),
        ]


def _marked(price: str, kind: str) -> str:
    """The stop's price with its kind as a letter: where BY does not fit colour must not say it."""
    marked = f"{price} {kind[0]}"
    return marked if len(marked) <= STOP_WIDTH else (price.removeprefix("0") + kind[0])
