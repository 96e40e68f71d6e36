"""Keys on the market's pace: stop, speed, steps, jumps. What trades is the same at any of them."""

from __future__ import annotations

import math

from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.walking import Goal
from tradeterm.tui import figures
from tradeterm.tui.console import Console

SPEEDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, math.inf)


class MarketKeys(Console):
    """What only changes how fast the market goes."""

    def action_market(self) -> None:
        if self.view.status.mode == "LIVE":
            self.freeze(not self.deck.notice.frozen)
            return
        self.market_stopped = not self.market_stopped
        self.session.set_paused(self.market_stopped)
        self.say("the market stands still" if self.market_stopped else "the market runs again")

    def action_faster(self) -> None:
        self.change_speed(1)

    def action_slower(self) -> None:
        self.change_speed(-1)

    def change_speed(self, by: int) -> None:
        """One step along the speeds."""
        if by > 0:
            self.speed = next((each for each in SPEEDS if each > self.speed), math.inf)
        else:
            self.speed = next((each for each in reversed(SPEEDS) if each < self.speed), 1.0)
        self.session.set_speed(self.speed)
        held = " once the card is decided" if self.view.status.waiting_for_operator else ""
        if self.market_stopped:
            held = " once space starts it"
        self.say(f"market speed {figures.speed(self.speed)}{held}")

    # -- steps and jumps -----------------------------------------------------------------------

    def action_step_event(self) -> None:
        self._walk(Goal.EVENT)

    def action_step_second(self) -> None:
        self._walk(Goal.SECOND)

    def action_step_bar(self) -> None:
        self._walk(Goal.BAR)

    def action_jump_conflict(self) -> None:
        self._walk(Goal.CONFLICT)

    def action_jump_fill(self) -> None:
        self._walk(Goal.FILL)

    def action_jump_warning(self) -> None:
        self._walk(Goal.WARNING)

    def _walk(self, goal: Goal) -> None:
        """What it does is on the screen while it does it, and why it ended after that."""
        self.session.walk(goal, self.choice.timeframe * SECOND or MINUTE)
        self.say("")

    def stop_walking(self) -> None:
        """The market stands where it has come to."""
        self.session.set_paused(True)
        self.say("stopped on the way: the market stands still")
