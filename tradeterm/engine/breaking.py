"""Breakers: watches every equity mark, and carries out what a breaker stands for.

daily: pause, lifted by itself on a later UTC day with both losses inside the limit again. losses:
pause for its cool-down, next size halved. weekly: positions cut by half, pause until the operator
has looked. drawdown: everything closed, halt. Nothing here ever loosens a halt, nor a pause that
somebody else ordered.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core, Tripped
from tradeterm.engine.counters import BreakerChange
from tradeterm.engine.trading import Trading
from tradeterm.model.commands import CommandResult, ResetBreaker
from tradeterm.model.money import ZERO
from tradeterm.model.orders import Position
from tradeterm.model.timing import HOUR, MINUTE, day_start
from tradeterm.model.vocabulary import Breaker, BreakerEvent, ExitReason, RunState
from tradeterm.risk.allowances import HUNDRED
from tradeterm.risk.breakers import Bases, Reading, floor_equity, readings
from tradeterm.risk.conduct import LOSSES
from tradeterm.settings.risk import RiskSettings

BREAKER_TIMER = "breaker"
ACTIONS = {
    Breaker.DAILY: "pause",
    Breaker.LOSSES: "pause, next size halved",
    Breaker.WEEKLY: "positions cut by half, pause until reset",
    Breaker.DRAWDOWN: "everything closed, halt until reset",
}


class BreakingState(msgspec.Struct, frozen=True):
    """Breaking, written down."""

    tripped: dict[Breaker, Tripped]
    counted: int
    paused: bool


class Breaking:
    """Trips, carries out, lifts and resets breakers."""

    def __init__(self, core: Core, books: Books, trading: Trading) -> None:
        """Looks at every mark of ``books`` from now on."""
        self._core = core
        self._books = books
        self._trading = trading
        self._settings = core.settings.risk
        self._counted = 0
        """Losses in a row at the last trip: the same ones never trip twice."""
        self._measured: tuple[object, ...] = ()
        """What ``_lowest`` was worked out for: the bases, and the breakers that were tripped, which
        have nothing left to reach."""
        self._lowest = ZERO
        self._risen = ZERO
        """The part of a new high from which it is a loss too large."""
        self.follow(self._settings)
        self._paused = False
        """Whether the pause is a breaker's, and not somebody's who took it over."""
        self._carry_out: dict[Breaker, Callable[[str, str], None]] = {
            Breaker.DAILY: self._pause,
            Breaker.LOSSES: self._pause_after_losses,
            Breaker.WEEKLY: self._cut,
            Breaker.DRAWDOWN: self._close_all,
        }
        books.marking.on_mark = self.check

    def follow(self, settings: RiskSettings) -> None:
        """Other limits from the next mark on."""
        self._settings, self._measured = settings, ()
        least = min(settings.max_daily_loss, settings.max_drawdown)
        self._risen = (HUNDRED - least) / HUNDRED

    def bases(self) -> Bases:
        """What losses are measured from, as of the last mark."""
        marks = self._books.portfolio.marks
        return Bases(
            marks.current, marks.day_start, marks.high(self._core.now), marks.week_start,
            marks.peak, marks.loss_streak,
        )  # fmt: skip

    def quiet_between(self, low: Decimal, high: Decimal) -> bool:
        """Whether no breaker can trip or lift while the equity stays in between."""
        if self._may_lift:
            return False
        # Only the highest of 24 hours and of all can rise meanwhile, and no further than ``high``.
        return low > max(self._floor(), high * self._risen)

    def _floor(self) -> Decimal:
        """``floor_equity``, worked out anew when a base has moved: most marks move none."""
        core, marks = self._core, self._books.portfolio.marks
        high = marks.high(core.stamp.now)
        measured = (marks.day_start, high, marks.week_start, marks.peak, *core.tripped)
        if measured != self._measured:
            self._measured = measured
            self._lowest = floor_equity(self.bases(), self._settings, core.tripped)
        return self._lowest

    @property
    def _may_lift(self) -> bool:
        """Whether a breaker is tripped that lifts by itself."""
        tripped = self._core.tripped
        return bool(tripped) and (Breaker.DAILY in tripped or Breaker.LOSSES in tripped)

    def check(self) -> None:
        """After a mark: trip what is reached, lift what lifts by itself."""
        marks, tripped, most = (
            self._books.portfolio.marks, self._core.tripped, self._settings.max_losses
        )  # fmt: skip
        losses = marks.loss_streak
        if losses < most:
            self._counted = 0
        news = losses >= most and losses > self._counted
        if not news and not self._may_lift and marks.current > self._floor():
            return
        for reading in readings(self.bases(), self._settings):
            if reading.breaker in tripped:
                if self._lifts(reading, tripped[reading.breaker]):
                    self._lift(reading)
            elif reading.reached and self._is_new(reading):
                self._trip(reading)

    def timer(self) -> None:
        """An hour later nothing may be held any more, and a loss may have aged away."""
        self._books.marking.mark()
        self._plan()

    def _plan(self) -> None:
        core = self._core
        dues = []
        if Breaker.DAILY in core.tripped:
            dues.append((core.now // HOUR + 1) * HOUR)
        if Breaker.LOSSES in core.tripped:
            dues.append(max(self._books.conduct.until(LOSSES), core.now + MINUTE))
        if dues:
            core.timers.set(BREAKER_TIMER, min(dues))
        else:
            core.timers.cancel(BREAKER_TIMER)

    def _is_new(self, reading: Reading) -> bool:
        return reading.breaker is not Breaker.LOSSES or reading.used > self._counted

    # -- tripping ------------------------------------------------------------------------------

    def _trip(self, reading: Reading) -> None:
        core, breaker = self._core, reading.breaker
        self._books.marking.write()
        parent = core.journal.last_id("eq")
        row_id = self._written(BreakerEvent.TRIPPED, reading, parent, ACTIONS[breaker])
        core.tripped[breaker] = Tripped(row_id, core.now, reading.used, reading.limit)
        text = f"breaker {breaker}: {_figure(reading)}: {ACTIONS[breaker]}"
        core.risk_alert(f"R-BREAKER-{breaker.upper()}", "critical", text, row_id)
        self._carry_out[breaker](row_id, f"breaker {breaker}: {_figure(reading)}")
        self._plan()

    def _pause(self, row_id: str, reason: str) -> None:
        """No new exposure; what was already halted or paused stays so."""
        core = self._core
        if core.state is RunState.RUNNING:
            core.set_state(RunState.PAUSED, reason, row_id)
            self._paused = True
        self._stop_entries(row_id, reason)

    def _pause_after_losses(self, row_id: str, reason: str) -> None:
        self._counted = self._books.portfolio.marks.loss_streak
        self._books.conduct.halved = True
        self._pause(row_id, reason)

    def _cut(self, row_id: str, reason: str) -> None:
        self._pause(row_id, reason)
        for position in self._held():
            self._books.close(position, ExitReason.BREAKER, row_id, self._half(position))

    def _close_all(self, row_id: str, reason: str) -> None:
        self._core.set_state(RunState.HALTED, reason, row_id)
        self._stop_entries(row_id, reason)
        for position in self._held():
            self._books.close(position, ExitReason.BREAKER, row_id)
        self._core.flattening = True

    def _stop_entries(self, row_id: str, reason: str) -> None:
        self._books.cancel_entries(reason)
        self._trading.void_all(reason, row_id)

    def _held(self) -> list[Position]:
        books = self._books
        positions = list(books.execution.positions.values())
        return [position for position in positions if not books.is_closing(position.id)]

    def _half(self, position: Position) -> Decimal | None:
        """Half of it on the lot grid; all of it where the venue would not take half."""
        instrument = self._core.instruments[position.symbol]
        half = instrument.size(position.size / 2)
        return half if instrument.meets_minimum(half, position.entry) else None

    # -- lifting and resetting -----------------------------------------------------------------

    def _lifts(self, reading: Reading, since: Tripped) -> bool:
        now = self._core.now
        if reading.breaker is Breaker.DAILY:
            return not reading.reached and day_start(now) > day_start(since.ts)
        return reading.breaker is Breaker.LOSSES and self._books.conduct.until(LOSSES) <= now

    def _lift(self, reading: Reading) -> None:
        core, breaker = self._core, reading.breaker
        since = core.tripped.pop(breaker)
        # Losses taken meanwhile lengthened the cool-down that is over now: they count as seen.
        self._counted = self._books.portfolio.marks.loss_streak
        row_id = self._written(BreakerEvent.LIFTED, reading, since.id, "")
        core.risk_alert(f"R-BREAKER-{breaker.upper()}", "info", f"breaker {breaker} lifted", row_id)
        if self._paused and not core.tripped and core.state is RunState.PAUSED:
            self._paused = False
            core.set_state(RunState.RUNNING, f"breaker {breaker} lifted", row_id)

    def taken_over(self) -> None:
        """Somebody paused, halted or resumed: a breaker no longer ends that."""
        self._paused = False

    def reset(self, command: ResetBreaker, command_id: str) -> CommandResult:
        """The operator has looked: what was lost so far no longer counts."""
        core, marks = self._core, self._books.portfolio.marks
        if command.breaker not in set(Breaker):
            known = ", ".join(Breaker)
            return CommandResult(False, f"no breaker {command.breaker!r}; there are {known}")
        breaker = Breaker(command.breaker)
        if breaker not in core.tripped:
            return CommandResult(False, f"breaker {breaker} is not tripped")
        if not command.reason.strip():
            return CommandResult(False, f"breaker {breaker} needs a reason for its reset")
        self._books.marking.mark()
        since = core.tripped.pop(breaker, None)
        if since is None:
            return CommandResult(True, f"breaker {breaker} has just lifted by itself")
        reading = next(r for r in readings(self.bases(), self._settings) if r.breaker is breaker)
        self._written(BreakerEvent.RESET, reading, command_id, command.reason)
        rebase = {
            Breaker.DAILY: marks.rebase_day,
            Breaker.LOSSES: marks.forget_losses,
            Breaker.WEEKLY: marks.rebase_week,
            Breaker.DRAWDOWN: marks.rebase_peak,
        }
        rebase[breaker]()
        self._plan()
        left = ", ".join(core.tripped)
        then = f"still tripped: {left}" if left else f"still {core.state}: resume to trade again"
        return CommandResult(True, f"breaker {breaker} reset; {then}")

    def refusal(self) -> str:
        """Why nobody may resume now."""
        named = ", ".join(f"{breaker} ({_percent(t)})" for breaker, t in self._core.tripped.items())
        return f"tripped: {named}; reset it with a reason first" if named else ""

    def _written(self, what: BreakerEvent, reading: Reading, parent: str, words: str) -> str:
        core = self._core
        row_id = core.journal.new_id("breaker")
        change = BreakerChange(
            core.now, reading.breaker.value, what.value, reading.used, reading.limit, words
        )
        core.journal.write("breaker", row_id, parent, change)
        core.counters.breakers.append(change)
        return row_id

    # -- snapshot ------------------------------------------------------------------------------

    def dump(self) -> BreakingState:
        """For a snapshot."""
        return BreakingState(dict(self._core.tripped), self._counted, self._paused)

    def load(self, state: BreakingState) -> None:
        """Continue as the dumped one would."""
        self._core.tripped = dict(state.tripped)
        self._counted, self._paused = state.counted, state.paused


def _figure(reading: Reading) -> str:
    unit = "" if reading.breaker is Breaker.LOSSES else " %"
    return f"{reading.used:.4g} of {reading.limit}{unit}"


def _percent(tripped: Tripped) -> str:
    return f"{tripped.used:.4g} of {tripped.limit}"
