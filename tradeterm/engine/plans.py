"""Carries out plans: batches at their slots, sells before buys, every change a journal row."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence, Set
from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.spotting import SpotOrder, Spotting
from tradeterm.model.commands import CommandResult
from tradeterm.model.money import ZERO, ledger_amount
from tradeterm.model.orders import NO_FUNDS, Order
from tradeterm.model.outputs import RebalanceLeg
from tradeterm.model.timing import MINUTE
from tradeterm.model.vocabulary import (
    AccountBook,
    OrderStatus,
    PlanStatus,
    Purpose,
    RunState,
    Side,
    Timing,
)
from tradeterm.portfolio.plans import SHORT, Plan, draw_up

#: What gave way to trading looks again after this (a card lives two minutes).
RETRY: Final = 5 * MINUTE
TIMER: Final = "plan"
#: Ended plans that are remembered for the screen; the journal has them all.
KEPT: Final = 20


class PlansState(msgspec.Struct):
    """The plan under way and those before it."""

    current: Plan | None
    ended: list[Plan]


class Plans:
    """One plan at a time. A rebalance too small to be spread is one of a single batch."""

    def __init__(
        self, core: Core, books: Books, spotting: Spotting, busy: Callable[[], Set[str]]
    ) -> None:
        """``busy``: symbols on which a trading decision is pending."""
        self.current: Plan | None = None
        self.ended: deque[Plan] = deque(maxlen=KEPT)
        """DCA plans, oldest first."""
        self.on_fruitless: Callable[[], None] = _nobody
        """Told when a plan was given up before anything was filled."""
        self._core = core
        self._books = books
        self._spotting = spotting
        self._busy = busy
        self._sending = False
        """While the orders of a batch go out: what ends meanwhile is looked at afterwards."""
        core.on_state_changed = self._state_changed

    # -- from outside ----------------------------------------------------------------------

    def start(
        self, legs: Sequence[RebalanceLeg], parent: str, timing: Timing = Timing.RULES
    ) -> None:
        """Draw up a plan and send its first batch."""
        core, settings = self._core, self._core.settings.portfolio.dca
        least = {leg.symbol: self._spotting.least(leg.symbol) for leg in legs}
        plan = draw_up("", core.now, parent, legs, settings, least, timing)
        prefix = "plan" if plan.purpose is Purpose.DCA else "rebalance"
        plan = msgspec.structs.replace(plan, id=core.journal.new_id(prefix))
        if plan.purpose is Purpose.DCA:
            core.count(core.counters.plans, "created")
        self._write(plan, "created", parent)
        self.due()

    def due(self) -> None:
        """The plan's timer fired: a slot began, a pause may be over, or it is stale."""
        plan, core = self.current, self._core
        if plan is None or plan.orders:
            return
        if core.now >= plan.expires:
            self._end(plan, PlanStatus.EXPIRED, f"stale after batch {plan.batch}", plan.id)
        elif core.state is not RunState.RUNNING:
            self._set_timer(plan, plan.expires)
        else:
            self._go_on(plan)

    def _go_on(self, plan: Plan) -> None:
        wanted = plan.wanted(self._core.now, self._least(plan))
        symbols = {plan.legs[number].symbol for number in wanted}
        waits_for = sorted(symbols & self._busy())
        if waits_for:
            self._pause(plan, f"a trading decision on {', '.join(waits_for)} is pending", plan.id)
            self._set_timer(plan, min(self._core.now + RETRY, plan.expires))
            return
        plan = self._resumed(plan).begun(self._core.now, wanted)
        if wanted:
            self._write(plan, "batch_sent", plan.id)
            self._send(Side.SELL)
        else:
            self._settle(plan, plan.id)

    def order_ended(self, order: Order) -> None:
        """An order came to its end: the next step of its batch, if it was one of the plan's."""
        plan = self.current
        if plan is None or all(out.id != order.id for out in plan.orders):
            return
        rate = self._books.portfolio.rate(order.request.symbol.split("/")[1])
        value = ledger_amount(order.filled * (order.average or ZERO) * rate)
        reason = "" if order.status is OrderStatus.FILLED else order.reason or order.status.value
        reason = SHORT if reason == NO_FUNDS else reason
        self.current = plan = plan.ended(order.id, value, order.filled, reason)
        if self._sending or plan.orders:
            return
        if self._core.state is RunState.RUNNING:
            plan = self._resumed(plan)
        self._side_done(plan, order.request.side, order.id)

    def cancel(self, plan_id: str, parent: str) -> CommandResult:
        """End the plan: what was bought stays, nothing more is."""
        plan = self.current
        if plan is None or plan.id != plan_id:
            return CommandResult(False, f"no plan {plan_id} under way")
        orders, self.current = plan.orders, None
        for out in orders:
            if out.id in self._books.execution.working:
                self._books.cancel(out.id, f"{plan_id} cancelled")
        self._end(plan, PlanStatus.CANCELLED, f"after batch {plan.batch}", parent)
        return CommandResult(True, f"{plan_id} cancelled; what was bought stays")

    def _state_changed(self, row_id: str) -> None:
        """A halt or pause holds the plan; it goes on when the system does."""
        if self._core.state is RunState.RUNNING:
            self._go_on_again(row_id)
            return
        plan, core, books = self.current, self._core, self._books
        if plan is not None:
            self._pause(plan, core.state.value, row_id)
            self._set_timer(plan, plan.expires)
        for request in books.execution.unsent():
            if request.book is AccountBook.SPOT:
                books.cancel(request.id, core.state.value)

    def _go_on_again(self, row_id: str) -> None:
        plan, core = self.current, self._core
        if plan is None:
            return
        if plan.tried or plan.passed(core.now) > plan.batch:
            self._set_timer(plan, core.now)
        else:
            plan = self._write(plan.resumed(), "resumed", row_id)
            self._set_timer(plan, plan.following or core.now)

    # -- a batch ---------------------------------------------------------------------------

    def _send(self, side: Side) -> None:
        """Send one side of the batch; buys wait for the sells' fills, and all for a halt's end."""
        if self._core.state is not RunState.RUNNING:
            return
        self._sending = True
        try:
            for number in self._plan.tried:
                if self._plan.legs[number].side is side:
                    self._send_leg(number)
        finally:
            self._sending = False
        plan = self._plan
        if not plan.orders:
            self._side_done(plan, side, plan.id)

    def _side_done(self, plan: Plan, side: Side, parent: str) -> None:
        """None of the orders of a side is out any more: buys follow sells, then the batch is over."""
        if side is Side.SELL and any(plan.legs[n].side is Side.BUY for n in plan.tried):
            self._send(Side.BUY)
        else:
            self._settle(plan, parent)

    def _send_leg(self, number: int) -> None:
        plan = self._plan
        leg = plan.legs[number]
        wish = SpotOrder(leg.symbol, leg.side, leg.due(plan.batch), plan.purpose)
        reason = self._spotting.send(wish, plan.id, lambda order_id: self._sent(order_id, number))
        if reason:
            self.current = self._plan.refused(number, reason)

    def _sent(self, order_id: str, number: int) -> None:
        self.current = self._plan.sent(order_id, number)

    @property
    def _plan(self) -> Plan:
        assert self.current is not None
        return self.current

    def _settle(self, plan: Plan, parent: str) -> None:
        """The batch is over: say how, and plan the next one or the end."""
        core, least = self._core, self._least(plan)
        if core.state is not RunState.RUNNING and plan.wanted(core.now, least):
            return  # a halt cut it short: the rest is sent when the system goes on
        if plan.tried:
            plan, failed = plan.settled(core.now, least)
            self._write(plan, "batch_failed" if failed else "batch_filled", parent)
        outcome, following = plan.outcome(least), plan.following
        if outcome is not None:
            self._end(plan, *outcome, parent)
        else:
            self.current = plan
            assert following is not None
            self._set_timer(plan, following)

    # -- what is written -------------------------------------------------------------------

    def _resumed(self, plan: Plan) -> Plan:
        if plan.status is PlanStatus.PAUSED:
            plan = self._write(plan.resumed(), "resumed", plan.id)
        return plan

    def _pause(self, plan: Plan, reason: str, parent: str) -> None:
        if plan.status is not PlanStatus.PAUSED or plan.reason != reason:
            self._write(plan.paused(reason), "paused", parent)

    def _end(self, plan: Plan, status: PlanStatus, reason: str, parent: str) -> None:
        core = self._core
        plan = self._write(plan.over(status, reason), status.value, parent)
        core.timers.cancel(_timer(plan))
        self.current = None
        if status is not PlanStatus.CANCELLED and not any(leg.filled for leg in plan.legs):
            self.on_fruitless()
        if plan.purpose is Purpose.DCA:
            self.ended.append(plan)
            core.count(core.counters.plans, status.value)

    def _write(self, plan: Plan, what: str, parent: str) -> Plan:
        self.current = plan
        kind = "plan" if plan.purpose is Purpose.DCA else "rebalance"
        self._core.journal.write(kind, plan.id, parent, {"what": what, "plan": plan})
        return plan

    def _set_timer(self, plan: Plan, due: int) -> None:
        self._core.timers.set(_timer(plan), due)

    def _least(self, plan: Plan) -> dict[str, Decimal]:
        return {leg.symbol: self._spotting.least(leg.symbol) for leg in plan.legs}

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> PlansState:
        """For a snapshot."""
        return PlansState(self.current, list(self.ended))

    def load(self, state: PlansState) -> None:
        """Continue as the dumped plans would."""
        self.current = state.current
        self.ended = deque(state.ended, maxlen=KEPT)


def _nobody() -> None:
    """Before the rebalancing is attached."""


def _timer(plan: Plan) -> str:
    return f"{TIMER}:{plan.id}"
