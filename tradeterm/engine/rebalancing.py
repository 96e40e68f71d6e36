"""Carries out a rebalance: spot orders towards the targets, each with a verdict of its own."""

from __future__ import annotations

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.judging import Judging
from tradeterm.engine.timers import task_timer
from tradeterm.model.outputs import AllocationView, RebalanceLeg
from tradeterm.model.timing import MINUTE
from tradeterm.model.vocabulary import AgentName, ConflictType, Purpose, Side
from tradeterm.risk.spot import SpotWish

#: A rebalance that gave way to trading looks again after this (a card lives two minutes).
RETRY = 5 * MINUTE


class Rebalancing:
    """Acts on the portfolio agent's legs; trading on the same symbols goes first."""

    def __init__(self, core: Core, books: Books, judging: Judging) -> None:
        self._core = core
        self._books = books
        self._judging = judging
        self.waits = False
        """Whether one is due and gave way."""

    def act(self, allocation: AllocationView, busy: set[str], parent: str) -> None:
        """Send every leg, or none while a decision on one of its symbols is under way."""
        core = self._core
        self.waits = any(leg.symbol in busy for leg in allocation.legs)
        if self.waits:
            core.timers.set(task_timer(AgentName.PORTFOLIO), core.now + RETRY)
            core.count(core.counters.detected, ConflictType.REBALANCE.value)
            core.alert("C-REBALANCE-WAITS", "info", "rebalance waits: trading goes first", parent)
        elif allocation.legs:
            core.counters.rebalances += 1
            for leg in allocation.legs:
                self._send(leg, parent)

    def _send(self, leg: RebalanceLeg, parent: str) -> None:
        core, account = self._core, self._books.account()
        side = Side.BUY if leg.notional > 0 else Side.SELL
        quotes = account.asks if side is Side.BUY else account.bids
        instrument = core.instruments[leg.symbol]
        price, rate = quotes.get(leg.symbol), account.rates.get(instrument.quote)
        if price is None or rate is None:
            core.alert("C-NO-PRICE", "warning", f"{leg.symbol} has no price: leg left out", parent)
            return
        size = instrument.size(abs(leg.notional) / rate / price)
        verdict = self._judging.spot(SpotWish(leg.symbol, side, size, price), parent)
        if verdict.intent is None:
            return
        request = self._books.execution.spot_request(
            leg.symbol, side, verdict.intent.size, Purpose.REBALANCE, core.now, verdict.id
        )
        self._judging.send(verdict, request)
