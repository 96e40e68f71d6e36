"""The desk: the one place where settings, feed, venue, advisor, store and engine meet.

Console, headless runs, recovery, replays and tests all start here.
"""

from __future__ import annotations

import logging
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import msgspec

from tradeterm import feeding
from tradeterm.adapters.advisors.drilled import DrilledAdvisor
from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.paths import locate
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.recovery import Recovered
from tradeterm.adapters.store.rows import Slice, Snapshot
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.awaiting import left_to_pay
from tradeterm.collecting import rarely
from tradeterm.control import ControlServer, socket_path
from tradeterm.driver import Driver
from tradeterm.engine.afterword import afterword
from tradeterm.engine.engine import Engine
from tradeterm.engine.facts import standing_facts
from tradeterm.engine.holdings import portfolio_facts
from tradeterm.engine.summary import summarise
from tradeterm.engine.view import ConsoleView, EventView
from tradeterm.engine.watching import watch_only
from tradeterm.engine.whatif import Hypothesis, what_if
from tradeterm.errors import StoreError
from tradeterm.haltfile import halt_file
from tradeterm.model.commands import Command, CommandResult
from tradeterm.model.market import Feed
from tradeterm.model.ports import Advisor
from tradeterm.model.timing import iso
from tradeterm.model.vocabulary import MarketMode
from tradeterm.pacing import Pacer
from tradeterm.persistence import absorb
from tradeterm.rerun import Rerun
from tradeterm.sessions import (
    RUN_ROW,
    RunRequest,
    approver,
    identity,
    new_engine,
    recorded_settings,
    refuse_another,
    session_body,
    session_row,
    speed,
    until_time,
)
from tradeterm.settings.llm import LlmSettings

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Desk:
    """One run, open. ``run`` drives it; ``close`` leaves everything durable and unlocked."""

    request: RunRequest
    feed: Feed
    store: Store
    engine: Engine
    driver: Driver
    run_id: str
    until: int | None
    _session_open: bool = True
    notices: list[str] = field(default_factory=list)
    """Lines for the operator about how this run was opened."""
    _control: ControlServer | None = None

    # -- opening ---------------------------------------------------------------------------

    @classmethod
    async def open(
        cls,
        request: RunRequest,
        publish: Callable[[ConsoleView], None] | None = None,
        complain: Callable[[str], None] | None = None,
        tell: Callable[[Sequence[EventView]], None] | None = None,
    ) -> Desk:
        """Open the store, begin a run or continue the unfinished one.

        ``publish`` gets every durable picture, ``complain`` words about faults while it runs,
        ``tell`` every durable event.

        Raises ConfigError, DataError, StoreError and its kin, UsageError.
        """
        request = _with_seed_of_run(request)
        feed = feeding.open_market(request)
        live = feed.mode == MarketMode.LIVE.value
        until_time(request.until, 0 if live else feed.start)
        approver(request.approve)  # a mistake in it shows before anything is created
        store = await Store.open(request.db)
        try:
            return await cls._assemble(request, feed, store, publish, complain, tell)
        except BaseException:
            feed.close()
            await store.close()
            raise

    @classmethod
    async def _assemble(
        cls,
        request: RunRequest,
        feed: Feed,
        store: Store,
        publish: Callable[[ConsoleView], None] | None,
        complain: Callable[[str], None] | None,
        tell: Callable[[Sequence[EventView]], None] | None,
    ) -> Desk:
        recovered = None if request.fresh else store.recover()
        parts = feeding.parts(feed)
        remarks_of_feed = feeding.remarks(feed, request)
        if recovered is not None:
            refuse_another(recovered, feed, request)
        if recovered is None:
            run_id = uuid4().hex[:12]
            await feeding.prepare(feed)
            feed = feeding.on_tape(feed, store, run_id, request, begin=True)
            engine = new_engine(request, feed)
            advisor = _advisor(engine, request.settings.llm, store, begin=True)
            await _begin(store, engine, feed, request, run_id)
        else:
            run_id = str(recovered.started["run"])
            feed = feeding.on_tape(feed, store, run_id, request, begin=False)
            engine = await _continue(recovered, feed, request, store)
            advisor = _advisor(engine, request.settings.llm, store, begin=False)
        if publish is not None:
            engine.trades.keep()
        until = until_time(request.until, feed.start)
        driver = Driver(
            engine,
            feed,
            store,
            advisor,
            Pacer(time.monotonic, speed(request)),
            until=until,
            halt_file=halt_file(store.paths.db),
            publish=publish,
            pace_cards=not request.headless,
            complain=complain,
            tell=tell,
        )
        driver.supervisor.watch(*parts)
        desk = cls(request, feed, store, engine, driver, run_id, until)
        desk._note_derived()
        desk.notices.extend(remarks_of_feed)
        desk._note_choices()
        return desk

    def _note_choices(self) -> None:
        """What the request, the operator and the models' settings make different from the usual."""
        request, engine = self.request, self.engine
        if request.record:
            self.notices.append(f"the market is recorded in {self.store.paths.tape / self.run_id}")
        self.notices.extend(watch_only(engine.core))
        self.notices.extend(
            f"{key} is {one.value}, as {one.actor} put it at {iso(one.ts)}"
            for key, one in engine.adjusting.overrides.items()
        )
        if request.settings.llm.provider != "rules":
            from tradeterm.adapters.advisors.opening import remarks

            self.notices.extend(remarks(request.settings.llm))

    def _note_derived(self) -> None:
        account = self.request.settings.market.account
        configured = self.request.settings.market.instruments
        for symbol in self.engine.core.market.symbols:
            if symbol not in configured and self.feed.mode != MarketMode.LIVE.value:
                steps = self.engine.core.instruments[symbol]
                self.notices.append(
                    f"{symbol} is not in config/market.yaml: tick {steps.tick}, lot {steps.lot} "
                    "read off the data, default fees"
                )
            quote = self.engine.core.instruments[symbol].quote
            if quote in account.parity:
                self.notices.append(
                    f"{symbol}: {quote} is counted 1:1 as {account.currency} (market.account.parity)"
                )

    # -- living ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Drive until the feed or ``until`` ends, or ``driver.stop`` is called."""
        self._control = ControlServer(
            socket_path(self.store.paths.db),
            self.submit,
            {
                "status": lambda _: self.status(),
                "portfolio": lambda _: portfolio_facts(self.engine),
                "risk": self.what_if,
                "view": self.picture,
            },
        )
        await self._control.start()
        self.driver.supervisor.watch(self._control.task)
        self.driver.advisor.begin()
        try:
            with rarely():
                await self.driver.run()
        finally:
            await self._control.stop()
        if self.driver.finished:
            await self._pay()
            self.driver.advisor.finish()

    async def _pay(self) -> None:
        """The run has ended, answers that were paid for have not entered: their cost has."""
        command = await left_to_pay(self.engine, self.driver.advisor)
        if command is not None:
            self.engine.command(command, self.engine.now + 1)
            await self.driver.flush(snapshot=True)

    async def submit(self, command: Command) -> CommandResult:
        """Order something; resolves when it is durable."""
        return await self.driver.submit(command)

    async def apply(self, command: Command) -> CommandResult:
        """Carry out one command without driving the market (no process runs this store)."""
        refusal = self.driver.refusal(command)
        if refusal is not None:
            return refusal
        result = self.engine.command(command, self.engine.now + 1)
        await self.driver.flush(snapshot=True)
        return result

    def what_if(self, asked: str) -> dict[str, Any]:
        """The verdict an order would get now (``asked``: a Hypothesis in JSON)."""
        return what_if(self.engine, msgspec.json.decode(asked, type=Hypothesis))

    def picture(self, seen: str) -> dict[str, Any]:
        """The newest durable picture for who watches; empty when it is the one already ``seen``."""
        self.engine.trades.keep()
        view = self.driver.picture()
        if seen == str(view.version):
            return {"view": ""}
        return {"view": b64encode(msgspec.msgpack.encode(view)).decode()}

    def status(self) -> dict[str, Any]:
        """The standing of the run, live."""
        return {
            **standing_facts(self.engine, self.run_id),
            "running": True,
            "finished": False,
            "rows_behind": 0,
            "halt_file": halt_file(self.store.paths.db).exists(),
        }

    def summary(self) -> dict[str, Any]:
        """The JSON summary of the run so far."""
        return summarise(
            self.engine,
            run=self.run_id,
            feed=self.request.feed,
            start=self.feed.start,
            seconds=self.driver.seconds,
        )

    def afterword(self) -> list[str]:
        """Lines for whoever watched no screen: what was left out, who never spoke."""
        return afterword(self.engine)

    async def close(self, reason: str = "stopped") -> None:
        """Write the session's end and let go of the store."""
        try:
            if self._session_open:
                self._session_open = False
                ended = "finished" if self.driver.finished else reason
                body = {"reason": ended, "wall": time.time(), "summary": self.summary()}
                await self.store.append(
                    Slice([session_row(self.engine, "run_finished", self.run_id, body)])
                )
        finally:
            self.feed.close()
            await self.store.close()


