"""What the operator has under the cursor: shared by panes and keys."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tradeterm.engine.cardview import CardView
from tradeterm.engine.view import (
    ConsoleView,
    OrderView,
    PositionView,
)


@dataclass(slots=True)
class Choice:
    """The symbol and timeframe shown by book and chart."""

    symbol: str = ""
    timeframe: int = 0

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


class Focus(msgspec.Struct, frozen=True):
    """What a key would act on right now."""

    pane: str = ""
    position: PositionView | None = None
    card: CardView | None = None
    order: OrderView | None = None
    row: str = ""
    """Id of the selected row of the focused pane; empty when it has none."""
    touring: bool = False
    """A line of the guided start is shown."""
    watching: bool = False
    """The engine is another process's: nothing can be ordered from here but a halt."""
