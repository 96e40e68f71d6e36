"""Decides whether a rebalance is carried out now: trading goes first, one at a time, once a day."""

from __future__ import annotations

from collections.abc import Callable, Set

import msgspec

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.plans import RETRY, Plans, PlansState
from tradeterm.engine.spotting import Spotting
from tradeterm.engine.timers import task_timer
from tradeterm.model.outputs import AllocationView
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, ConflictType
from tradeterm.risk.conduct import REBALANCE


class RebalancingState(msgspec.Struct):
    """What waits, since when, and the plans."""

    waits: bool
    forced: bool
    earliest: int
    plans: PlansState


class Rebalancing:
    """Acts on the portfolio agent's legs."""

    def __init__(
        self, core: Core, books: Books, spotting: Spotting, busy: Callable[[], Set[str]]
    ) -> None:
        """``busy``: symbols on which a trading decision is pending."""
        self.plans = Plans(core, books, spotting, busy)
        self.plans.on_fruitless = self.allow
        self.waits = False
        """Whether one is due and gave way."""
        self._core = core
        self._conduct = books.conduct
        self._busy = busy
        self._forced = False
        """Whether the operator's word stands for the next look: it need not wait its day."""
        self._earliest = 0
        """When the next one may begin."""

    def act(self, allocation: AllocationView, parent: str) -> None:
        """Begin a rebalance, or none while a decision on one of its symbols is under way."""
        core = self._core
        forced, self.waits, self._forced = self._forced, False, False
        earliest = max(0 if forced else self._earliest, self._conduct.until(REBALANCE))
        if not allocation.legs or self.plans.current is not None or core.now < earliest:
            return
        if not self._busy().isdisjoint(leg.symbol for leg in allocation.legs):
            self.waits, self._forced = True, forced
            core.timers.set(task_timer(AgentName.PORTFOLIO), core.now + RETRY)
            core.count(core.counters.detected, ConflictType.REBALANCE.value)
            core.alert("C-REBALANCE-WAITS", "info", "rebalance waits: trading goes first", parent)
            return
        self._earliest = core.now + core.settings.portfolio.rebalance_interval * SECOND
        self._conduct.rebalanced(core.now)
        core.counters.rebalances += 1
        self.plans.start(allocation.legs, parent, allocation.timing)

    def force(self) -> None:
        """The look that follows need not wait its day, nor its retries while it gives way."""
        self._forced = True

    def allow(self) -> None:
        """The next one need not wait its day: the last came to nothing."""
        self._earliest = 0

    def dump(self) -> RebalancingState:
        """For a snapshot."""
        return RebalancingState(self.waits, self._forced, self._earliest, self.plans.dump())

    def load(self, state: RebalancingState) -> None:
        """Continue as the dumped one would."""
        self.waits, self._forced, self._earliest = state.waits, state.forced, state.earliest
        self.plans.load(state.plans)
