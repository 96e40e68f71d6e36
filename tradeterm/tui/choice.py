"""What the operator has under the cursor: shared by panes and keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from tradeterm.engine.cardview import CardView
from tradeterm.engine.view import (
    ConsoleView,
    OrderView,
    PositionView,
)


class Focus(msgspec.Struct, frozen=True):
    """What a key would act on right now."""

    pane: str = ""
    position: PositionView | None = None
    card: CardView | None = None
    order: OrderView | None = None
    row: str = ""
    """Id of the selected row of the focused pane; empty when it has none."""
    search: str = ""
    """What was last searched for in the focused pane."""
    remembers: bool = False
    """There is a file to keep the layout in."""
    touring: bool = False
    """A line of the guided start is shown."""
    watching: bool = False
    """The engine is another process's: nothing can be ordered from here but a halt."""


@dataclass(slots=True)
class Choice:
    """What book and chart show, and how."""

    symbol: str = ""
    timeframe: int = 0
    follows: bool = True
    """Whether book and chart follow the cursor of the lists."""
    grouping: int = 1
    """Ticks in one line of the book."""
    indicators: bool = True
    """Whether the chart shows averages, entries, stops and targets."""
    closes: bool = False
    """A line of closes instead of candles."""
    focus: Callable[[], Focus] = Focus
    """What a key would act on right now; the console says it."""

    def follow(self, symbol: str) -> None:
        """The cursor went to a row of this symbol."""
        if self.follows:
            self.symbol = symbol

    def settle(self, view: ConsoleView) -> None:
        """Choose the first symbol, and its finest timeframe, when the choice does not exist."""
        if self.symbol not in view.symbols and view.symbols:
            self.symbol = view.symbols[0]
        frames = self.timeframes(view)
        if frames and self.timeframe not in frames:
            self.timeframe = frames[0]

    def timeframes(self, view: ConsoleView) -> list[int]:
        """Timeframes the chosen symbol has a chart for, ascending."""
        return sorted(frame for symbol, frame in view.charts if symbol == self.symbol)

    def step_symbol(self, view: ConsoleView, by: int) -> None:
        """The next (or previous) symbol, round and round."""
        if view.symbols:
            at = view.symbols.index(self.symbol) if self.symbol in view.symbols else -by
            self.symbol = view.symbols[(at + by) % len(view.symbols)]
            self.settle(view)

    def step_timeframe(self, view: ConsoleView, by: int) -> None:
        """A coarser (or finer) timeframe, stopping at the ends."""
        frames = self.timeframes(view)
        if frames:
            at = frames.index(self.timeframe) if self.timeframe in frames else 0
            self.timeframe = frames[min(len(frames) - 1, max(0, at + by))]