def finished_summary(request: RunRequest) -> dict[str, Any] | None:
    """The summary of the run in the file when this very request was carried out before."""
    if request.fresh or not locate(request.db).db.exists():
        return None
    try:
        with Reader(request.db) as reader:
            info = reader.run_info()
    except StoreError:
        return None  # opening it says what is wrong, and more of it
    finished, session = info["finished"], info["session"]
    if finished is None or finished["reason"] != "finished":
        return None
    request = _with_seed_of_run(request)
    asked = msgspec.json.decode(msgspec.json.encode(session_body(request)))
    if any(session.get(key) != asked[key] for key in asked if key != "wall"):
        return None
    same = info["started"]["identity"] == identity(feeding.open_market(request), request)
    return dict(finished["summary"]) if same else None


def _with_seed_of_run(request: RunRequest) -> RunRequest:
    """A seed nobody names again is the one the run in the file was begun with."""
    if request.seed is not None or request.fresh or request.feed != "sim":
        return request
    if not locate(request.db).db.exists():
        return request
    try:
        with Reader(request.db) as reader:
            started = reader.run_info()["started"]
    except StoreError:
        return request  # opening it says what is wrong, and more of it
    if started is None or started["feed"] != "sim":
        return request
    return replace(request, seed=started["seed"])


