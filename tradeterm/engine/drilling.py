"""Rehearsed failures: each enters by the door the real one would use, and ends by itself.

A drill is ordered by a command, so a restart or a replay rehearses the same. What fails is what
comes from outside (answers, market events, reports of clock and journal, the spend of the day);
the level is only ever what follows from that. In a simulated market only.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from tradeterm.engine.core import Core
from tradeterm.engine.degrading import LINK_DOWN, LINK_UP
from tradeterm.engine.operator import Operator
from tradeterm.engine.telling import Telling
from tradeterm.engine.trading import Trading
from tradeterm.model.commands import CommandResult, ReportHealth, RunDrill
from tradeterm.model.drills import Drill
from tradeterm.model.health import Health
from tradeterm.model.market import (
    BookDelta,
    BookSnapshot,
    Candle,
    FeedNotice,
    News,
    Past,
    Pulse,
    Trade,
)
from tradeterm.model.timing import DAY, SECOND
from tradeterm.model.vocabulary import MarketMode

DRILL_TIMER: Final = "drill"
#: Drills of which models are the subject: while one runs, probes go out.
OF_MODELS: Final = frozenset({Drill.LLM_OUTAGE, Drill.LLM_GARBAGE, Drill.BUDGET})
LONGEST: Final = DAY // SECOND
#: How far a rehearsed figure lies beyond its limit.
BEYOND: Final = 4
_INPUTS: Final[dict[type, str]] = {
    Trade: "trade", BookSnapshot: "snapshot", BookDelta: "delta", Candle: "candle", News: "news",
    Pulse: "pulse", Past: "past",
}  # fmt: skip


class Drilling:
    """Begins and ends drills; knows which are under way."""

    def __init__(
        self,
        core: Core,
        trading: Trading,
        operator: Operator,
        telling: Telling,
        take_turns: Callable[[], None],
    ) -> None:
        """``take_turns`` swaps who takes market events."""
        self._core = core
        self._degrading = trading.degrading
        self._asking = trading.asking
        self._report = operator.report_health
        self._telling = telling
        self._take_turns = take_turns
        self._until: dict[Drill, int] = {}
        self.deaf: dict[type, Callable[..., None]] = dict.fromkeys(_INPUTS, self._unheard)
        """Who takes market events while the market is silent."""
        operator.handles(RunDrill, self.order)

    @property
    def silent(self) -> bool:
        """Whether market events go unheard."""
        return Drill.STALE_DATA in self._until

    def active(self, drill: Drill) -> bool:
        """Whether it is under way."""
        return drill in self._until

    def running(self) -> dict[Drill, int]:
        """What is under way, and until when (market ns)."""
        return dict(self._until)

    # -- the command ---------------------------------------------------------------------------

    def order(self, command: RunDrill, command_id: str) -> CommandResult:
        """Begin a drill, make it last longer or shorter, or end it."""
        drill, seconds = command.drill, command.seconds
        if self._core.mode is not MarketMode.SIM:
            return CommandResult(
                False, f"drills need a simulated market; this is {self._core.mode}"
            )
        if not 0 <= seconds <= LONGEST:
            return CommandResult(False, f"a drill lasts 0 to {LONGEST} s, not {seconds}")
        if not seconds:
            if drill not in self._until:
                return CommandResult(False, f"no drill {drill} is under way")
            self.end(drill, command_id)
            self._plan()
            return CommandResult(True, f"drill {drill} ended")
        begins = drill not in self._until
        self._until[drill] = self._core.now + seconds * SECOND
        self._plan()
        if begins:
            self._core.alert("D-DRILL", "warning", f"drill {drill} begins", command_id)
            self._set(drill, command_id)
        return CommandResult(True, f"drill {drill} for {seconds} s of market time")

    def timer(self) -> None:
        """Somebody's time is over."""
        for drill in [one for one, until in self._until.items() if until <= self._core.now]:
            self.end(drill, "")
        self._plan()

    def _plan(self) -> None:
        if self._until:
            self._core.timers.set(DRILL_TIMER, min(self._until.values()))
        else:
            self._core.timers.cancel(DRILL_TIMER)

    def end(self, drill: Drill, parent: str) -> None:
        """Back to what is really so."""
        del self._until[drill]
        self._core.alert("D-DRILL", "info", f"drill {drill} is over", parent)
        self._set(drill, parent)

    def _set(self, drill: Drill, parent: str) -> None:
        on = drill in self._until
        if drill in OF_MODELS:
            self._rehearse_models(on)
        elif drill is Drill.STALE_DATA:
            self._take_turns()
        elif drill is Drill.API_ERRORS:
            self._telling.say(FeedNotice(self._core.now, "", LINK_DOWN if on else LINK_UP, "drill"))
        else:
            self._report(ReportHealth(health=self._health(), actor="drill"), parent)

    def _rehearse_models(self, on: bool) -> None:
        if Drill.BUDGET in self._until:
            self._degrading.rehearsed = Decimal(1)
        else:
            self._degrading.rehearsed = None
        self._degrading.judge_budget()
        self._asking.rehearsing = bool(OF_MODELS & self._until.keys())
        if on:
            self._asking.probe()
        self._asking.plan_probe()

    def _health(self) -> Health:
        risk = self._core.settings.risk
        skewed, stalled = Drill.CLOCK_SKEW in self._until, Drill.JOURNAL_STALL in self._until
        return Health(
            clock_skew=BEYOND * risk.max_clock_skew if skewed else 0.0,
            journal_lag=BEYOND * risk.max_journal_lag if stalled else 0.0,
            fault="the journal cannot be written (drill)" if stalled else "",
        )

    def _unheard(self, event: Any) -> None:
        """Counted, and nothing else; only the venue's book goes on, or it could never be joined."""
        self._telling.inputs[_INPUTS[type(event)]] += 1
        if isinstance(event, BookDelta):
            self._core.market.symbol(event.symbol).book.delta(event)
        elif isinstance(event, BookSnapshot):
            self._core.market.symbol(event.symbol).book.snapshot(event)

    # -- snapshot ------------------------------------------------------------------------------

    def dump(self) -> dict[Drill, int]:
        """For a snapshot."""
        return dict(self._until)

    def load(self, state: dict[Drill, int]) -> None:
        """Continue as the dumped one would."""
        self._until = dict(state)
        self._asking.rehearsing = bool(OF_MODELS & self._until.keys())
        self._degrading.rehearsed = Decimal(1) if Drill.BUDGET in self._until else None
