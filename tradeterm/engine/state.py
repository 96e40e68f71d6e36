"""The engine, written down: what a snapshot holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from tradeterm.engine.adjusting import Override
from tradeterm.engine.analysis import AnalysisState
from tradeterm.engine.books import BooksState
from tradeterm.engine.breaking import BreakingState
from tradeterm.engine.bus import BusState
from tradeterm.engine.counters import Counters
from tradeterm.engine.fidelity import Prints
from tradeterm.engine.journaling import JournalState
from tradeterm.engine.reconciliation import ReconciliationState
from tradeterm.engine.restricting import RestrictingState
from tradeterm.engine.timers import TimersState
from tradeterm.engine.trading import TradingState
from tradeterm.engine.view import EventView, RegimeSpell
from tradeterm.market.market import MarketState
from tradeterm.model.away import Away
from tradeterm.model.drills import Drill
from tradeterm.model.health import Health
from tradeterm.model.ports import Answer, Question
from tradeterm.model.vocabulary import RunState

if TYPE_CHECKING:
    from tradeterm.engine.engine import Engine


class EngineState(msgspec.Struct):
    """Whatever can change a future decision."""

    now: int
    input: int
    inputs: dict[str, int]
    journal: JournalState
    bus: BusState
    timers: TimersState
    counters: Counters
    run_state: RunState
    state_reason: str
    flattening: bool
    events: list[EventView]
    market: MarketState
    books: BooksState
    trading: TradingState
    analysis: AnalysisState
    fidelity: dict[str, Prints]
    reconciliation: ReconciliationState
    breaking: BreakingState
    answers: dict[str, Answer]
    effects: list[Question]
    health: Health | None = None
    away: Away | None = None
    in_gap: bool = False
    drills: dict[Drill, int] = msgspec.field(default_factory=dict)
    overrides: dict[str, Override] = msgspec.field(default_factory=dict)
    restricting: RestrictingState = RestrictingState()
    regimes: dict[str, tuple[RegimeSpell, ...]] = msgspec.field(default_factory=dict)


def written(engine: Engine, answers: Mapping[str, Answer]) -> EngineState:
    """The engine between two inputs; ``answers`` are those that have not entered yet."""
    core = engine.core
    return EngineState(
        now=core.now,
        input=core.stamp.input,
        inputs=engine.input_counts(),
        journal=core.journal.dump(),
        bus=core.bus.dump(),
        timers=core.timers.dump(),
        counters=core.counters,
        run_state=core.state,
        state_reason=core.state_reason,
        flattening=core.flattening,
        events=core.events.dump(),
        market=core.market.dump(),
        books=engine.books.dump(),
        trading=engine.trading.dump(),
        analysis=engine.analysis.dump(),
        fidelity=engine.fidelity.dump(),
        reconciliation=engine.reconciliation.dump(),
        breaking=engine.breaking.dump(),
        answers=dict(answers),
        effects=engine.asked.open(),
        health=core.health,
        away=engine.gap.away,
        in_gap=engine.gap.open,
        drills=engine.drilling.dump(),
        overrides=engine.adjusting.overrides,
        restricting=engine.restricting.dump(),
        regimes=core.regimes.dump(),
    )


def take_over(engine: Engine, state: EngineState) -> None:
    """Everything but the inputs' counts and the answers, which the engine keeps to itself."""
    core = engine.core
    engine.adjusting.load(state.overrides)
    core.stamp.now, core.stamp.input = state.now, state.input
    core.journal.load(state.journal)
    core.bus.load(state.bus)
    core.timers.load(state.timers)
    core.counters = state.counters
    core.state, core.state_reason = state.run_state, state.state_reason
    core.flattening = state.flattening
    core.events.load(state.events)
    core.regimes.load(state.regimes)
    core.market.load(state.market)
    engine.books.load(state.books)
    engine.trading.load(state.trading)
    engine.analysis.load(state.analysis)
    engine.fidelity.load(state.fidelity)
    engine.reconciliation.load(state.reconciliation)
    engine.breaking.load(state.breaking)
    engine.restricting.load(state.restricting)
    core.effects.clear()
    core.effects.extend(state.effects)
    core.health = state.health
    engine.gap.away, engine.gap.open = state.away, state.in_gap
    engine.drilling.load(state.drills)


def hashed(engine: Engine) -> str:
    """Over orders, fills, positions, ledger, coordinator and risk state."""
    parts = (
        engine.core.journal.digest,
        engine.core.state.value,
        engine.books.portfolio.dump(),
        engine.trading.coordinator.dump(),
        sorted(engine.books.execution.positions),
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
