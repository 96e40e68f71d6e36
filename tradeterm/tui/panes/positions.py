"""Open positions: what is held, what it earns, where it is protected."""

from __future__ import annotations

from typing import ClassVar

from tradeterm.engine.view import ConsoleView, PositionView
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, Part
from tradeterm.tui.panes.base import ListPane
from tradeterm.tui.panes.columns import Column, as_wide, fitting, heads, row
from tradeterm.tui.plan import NORMAL

BY = Column("BY", 5, "<", 7)
COLUMNS = (
    Column("SYMBOL", 9, "<", 0, pinned=True),
    Column("SIDE", 7, "<", 0),
    Column("SIZE", 9, ">", 1),
    Column("ENTRY", 10, ">", 5),
    Column("MARK", 10, ">", 3),
    Column("NET", 8, ">", 2),
    Column("%EQ", 5, ">", 8),
    Column("STOP", 10, ">", 4),
    BY,
    Column("TARGET", 10, ">", 9),
    Column("LEV", 4, ">", 10),
    Column("PRICE", 8, ">", 11),
    Column("COSTS", 7, ">", 12),
    Column("AGENT", 9, "<", 13),
    Column("HELD", 6, ">", 14),
)
ID = Column("ID", 6, "<", 6, pinned=True)
"""What shell commands and results call it; a narrow terminal says it in the detail."""


#: Columns that do not change with every price.
STEADY = frozenset({"ID", "SYMBOL", "SIDE", "SIZE", "ENTRY", "STOP"})
#: What the stop in force is, in as many letters as fit.
STOP_KINDS = {"stop": "stop", "trailing": "trail", "break_even": "b-e", "liquidation": "liq"}


class PositionsPane(ListPane):
    """One row per position; book and chart follow the cursor."""

    NAME: ClassVar[str] = "positions"
    KEY: ClassVar[str] = "1"
    TITLE: ClassVar[str] = "Positions"

    HINTS = (
        ("down up", "move"),
        ("close_position", "close"),
        ("close_part", "part"),
        ("move_stop", "stop"),
        ("trailing", "trail"),
        ("copy_id", "copy"),
    )

    _laid: tuple[Column, ...] = COLUMNS

    def part_of(self, view: ConsoleView) -> object:
        return (view.positions, figures.age(view.status.data_age), view.status.market_time // 10**9)

    def heading(self) -> str:
        return f"Positions {self.counted(len(self.ids()), len(self.view.positions))}"

    def age(self) -> str:
        return f"age {figures.age(self.view.status.data_age)}"

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
            self.choice.follow(position.symbol)

    def empty(self) -> tuple[str, ...]:
        return (
            "no open positions",
            "A position appears here when an order fills; its stop and target come in that step.",
        )

    def header(self, width: int) -> list[Line]:
        self._laid = self._fitted()
        return [heads(self._laid, width, self.sideways)]

    def row(self, row_id: str, width: int) -> Line:
        position = next(each for each in self.view.positions if each.id == row_id)
        columns = self._laid
        kind_shown = bool(self.sideways) or columns.index(BY) in fitting(columns, width)
        cells = self._cells(position, kind_shown)
        return row(columns, cells if self._named else cells[1:], width, self.sideways)

    @property
    def _named(self) -> bool:
        return self.screen.size.width >= NORMAL

    def columns(self) -> tuple[Column, ...]:
        return self._laid

    def _fitted(self) -> tuple[Column, ...]:
        """What does not move with the market is as wide as it is; the rest keeps its width."""
        rows = [self._cells(each, False) for each in self.view.positions]
        columns = tuple(
            as_wide(column, (cells[at][0] for cells in rows)) if column.head in STEADY else column
            for at, column in enumerate((ID, *COLUMNS))
        )
        return columns if self._named else columns[1:]

    def _cells(self, position: PositionView, kind_shown: bool) -> list[Part]:
        book = self.view.books.get(position.symbol)
        tick = book.tick if book else None
        net = position.net
        gain = "up" if net > 0 else "down" if net < 0 else "text"
        kind = STOP_KINDS.get(position.stop_kind, position.stop_kind)
        long = position.side == "long"
        stop = figures.price(position.stop, tick)
        if kind != "stop" and not kind_shown:
            stop = f"{stop} {kind[0]}"  # colour alone must not say it
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
