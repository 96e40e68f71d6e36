"""What feeds the degradation level besides answers: the market's age, its link, our clock, the
journal, the day's budget, and the operator.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.coordinator.degradation import Degradation, Source
from tradeterm.engine.core import Core
from tradeterm.engine.counters import LevelChange
from tradeterm.model.commands import CommandResult
from tradeterm.model.health import Health
from tradeterm.model.market import FeedNotice
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Level, MarketMode

WATCH_TIMER: Final = "watch:data"
LINK_TIMER: Final = "link"
LINK_DOWN, LINK_UP = "link_down", "link_up"
CLOCK, JOURNAL, BUDGET = "clock off", "journal behind", "LLM budget"
#: Shares of the day's budget: from the first one word is said, from the second nothing is left.
HALF, ALL = Decimal("0.5"), Decimal(1)


class DegradingState(msgspec.Struct):
    """For a snapshot."""

    link_down: bool
    warned: str = ""


class Degrading:
    """Watches conditions, counts failures of the link, and journals every change of the level."""

    def __init__(self, core: Core, degradation: Degradation) -> None:
        self._core = core
        self._degradation = degradation
        self._settings = core.settings.orchestration.degradation
        self._link_down = False
        self._warned = ""
        """Wall-clock day on which somebody was told that half of the budget is used."""
        self.rehearsed: Decimal | None = None
        """Share of the day's budget that a drill says is used."""

    # -- the market ----------------------------------------------------------------------------

    def watch_data(self) -> None:
        """Stale data makes the system more careful while it lasts."""
        core, degradation = self._core, self._degradation
        changed = False
        for symbol in core.market.symbols:
            if core.market.stale(symbol, core.now):
                level = self._settings.holds.stale_data
                degradation.hold(f"{symbol} data stale", level, "when its data is fresh again")
                changed = True
            elif degradation.holds:
                degradation.release(f"{symbol} data stale")
                changed = True
        if changed:
            self.show()
        self.plan_watch()

    def plan_watch(self) -> None:
        """Look at the data's age again when it can have become stale."""
        core = self._core
        due = core.market.next_watch(core.now)
        if core.mode is MarketMode.LIVE:  # a line breaks and heals between two minutes
            due = min(due, core.now + int(core.settings.market.stale_after * SECOND))
        core.timers.set(WATCH_TIMER, due)

    def notice(self, notice: FeedNotice) -> None:
        """The feed says something; a broken link is a failure of the exchange's API."""
        if notice.code == LINK_DOWN:
            self._link_down = True
            self._link_failed()
        elif notice.code == LINK_UP and self._link_down:
            self._link_down = False
            self._degradation.succeeded(Source.API)  # it healed: the next is not one more in a row
            self.show()

    def _link_failed(self) -> None:
        self._degradation.failed("exchange link", Source.API)
        self.show()
        self._plan_link()

    def look_at_link(self) -> None:
        """While the link is down each look is a failure; a market that flows is a success."""
        core, degradation = self._core, self._degradation
        if self._link_down:
            self._link_failed()
        elif not any(core.market.stale(symbol, core.now) for symbol in core.market.symbols):
            degradation.succeeded(Source.API)
            self.show()
        self._plan_link()

    def _plan_link(self) -> None:
        timers = self._core.timers
        if not (self._link_down or self._degradation.is_lowered(Source.API)):
            timers.cancel(LINK_TIMER)
        elif timers.due(LINK_TIMER) is None:
            timers.set(LINK_TIMER, self._core.now + self._settings.probe * SECOND)

    # -- the machinery -------------------------------------------------------------------------

    def judge_health(self) -> None:
        """After a report: clock and journal hold the level while they are beyond their limits."""
        health, risk = self._core.health or Health(), self._core.settings.risk
        skew, holds = health.clock_skew, self._settings.holds
        off = skew is not None and not abs(skew) <= risk.max_clock_skew
        behind = bool(health.fault) or not health.journal_lag <= risk.max_journal_lag
        self._while(off, CLOCK, holds.clock, "when our clock and the exchange's agree")
        self._while(behind, JOURNAL, holds.journal, "when rows reach the disk again")
        self.show()

    def judge_budget(self) -> None:
        """After an answer: a budget that is nearly spent, or spent, holds the level."""
        used, throttle = self.budget_used(), self._core.settings.llm.throttle / 100
        for cause, is_so in (
            (f"{BUDGET} nearly spent", throttle <= used < ALL),
            (f"{BUDGET} spent: rules only", used >= ALL),
        ):
            level = self._settings.holds.budget
            self._while(is_so, cause, level, "with the first answer of the next UTC day")
        self._warn(used)
        self.show()

    def _warn(self, used: Decimal) -> None:
        """Once a day, before anything is throttled; a drill is no news."""
        day = self._core.counters.llm.day
        if used >= HALF and self.rehearsed is None and day != self._warned:
            self._warned = day
            cap = self._core.settings.llm.daily_cap
            text = f"models have cost {100 * used:.0f} % of the day's ${cap:f}"
            self._core.alert("L-BUDGET", "warning", text)

    def budget_used(self) -> Decimal:
        """Share of what models may cost on this day."""
        if self.rehearsed is not None:
            return self.rehearsed
        llm, counts = self._core.settings.llm, self._core.counters.llm
        if llm.provider == "rules" or not counts.calls:
            return Decimal(0)
        return counts.day_cost / llm.daily_cap if llm.daily_cap else ALL

    @property
    def budget_holds(self) -> bool:
        """Whether only an answer of another day can end it."""
        return self.budget_used() >= self._core.settings.llm.throttle / 100

    def _while(self, is_so: bool, cause: str, level: Level, ends: str) -> None:
        if is_so:
            self._degradation.hold(cause, level, ends)
        else:
            self._degradation.release(cause)

    # -- the operator --------------------------------------------------------------------------

    def wish(self, level: Level, parent: str) -> CommandResult:
        """As careful as the operator wants, or as conditions demand when those want more."""
        before = self._core.level
        reached = self._degradation.wish(level)
        self.show(parent)
        self._plan_link()
        if reached is level:
            return CommandResult(True, f"level {level}" if level is not before else f"is {level}")
        return CommandResult(False, f"stays {reached}: {self._degradation.cause}")

    def show(self, parent: str = "") -> None:
        """Journal a change of the degradation level."""
        core, level = self._core, self._degradation.level
        if level is core.level:
            return
        core.level = level
        cause = self._degradation.cause or "recovered"
        core.counters.degradation.append(LevelChange(core.now, level.value, cause))
        core.journal.write(
            "level", core.journal.new_id("level"), parent, {"level": level.value, "cause": cause}
        )

    # -- snapshot ------------------------------------------------------------------------------

    def dump(self) -> DegradingState:
        """For a snapshot; what a drill rehearses is its own."""
        return DegradingState(self._link_down, self._warned)

    def load(self, state: DegradingState) -> None:
        """Continue as the dumped one would; the level itself is the coordinator's."""
        self._link_down, self._warned = state.link_down, state.warned
        self._core.level = self._degradation.level
