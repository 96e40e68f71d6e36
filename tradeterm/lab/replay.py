"""Living a recorded run again: the same market, keys and answers, into a second book of record."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tradeterm import __version__
from tradeterm.adapters.advisors.drilled import DrilledAdvisor
from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import Slice, Snapshot, StoredRow
from tradeterm.adapters.tape.about import ABOUT
from tradeterm.adapters.tape.recorded import RecordedFeed
from tradeterm.engine.engine import Engine
from tradeterm.engine.summary import summarise
from tradeterm.errors import DataError, RunMismatch
from tradeterm.lab.recollection import Recollection
from tradeterm.model.commands import AbsorbExit, ApproveCard, Command, RecordedCommand
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Feed, FeedMark, MarketEvent
from tradeterm.model.messages import Row
from tradeterm.model.vocabulary import MarketMode
from tradeterm.rerun import SESSION_KINDS
from tradeterm.sessions import RUN_ROW, approver, recorded_settings
from tradeterm.settings.settings import Settings

_command = msgspec.json.Decoder(RecordedCommand).decode
#: Rows after which a slice is written.
ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Point:
    """Something of the journal that happened to the engine: a command, a new session, the end."""

    input: int
    """Inputs taken before it."""
    ts: int
    kind: str
    body: bytes = b""


@dataclass(slots=True)
class Lived:
    """How living it again ended."""

    summary: dict[str, Any]
    unheard: int
    """Questions that nobody had been asked then: their fallbacks applied."""
    rebound: int
    """Approvals given to a card that reads differently now."""


class Replay:
    """One recorded run, executed again."""

    def __init__(
        self,
        recorded: Reader,
        *,
        changed: Callable[[dict[str, Any]], Settings] | None = None,
        feed: str | None = None,
        report: Callable[[int, int], None] | None = None,
    ) -> None:
        """``changed`` makes other settings of a session's: a what-if. ``feed``: where the market
        is now, when not where it was. ``report`` hears (inputs done, inputs in all).

        Raises DataError or RunMismatch when the market of the run is not to be had.
        """
        self._recorded = recorded
        self._changed = changed
        self._report = report
        info = recorded.run_info()
        self._started: dict[str, Any] = info["started"]
        self._session: dict[str, Any] = self._started
        self._first, self._last = info["first_seq"], info["last_seq"]
        self._points = deque(_points(recorded))
        self._total = self._points[-1].input
        self.feed = _market_of(recorded, self._started, feed)
        self._memory = Recollection(recorded, strict=changed is None)
        self._settings = self._settings_of(self._started)
        self._engine = self._new_engine()
        self._batch: Sequence[MarketEvent] = []
        self._index = 0
        self._rows: list[Row] = []
        self._rebound = 0

    async def run(self, into: Path) -> Lived:
        """Live it; everything that follows is written to a new store at ``into``."""
        store = await Store.open(into)
        try:
            await self._begin(store)
            while self._points:
                point = self._points.popleft()
                await self._reach(point, store)
                self._apply(point)
            await self._write(store)
            lived = Lived(self._summary(), self._memory.unheard, self._rebound)
            await self._end(store, lived)
        finally:
            self.feed.close()
            await store.close()
        return lived

    # -- the engine ------------------------------------------------------------------------

    def _settings_of(self, session: dict[str, Any]) -> Settings:
        if self._changed is not None:
            return self._changed(session["settings"])
        return recorded_settings(session)

    def _new_engine(self) -> Engine:
        instruments = {
            symbol: msgspec.convert(steps, Instrument)
            for symbol, steps in self._started["instruments"].items()
        }
        identity = self._started["identity"]
        engine = Engine(
            self._settings,
            instruments,
            tuple(instruments),
            MarketMode(identity["mode"]),
            int(identity["engine_seed"]),
            approver(self._session["approve"]),
        )
        engine.core.market.warm(self.feed.history)
        engine.core.journal.attended = False
        return engine

    async def _begin(self, store: Store) -> None:
        engine = self._engine
        engine.core.stamp.now = self.feed.start
        body = {**self._started, "settings": self._settings.effective(), "version": __version__}
        data = msgspec.json.encode(body)
        started = Row(self.feed.start, "run_started", RUN_ROW, "", 0, data)
        engine.begin(self.feed.start, RUN_ROW)
        rows = [started, *engine.take_rows()]
        mark = msgspec.msgpack.encode(FeedMark(0))
        await store.append(Slice(rows, Snapshot(engine.inputs, engine.dump(), mark)))

    async def _reach(self, point: Point, store: Store) -> None:
        """Run everything that came before ``point``."""
        engine = self._engine
        while True:
            await self._answer()
            left = point.input - engine.inputs
            if left > 0 and self._has_events():
                stop = min(len(self._batch), self._index + left)
                self._index = engine.run(self._batch, self._index, stop)
            elif left > 0:
                raise DataError(
                    f"the market of the run ends after {engine.market_inputs} events, "
                    f"{left} before {point.kind} at journal input {point.input}"
                )
            elif point.kind == "command" or not engine.advance(point.ts):
                break
            self._rows += engine.take_rows()
            if len(self._rows) >= ROWS:
                await self._write(store)

    def _has_events(self) -> bool:
        if self._index >= len(self._batch):
            self._batch, self._index = self.feed.take(), 0
        return bool(self._batch)

    async def _answer(self) -> None:
        engine, llm = self._engine, self._settings.llm
        rules = None
        if llm.provider == "rules":  # drills are part of the run: its keys rehearse them again
            rules = DrilledAdvisor(RulesAdvisor(llm), llm, engine.drilling.active)
        while engine.effects:
            question = engine.effects[0]
            answer = await self._memory.answer(question, rules)
            engine.answer(answer, self._memory.late(question))

    def _apply(self, point: Point) -> None:
        """Do to the engine what was done to it."""
        engine = self._engine
        if point.kind == "command":
            engine.command(self._bound(_command(point.body)), point.ts)
        elif point.kind == "run_resumed":
            self._resume(point)
        self._rows += self._engine.take_rows()

    def _bound(self, command: Command) -> Command:
        """In a what-if an approval goes to the card as it would have read."""
        if self._changed is None or not isinstance(command, ApproveCard):
            return command
        for card in self._engine.trading.pending_cards():
            if card.id == command.card_id and card.content_hash != command.content_hash:
                self._rebound += 1
                return msgspec.structs.replace(command, content_hash=card.content_hash)
        return command

    def _resume(self, point: Point) -> None:
        """A process took the run up again, perhaps under other settings."""
        before, session = self._session, msgspec.json.decode(point.body)
        self._rows += self._engine.take_rows()
        self._rows.append(Row(point.ts, point.kind, RUN_ROW, RUN_ROW, point.input, point.body))
        if (session["settings"], session["approve"]) != (before["settings"], before["approve"]):
            was, body = self._settings, self._engine.dump()
            self._session, self._settings = session, self._settings_of(session)
            self._engine = self._new_engine()
            self._engine.load(body)
            self._engine.change_settings(was)
            if session["approve"] != before["approve"]:
                self._engine.change_policy()
        self._absorb()
        self._engine.reconciliation.look("")

    def _absorb(self) -> None:
        """Exits that the journal had missed were booked before anything else."""
        while self._points and self._points[0].kind == "command":
            command = _command(self._points[0].body)
            if not isinstance(command, AbsorbExit):
                return
            self._engine.command(command, self._points.popleft().ts)

    # -- the second book -------------------------------------------------------------------

    async def _write(self, store: Store) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            await store.append(Slice(rows))
        if self._report is not None:
            self._report(self._engine.inputs, self._total)

    def _summary(self) -> dict[str, Any]:
        return summarise(
            self._engine,
            run=self._started["run"],
            feed=self._started["feed"],
            start=self.feed.start,
            seconds=0.0,
        )

    async def _end(self, store: Store, lived: Lived) -> None:
        body = {"reason": "replayed", "wall": time.time(), "summary": lived.summary}
        data = msgspec.json.encode({"run": self._started["run"], "version": __version__, **body})
        engine = self._engine
        row = Row(engine.now, "run_finished", RUN_ROW, RUN_ROW, engine.inputs, data)
        snapshot = Snapshot(engine.inputs, engine.dump(), msgspec.msgpack.encode(FeedMark(0)))
        await store.append(Slice([row], snapshot))


def _points(recorded: Reader) -> Iterator[Point]:
    """Everything that came from outside the market, in order, and where the record ends."""
    first, last = recorded.span()
    end: StoredRow | None = None
    for row in recorded.rows_after(first - 1, last):
        end = row
        if row.kind == "command":
            yield Point(row.input - 1, row.ts, row.kind, row.body)
        elif row.kind in SESSION_KINDS - {"run_started"}:
            yield Point(row.input, row.ts, row.kind, row.body)
    if end is not None:
        yield Point(end.input, end.ts, "end")


def _market_of(recorded: Reader, started: dict[str, Any], feed: str | None) -> Feed:
    """The market of a run: its tape, or the simulation or files it was run on."""
    folder = recorded.paths.tape / str(started["run"])
    if feed is None and (folder / ABOUT).is_file():
        tape = RecordedFeed(folder)
        if tape.begins:
            raise DataError(
                f"the tape begins after {tape.begins} events of the run: the first ones were given "
                "up to keep it within recording.total_size, so the run cannot be lived from its "
                f"beginning; any later time can, as a market: --feed replay:{folder}@TIME"
            )
        return tape
    if feed is None and started["identity"]["mode"] == MarketMode.LIVE.value:
        raise DataError(
            f"the run's tape {folder} is gone, and a live market cannot be asked again; "
            "put it back beside the book of record"
        )
    symbols = started["symbols"]
    settings = recorded_settings(started)
    found = open_feed(
        feed or started["feed"],
        settings.market,
        sentiment=settings.agents.sentiment_analysis,
        seed=started["seed"],
        symbols=None if symbols is None else tuple(symbols),
        on_bad=started["on_bad"],
    )
    for key, value in found.identity().items():
        if started["identity"].get(key) != value:
            raise RunMismatch(
                f"the market of the run is not what it was ({key} {started['identity'].get(key)} "
                f"then, {value} now); bring the data back, or name its place with --feed"
            )
    return found
