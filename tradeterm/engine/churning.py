"""Entries sent over and over on one symbol switch the deciding agent off until a person acts.

After RTS 6, Article 15(3): what executes without anybody looking ends by itself after a number of
executions, be it the same answer for ever or another one each round. Stops, targets, closes go on.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

from tradeterm.engine.agenda import TRADING, Agenda
from tradeterm.engine.core import Core
from tradeterm.model.orders import OrderRequest
from tradeterm.model.timing import DAY
from tradeterm.model.vocabulary import Side


class Sent(msgspec.Struct, frozen=True):
    """An entry that left."""

    ts: int
    side: Side


class Churning:
    """Counts entries, and how often they change sides, within 24 hours and by symbol."""

    def __init__(self, core: Core, agenda: Agenda) -> None:
        self._core = core
        self._agenda = agenda
        self._sent: dict[str, list[Sent]] = {}
        """By symbol, oldest first."""

    def sent(self, request: OrderRequest) -> None:
        """An entry has left: the last one for now, if that was one too many."""
        core, symbol = self._core, request.symbol
        recent = [one for one in self._sent.get(symbol, ()) if one.ts > core.now - DAY]
        self._sent[symbol] = recent = [*recent, Sent(core.now, request.side)]
        turns = sum(one.side is not other.side for one, other in pairwise(recent))
        throttle = core.settings.risk.throttle
        if turns >= throttle.turns_per_day:
            many = f"turned around {turns} times"
        elif len(recent) >= throttle.entries_per_day:
            many = f"entered {len(recent)} times"
        else:
            return
        self._sent.clear()  # who switches it on again has looked
        self._agenda.enable(TRADING, enabled=False)
        text = f"{symbol} {many} within 24 hours: {TRADING} is off until somebody switches it on"
        core.risk_alert("R-CHURN", "error", text, request.id)

    def dump(self) -> dict[str, list[Sent]]:
        """For a snapshot."""
        return dict(self._sent)

    def load(self, sent: dict[str, list[Sent]]) -> None:
        """Continue as the dumped one would."""
        self._sent = dict(sent)
