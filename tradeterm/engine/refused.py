"""Wishes a breaker has refused: the same one again, a day long, is neither proposed nor judged.

A desk halted by a breaker stays so until its operator resets it, for months of a replay if nobody
does, and no reduction of a trade changes that. One refusal a day, symbol and side says why.
"""

from __future__ import annotations

import msgspec

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.timing import DAY
from tradeterm.model.vocabulary import Action, PositionSide, RunState

_SIDES = {Action.BUY: PositionSide.LONG, Action.SELL: PositionSide.SHORT}


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """On what a wish was refused: while all of this is the same, so is the answer."""

    day: int
    """UTC days since 1970."""
    state: str
    """The row that last changed the run state; the next: the last breaker's."""
    breaker: str
    revision: int
    """Of the books."""
    settings: str
    """Of the limits, where they were changed under way."""


class Refused:
    """The last refusal of each side of a symbol under a standing breaker."""

    def __init__(self, core: Core, books: Books) -> None:
        self._core = core
        self._books = books
        self._known: dict[str, Refusal] = {}

    def again(self, symbol: str, action: Action) -> bool:
        """Whether an entry was refused already, and nothing has happened since."""
        side = _SIDES.get(action)
        return side is not None and self._known.get(f"{symbol} {side}") == self._now()

    def note(self, intent: TradeIntent) -> None:
        """A wish was vetoed; what is refused of a running desk may be allowed next time."""
        if self._core.state is not RunState.RUNNING and self._core.tripped:
            self._known[f"{intent.symbol} {intent.side}"] = self._now()

    def _now(self) -> Refusal:
        journal = self._core.journal
        return Refusal(
            self._core.now // DAY, journal.last_id("state"), journal.last_id("breaker"),
            self._books.revision, self._core.settings_mark,
        )  # fmt: skip

    def dump(self) -> dict[str, Refusal]:
        """For a snapshot."""
        return dict(self._known)

    def load(self, state: dict[str, Refusal]) -> None:
        """Continue as the dumped ones would."""
        self._known = dict(state)