# -- pieces ----------------------------------------------------------------------------------


def _advisor(engine: Engine, settings: LlmSettings, store: Store, *, begin: bool) -> Advisor:
    advisor: Advisor = RulesAdvisor(settings)
    if settings.provider != "rules":
        from tradeterm.adapters.advisors.opening import open_advisor

        advisor = open_advisor(settings, store.paths.db, begin=begin)
    if engine.core.mode is not MarketMode.SIM:
        return advisor
    return DrilledAdvisor(advisor, settings, engine.drilling.active)


async def _begin(
    store: Store, engine: Engine, feed: Feed, request: RunRequest, run_id: str
) -> None:
    engine.core.stamp.now = feed.start
    started = session_row(
        engine,
        "run_started",
        run_id,
        {
            **session_body(request),
            "identity": identity(feed, request),
            "start": iso(feed.start),
            "instruments": engine.core.instruments,
        },
    )
    engine.begin(feed.start, started.id)
    rows = [started, *engine.take_rows()]
    # With a snapshot from the first row on, `status` can answer whenever the process dies.
    mark = msgspec.msgpack.encode(feed.mark(engine.market_inputs))
    if isinstance(feed, RecordingFeed):
        await feed.secure(0)
    await store.append(Slice(rows, Snapshot(engine.inputs, engine.dump(), mark)))


async def _continue(recovered: Recovered, feed: Feed, request: RunRequest, store: Store) -> Engine:
    """Rebuild the last committed state under the recorded settings, then go on with today's."""
    session = recovered.session
    recorded = recorded_settings(session)
    old = new_engine(request, feed, recorded, session["approve"])
    # Models are never asked again: what they were asked and did not answer was interrupted.
    advisor = _advisor(old, recorded.llm, store, begin=False)
    rerun = Rerun(old, feed, advisor, RUN_ROW)
    await rerun.catch_up(recovered)
    engine = old
    if session["settings"] != request.effective or session["approve"] != request.approve:
        engine = new_engine(request, feed)
        engine.load(old.dump())
        engine.change_settings(recorded)
        if session["approve"] != request.approve:
            engine.change_policy()
    resumed = session_row(
        engine,
        "run_resumed",
        str(recovered.started["run"]),
        {**session_body(request), "rechecked": rerun.rechecked},
    )
    emergency = absorb(engine, store)
    engine.reconciliation.look("")
    # The snapshot makes what comes next independent of the settings that led here, and a process
    # that never lives long enough to write one still gets ahead.
    snapshot = Snapshot(engine.inputs, engine.dump(), msgspec.msgpack.encode(rerun.mark))
    await store.append(Slice([resumed, *rerun.new_rows, *engine.take_rows()], snapshot))
    if emergency is not None:
        emergency.clear()
    log.info("continued after row %d: %d rows re-checked", recovered.last_seq, rerun.rechecked)
    return engine
