"""The engine, written down: what a snapshot holds."""

from __future__ import annotations

import msgspec

from tradeterm.engine.analysis import AnalysisState
from tradeterm.engine.books import BooksState
from tradeterm.engine.breaking import BreakingState
from tradeterm.engine.bus import BusState
from tradeterm.engine.counters import Counters
from tradeterm.engine.fidelity import Prints
from tradeterm.engine.journaling import JournalState
from tradeterm.engine.reconciliation import ReconciliationState
from tradeterm.engine.timers import TimersState
from tradeterm.engine.trading import TradingState
from tradeterm.engine.view import EventView
from tradeterm.market.market import MarketState
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.vocabulary import RunState


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
    answers: dict[str, ArbiterAnswer]
    effects: list[ArbiterQuestion]
