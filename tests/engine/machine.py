"""An engine driven by hand: the same loop as the driver's, without a disk, one event at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.engine.approver import Approver
from tradeterm.engine.engine import Engine
from tradeterm.model.commands import Command
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Feed, MarketEvent
from tradeterm.model.messages import Row
from tradeterm.model.vocabulary import MarketMode
from tradeterm.settings.loading import load_settings
from tradeterm.settings.settings import Settings


def settings(*overrides: str) -> Settings:
    return load_settings(None, overrides).settings


def events_of(feed: Feed, until: int | None = None) -> list[MarketEvent]:
    """Everything up to a market time."""
    found: list[MarketEvent] = []
    while batch := feed.take():
        found += batch
        if until is not None and batch[-1].ts > until:
            break
    return [event for event in found if until is None or event.ts <= until]


@dataclass
class Market:
    """A feed's events and what a new engine needs to know about them."""

    chosen: Settings
    feed: Feed
    events: Sequence[MarketEvent]
    approve_all: bool = True

    @classmethod
    def of(
        cls, name: str, hours: float, chosen: Settings, *, seed: int = 7, approve_all: bool = True
    ) -> Market:
        feed = open_feed(name, chosen.market, seed=seed, symbols=None, on_bad="skip")
        return cls(chosen, feed, events_of(feed, feed.start + int(hours * 3_600e9)), approve_all)

    def instruments(self) -> dict[str, Instrument]:
        derived = {one.symbol: one for one in self.feed.derived()}
        market = self.chosen.market
        return {s: market.instrument(s) or derived[s] for s in self.feed.symbols}

    def engine(self) -> Engine:
        """A new one, warm, nothing happened yet."""
        engine = Engine(
            self.chosen,
            self.instruments(),
            self.feed.symbols,
            MarketMode(self.feed.mode),
            7,
            Approver(approve_all=self.approve_all),
        )
        engine.core.market.warm(self.feed.history)
        return engine


@dataclass
class Machine:
    """One life of an engine. ``commands``: event index → what the operator orders before it."""

    market: Market
    commands: dict[int, Command] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    index: int = 0

    def __post_init__(self) -> None:
        self.engine = self.market.engine()
        self.advisor = RulesAdvisor(self.market.chosen.llm)
        self._ordered = -1

    def begin(self) -> Machine:
        self.engine.begin(self.market.feed.start, "run")
        return self

    def restored(self, body: bytes) -> Machine:
        """A new engine that is what ``body`` says, standing where this machine stands."""
        other = Machine(self.market, self.commands, index=self.index)
        other._ordered = self._ordered
        other.engine.load(body)
        return other

    def step(self) -> None:
        """The smallest thing that can happen: an answer, a command, or one event."""
        engine = self.engine
        if engine.effects:
            engine.answer(self.advisor.answer(engine.effects.popleft()))
        elif self.index in self.commands and self._ordered < self.index:
            self._ordered = self.index
            engine.command(self.commands[self.index], engine.now + 1)
        else:
            self.index = engine.run(self.market.events, self.index, self.index + 1)
        self.rows += engine.take_rows()

    def run(self, until: int) -> None:
        """Steps until the event at ``until`` is next and nothing is asked."""
        engine, events = self.engine, self.market.events
        commands = sorted(self.commands)
        while self.index < until or engine.effects:
            if engine.effects or self.index in self.commands:
                self.step()
                continue
            stop = next((c for c in commands if c > self.index), until)
            self.index = engine.run(events, self.index, min(stop, until))
            self.rows += engine.take_rows()

    def plain(self) -> list[tuple[int, str, str, str, int, bytes]]:
        """The rows, comparable."""
        return [(r.ts, r.kind, r.id, r.parent, r.input, bytes(r.body)) for r in self.rows]
