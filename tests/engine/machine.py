"""An engine driven by hand: the same loop as the driver's, without a disk, one event at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import overload

from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.engine.approver import Approver
from tradeterm.engine.engine import Engine
from tradeterm.engine.quiet import ALL
from tradeterm.model.commands import Command
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Feed, MarketEvent
from tradeterm.model.messages import Row
from tradeterm.model.ports import ArbiterQuestion
from tradeterm.model.vocabulary import MarketMode
from tradeterm.settings.loading import load_settings
from tradeterm.settings.settings import Settings


def settings(*overrides: str) -> Settings:
    return load_settings(None, overrides).settings


class Events(Sequence[MarketEvent]):
    """Everything a feed has up to a market time; ``at`` gives its own batches back."""

    def __init__(self, feed: Feed, until: int) -> None:
        self._batches: list[Sequence[MarketEvent]] = []
        self._begins = [0]
        while batch := feed.take():
            count = bisect_right(batch, until, key=attrgetter("ts"))
            self._batches.append(batch if count == len(batch) else batch[:count])
            self._begins.append(self._begins[-1] + count)
            if count < len(batch):
                break

    def at(self, index: int) -> tuple[Sequence[MarketEvent], int]:
        """The batch that holds a position, and where it begins."""
        number = bisect_right(self._begins, index) - 1
        return self._batches[number], self._begins[number]

    def __len__(self) -> int:
        return self._begins[-1]

    @overload
    def __getitem__(self, index: int) -> MarketEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MarketEvent]: ...
    def __getitem__(self, index: int | slice) -> MarketEvent | Sequence[MarketEvent]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        batch, begin = self.at(index)
        return batch[index - begin]


@dataclass
class Market:
    """A feed's events and what a new engine needs to know about them."""

    chosen: Settings
    feed: Feed
    events: Events
    approve_all: bool = True

    @classmethod
    def of(
        cls, name: str, hours: float, chosen: Settings, *, seed: int = 7, approve_all: bool = True
    ) -> Market:
        feed = open_feed(name, chosen.market, seed=seed, symbols=None, on_bad="skip")
        return cls(chosen, feed, Events(feed, feed.start + int(hours * 3_600e9)), approve_all)

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
    """One life of an engine. ``commands``: event index → what the operator orders before it.

    ``most``: the work of so many events at once.
    """

    market: Market
    commands: dict[int, Command] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    index: int = 0
    most: int = ALL

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
            question = engine.effects[0]
            assert isinstance(question, ArbiterQuestion), "rules speak for the agents here"
            engine.answer(self.advisor.answer(question))
        elif self.index in self.commands and self._ordered < self.index:
            self._ordered = self.index
            engine.command(self.commands[self.index], engine.now + 1)
        else:
            self._take(self.index + 1)
        self.rows += engine.take_rows()

    def _take(self, stop: int) -> None:
        """Events up to ``stop``, or to the end of the batch they came in."""
        batch, begin = self.market.events.at(self.index)
        end = min(stop - begin, len(batch))
        self.index = begin + self.engine.run(batch, self.index - begin, end, self.most)

    def run(self, until: int) -> None:
        """Steps until the event at ``until`` is next and nothing is asked."""
        engine = self.engine
        commands = sorted(self.commands)
        while self.index < until or engine.effects:
            if engine.effects or self.index in self.commands:
                self.step()
                continue
            stop = next((c for c in commands if c > self.index), until)
            self._take(min(stop, until))
            self.rows += engine.take_rows()

    def plain(self) -> list[tuple[int, str, str, str, int, bytes]]:
        """The rows, comparable."""
        return [(r.ts, r.kind, r.id, r.parent, r.input, bytes(r.body)) for r in self.rows]
