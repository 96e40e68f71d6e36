"""Keys that act on positions, orders and plans; those that ask for an amount ask for it here."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from tradeterm.engine.view import PositionView
from tradeterm.model.commands import (
    BreakEven,
    CancelEntries,
    CancelOrder,
    CancelPlan,
    CloseLosers,
    ClosePosition,
    MoveStop,
    MoveTarget,
    Reconcile,
    ResetBreaker,
    SetTrailing,
)
from tradeterm.tui import figures, moments
from tradeterm.tui.console import Console
from tradeterm.tui.typed import AmountLine, SureLine, amount


class OrderKeys(Console):
    """What an order or position can be told."""

    def action_close_position(self) -> None:
        position = self.focus_now().position
        if position and not self.guarded("close_position"):
            self.send(
                ClosePosition(position_id=position.id),
                f"closing {position.symbol} {position.side} at market",
            )

    def action_close_part(self) -> None:
        position = self.focus_now().position
        if position is None or self.guarded("close_part"):
            return

        def done(text: str) -> None:
            whole = self._as_it_is(position).size
            size = amount(text, whole, position.lot)
            if size is None or size > whole:
                self.say(
                    f"{text!r} is no part of {figures.size(whole)}: nothing was sent",
                    "warning",
                )
                return
            self.send(
                ClosePosition(position_id=position.id, size=size),
                f"closing {figures.size(size)} of {position.symbol} {position.side} at market",
            )

        self._ask_amount(
            f"close how much of {figures.size(position.size)} {position.symbol} (or 50%): ", done
        )

    def action_close_losers(self) -> None:
        if self.guarded("close_losers"):
            return
        losses = moments.losses(self.view)
        many = f"{len(losses)} position{'s' if len(losses) != 1 else ''}"
        lost = f"{figures.money(sum(losses))} {self.view.status.currency}"
        self._make_sure(
            f"close {many} that would lose, realising {lost}: ",
            lambda: self.send(CloseLosers(), "closing every position that would lose money now"),
        )

    def action_move_stop(self) -> None:
        position = self.focus_now().position
        if position is None or self.guarded("move_stop"):
            return

        def done(text: str) -> None:
            price = amount(text)
            if price is None:
                self.say(f"{text!r} is no price: nothing was sent", "warning")
            elif _is_tighter(self._as_it_is(position), price):
                self._move_stop(position, price)
            else:
                self._confirm_looser(position, price)

        self._ask_amount(f"stop of {self._place(position, position.stop)}: ", done)

    def _move_stop(self, position: PositionView, price: Decimal) -> None:
        self.send(
            MoveStop(position_id=position.id, price=price),
            f"moving the stop of {position.symbol} to {self._price(position, price)}",
        )

    def _confirm_looser(self, position: PositionView, price: Decimal) -> None:
        """Farther from the market raises risk: that takes a y."""
        there = self._price(position, self._as_it_is(position).stop)
        self._make_sure(
            f"{self._price(position, price)} is farther away than {there}: ",
            lambda: self._move_stop(position, price),
        )

    def action_move_target(self) -> None:
        position = self.focus_now().position
        if position is None or self.guarded("move_target"):
            return

        def done(text: str) -> None:
            price = None if text == "none" else amount(text)
            if price is None and text != "none":
                self.say(f"{text!r} is no price: nothing was sent", "warning")
                return
            self.send(
                MoveTarget(position_id=position.id, price=price),
                f"moving the target of {position.symbol} to {self._price(position, price)}",
            )

        self._ask_amount(f"target of {self._place(position, position.target)} (or none): ", done)

    def action_break_even(self) -> None:
        position = self.focus_now().position
        if position and not self.guarded("break_even"):
            self.send(
                BreakEven(position_id=position.id),
                f"moving the stop of {position.symbol} to break-even",
            )

    def action_trailing(self) -> None:
        position = self.focus_now().position
        if position and not self.guarded("trailing"):
            on = not position.trailing
            self.send(
                SetTrailing(position_id=position.id, on=on),
                f"trailing stop of {position.symbol} {'on' if on else 'off: the stop stays'}",
            )

    def action_cancel_order(self) -> None:
        order = self.focus_now().order
        if order and not self.guarded("cancel_order"):
            self.send(CancelOrder(order_id=order.id), f"cancelling {order.id}")

    def action_cancel_entries(self) -> None:
        if not self.guarded("cancel_entries"):
            self.send(CancelEntries(), "cancelling all working entries; protection stays")

    def action_cancel_plan(self) -> None:
        plan = moments.plan_under_way(self.view)
        if plan is None or self.guarded("cancel_plan"):
            return
        left = f"{figures.money(plan.amount - plan.filled)} of {figures.money(plan.amount)}"
        self._make_sure(
            f"end {plan.id} for good, {left} {self.view.status.currency} stay undone: ",
            lambda: self.send(
                CancelPlan(plan_id=plan.id), f"ending {plan.id}; what was bought stays"
            ),
        )

    def action_reconcile(self) -> None:
        if not self.guarded("reconcile"):
            self.send(Reconcile(), "comparing with the venue")

    def action_reset_breaker(self) -> None:
        breaker = moments.tripped(self.view)
        if not breaker or self.guarded("reset_breaker"):
            return

        def done(reason: str) -> None:
            self.send(ResetBreaker(breaker=breaker, reason=reason), f"resetting {breaker}")

        self._ask_amount(f"reset breaker {breaker}, because: ", done)

    def action_what_if(self) -> None:
        from tradeterm.tui.screens.whatif import EXAMPLE, parsed, what_if_page

        symbol = self.choice.symbol

        def done(text: str) -> None:
            try:
                asked = parsed(text, symbol)
            except ValueError as error:
                self.say(str(error), "warning")
                return
            self.open_page("What if", what_if_page(text, asked, self.session.what_if(asked)))

        self.type_in(
            AmountLine(
                f"what if, {symbol}, e.g. {EXAMPLE}: ", done, self._left, "asks risk, sends nothing"
            )
        )

    def _ask_amount(self, label: str, done: Callable[[str], None]) -> None:
        self.type_in(AmountLine(label, done, self._left))

    def _make_sure(self, label: str, done: Callable[[], None]) -> None:
        """Done when ``y`` is typed; anything else, and silence, is No."""
        now = self.clock()
        self.type_in(
            SureLine(
                label,
                done,
                self._left,
                now + self.options.arm_delay,
                now + self.options.question_timeout,
                self.clock,
            )
        )

    def _left(self) -> None:
        self.say("nothing was sent")

    def _as_it_is(self, position: PositionView) -> PositionView:
        """The position now: while a line is typed its stop trails and parts of it close."""
        return next((each for each in self.view.positions if each.id == position.id), position)

    def _price(self, position: PositionView, price: Decimal | None) -> str:
        """At the places of its tick; what is finer is shown in full, for the engine to refuse."""
        book = self.view.books.get(position.symbol)
        on_tick = book is not None and price is not None and price % book.tick == 0
        return figures.price(price, book.tick if book and on_tick else None)

    def _place(self, position: PositionView, level: Decimal | None) -> str:
        """``BTC/USDT long, now 60,100.0, mark 61,000.0``."""
        return (
            f"{position.symbol} {position.side}, now {self._price(position, level)}, "
            f"mark {self._price(position, position.mark)}"
        )


def _is_tighter(position: PositionView, price: Decimal) -> bool:
    """Nearer to the market than the stop in force."""
    return price >= position.stop if position.side == "long" else price <= position.stop
