"""The desk: the one place where settings, feed, venue, advisor, store and engine meet.

Console, headless runs, recovery, replays and tests all start here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import msgspec

from tradeterm import __version__
from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.paths import locate
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.recovery import Recovered
from tradeterm.adapters.store.rows import Slice, Snapshot
from tradeterm.control import ControlServer, socket_path
from tradeterm.driver import Driver
from tradeterm.engine.afterword import afterword
from tradeterm.engine.approver import Approver
from tradeterm.engine.engine import Engine
from tradeterm.engine.facts import standing_facts
from tradeterm.engine.summary import summarise
from tradeterm.engine.view import ConsoleView
from tradeterm.errors import RunMismatch, StoreError, UsageError
from tradeterm.haltfile import halt_file
from tradeterm.keyscript import read_script
from tradeterm.model.commands import Command, CommandResult
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Feed
from tradeterm.model.messages import Row
from tradeterm.model.timing import iso, parse_duration, parse_instant
from tradeterm.model.vocabulary import MarketMode
from tradeterm.pacing import MAX, Pacer
from tradeterm.rerun import Rerun
from tradeterm.settings.settings import Settings

log = logging.getLogger(__name__)

#: Id of the rows about the run itself: the same in every run, so that runs can be compared.
RUN_ROW = "run"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asked for."""

    settings: Settings
    effective: dict[str, Any]
    """The settings as plain values, for the journal."""
    feed: str = "sim"
    symbols: tuple[str, ...] | None = None
    seed: int | None = None
    speed: float | None = None
    """Market seconds per second; None takes the settings' (console) or the maximum (headless)."""
    until: str | None = None
    db: Path | None = None
    approve: str = "none"
    """``none``, ``all`` or ``script:FILE``."""
    fresh: bool = False
    on_bad: Literal["refuse", "skip"] = "skip"
    headless: bool = True


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
    ) -> Desk:
        """Open the store, begin a run or continue the unfinished one.

        ``publish`` gets every durable picture, ``complain`` words about faults while it runs.

        Raises ConfigError, DataError, StoreError and its kin, UsageError.
        """
        feed = _open_feed(request)
        until = _until(request.until, feed.start)
        _approver(request.approve)  # a mistake in it shows before anything is created
        store = await Store.open(request.db)
        try:
            return await cls._assemble(request, feed, store, until, publish, complain)
        except BaseException:
            await store.close()
            raise

    @classmethod
    async def _assemble(
        cls,
        request: RunRequest,
        feed: Feed,
        store: Store,
        until: int | None,
        publish: Callable[[ConsoleView], None] | None,
        complain: Callable[[str], None] | None,
    ) -> Desk:
        recovered = None if request.fresh else store.recover()
        if recovered is not None:
            _refuse_another(recovered, feed, request)
        advisor = RulesAdvisor(request.settings.llm)
        if recovered is None:
            engine, run_id = _new_engine(request, feed), uuid4().hex[:12]
            await _begin(store, engine, feed, request, run_id)
        else:
            run_id = str(recovered.started["run"])
            engine = await _continue(recovered, feed, request, advisor, store)
        driver = Driver(
            engine,
            feed,
            store,
            advisor,
            Pacer(time.monotonic, _speed(request)),
            until=until,
            halt_file=halt_file(store.paths.db),
            publish=publish,
            pace_cards=not request.headless,
            complain=complain,
        )
        desk = cls(request, feed, store, engine, driver, run_id, until)
        desk._note_derived()
        return desk

    def _note_derived(self) -> None:
        account = self.request.settings.market.account
        configured = self.request.settings.market.instruments
        for symbol in self.engine.core.market.symbols:
            if symbol not in configured:
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
            socket_path(self.store.paths.db), self.submit, {"status": self.status}
        )
        await self._control.start()
        try:
            await self.driver.run()
        finally:
            await self._control.stop()

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
                    Slice([_session_row(self.engine, "run_finished", self.run_id, body)])
                )
        finally:
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
    asked = msgspec.json.decode(msgspec.json.encode(_session_body(request)))
    if any(session[key] != asked[key] for key in asked if key != "wall"):
        return None
    same = info["started"]["identity"] == _identity(_open_feed(request), request)
    return dict(finished["summary"]) if same else None


# -- pieces ----------------------------------------------------------------------------------


def _open_feed(request: RunRequest) -> Feed:
    return open_feed(
        request.feed,
        request.settings.market,
        seed=request.seed,
        symbols=request.symbols,
        on_bad=request.on_bad,
    )


def _speed(request: RunRequest) -> float:
    if request.speed is not None:
        return request.speed
    return MAX if request.headless else request.settings.market.simulation.speed


def _until(text: str | None, start: int) -> int | None:
    """Market time (ns) from a duration since the run's beginning or an ISO time."""
    if text is None:
        return None
    try:
        return start + parse_duration(text)
    except UsageError:
        pass
    try:
        until = parse_instant(text)
    except UsageError:
        raise UsageError(
            f"--until {text!r}: write a duration such as 90s, 15m, 1h30m or 7d, or a market time "
            "such as 2025-06-01T12:00:00Z"
        ) from None
    if until < start:
        raise UsageError(
            f"--until {text!r} is before the market begins, at {iso(start)}; write a later time, "
            "or a duration such as 7d"
        )
    return until


def _instruments(settings: Settings, feed: Feed) -> dict[str, Instrument]:
    derived = {instrument.symbol: instrument for instrument in feed.derived()}
    found: dict[str, Instrument] = {}
    for symbol in feed.symbols:
        instrument = settings.market.instrument(symbol) or derived.get(symbol)
        if instrument is None:
            raise UsageError(
                f"{symbol} has no instrument: add it to config/market.yaml under instruments"
            )
        found[symbol] = instrument
    return found


def recorded_settings(session: dict[str, Any]) -> Settings:
    """What a run was recorded with; RunMismatch when this version has other settings."""
    try:
        return Settings.from_effective(session["settings"])
    except ValueError as error:
        raise RunMismatch(
            f"the run was recorded by tradeterm {session['version']}, whose settings differ from "
            f"those of {__version__} ({str(error).splitlines()[1]}); continue it with that version, "
            "or begin a new run with --fresh or --db FILE"
        ) from error


def engine_of(started: dict[str, Any], session: dict[str, Any]) -> Engine:
    """An empty engine shaped like a recorded run's; ``load`` its snapshot next. No feed."""
    settings = recorded_settings(session)
    instruments = {
        symbol: msgspec.convert(steps, Instrument)
        for symbol, steps in started["instruments"].items()
    }
    return Engine(
        settings,
        instruments,
        tuple(instruments),
        MarketMode(started["identity"]["mode"]),
        int(started["identity"]["engine_seed"]),
        Approver(),
    )


def _approver(policy: str) -> Approver:
    if policy in ("none", "all"):
        return Approver(approve_all=policy == "all")
    kind, _, file = policy.partition(":")
    if kind != "script" or not file:
        raise UsageError(f"--approve {policy!r}: write none, all or script:FILE")
    return Approver(script=read_script(Path(file)))


def _new_engine(
    request: RunRequest, feed: Feed, settings: Settings | None = None, approve: str | None = None
) -> Engine:
    chosen = settings or request.settings
    engine = Engine(
        chosen,
        _instruments(chosen, feed),
        feed.symbols,
        MarketMode(feed.mode),
        _seed(request),
        _approver(approve if approve is not None else request.approve),
    )
    engine.core.market.warm(feed.history)
    return engine


def _seed(request: RunRequest) -> int:
    return request.settings.market.simulation.seed if request.seed is None else request.seed


def _identity(feed: Feed, request: RunRequest) -> dict[str, str]:
    account = request.settings.market.account
    return {
        **feed.identity(),
        "mode": feed.mode,
        "account": f"{account.deposit} {account.currency}",
        "engine_seed": str(_seed(request)),
    }


def _refuse_another(recovered: Recovered, feed: Feed, request: RunRequest) -> None:
    recorded, asked = recovered.started["identity"], _identity(feed, request)
    if recorded == asked:
        return
    different = [
        f"{key} {recorded.get(key, 'none')} there, {asked.get(key, 'none')} asked"
        for key in sorted({*recorded, *asked})
        if recorded.get(key) != asked.get(key)
    ]
    raise RunMismatch(
        f"{recovered.paths.db} holds a run of another market ({'; '.join(different)}); "
        "use --db FILE for this one, or --fresh to begin a new run in the same file"
    )


def _session_row(engine: Engine, kind: str, run_id: str, body: dict[str, Any]) -> Row:
    data = msgspec.json.encode({"run": run_id, "version": __version__, **body})
    parent = "" if kind == "run_started" else RUN_ROW
    return Row(engine.now, kind, RUN_ROW, parent, engine.inputs, data)


def _session_body(request: RunRequest) -> dict[str, Any]:
    return {
        "wall": time.time(),
        "settings": request.effective,
        "approve": request.approve,
        "until": request.until,
        "feed": request.feed,
        "seed": request.seed,
        "symbols": request.symbols,
        "on_bad": request.on_bad,
    }


async def _begin(
    store: Store, engine: Engine, feed: Feed, request: RunRequest, run_id: str
) -> None:
    engine.core.stamp.now = feed.start
    started = _session_row(
        engine,
        "run_started",
        run_id,
        {
            **_session_body(request),
            "identity": _identity(feed, request),
            "start": iso(feed.start),
            "instruments": engine.core.instruments,
        },
    )
    engine.begin(feed.start, started.id)
    rows = [started, *engine.take_rows()]
    # With a snapshot from the first row on, `status` can answer whenever the process dies.
    mark = msgspec.msgpack.encode(feed.mark(engine.market_inputs))
    await store.append(Slice(rows, Snapshot(engine.inputs, engine.dump(), mark)))


async def _continue(
    recovered: Recovered, feed: Feed, request: RunRequest, advisor: RulesAdvisor, store: Store
) -> Engine:
    """Rebuild the last committed state under the recorded settings, then go on with today's."""
    session = recovered.session
    recorded = recorded_settings(session)
    old = _new_engine(request, feed, recorded, session["approve"])
    rerun = Rerun(old, feed, advisor, RUN_ROW)
    await rerun.catch_up(recovered)
    engine = old
    if session["settings"] != request.effective or session["approve"] != request.approve:
        engine = _new_engine(request, feed)
        engine.load(old.dump())
        engine.change_settings(recorded)
        if session["approve"] != request.approve:
            engine.change_policy()
    rows = [
        _session_row(
            engine,
            "run_resumed",
            str(recovered.started["run"]),
            {**_session_body(request), "rechecked": rerun.rechecked},
        )
    ]
    # The snapshot makes what comes next independent of the settings that led here, and a process
    # that never lives long enough to write one still gets ahead.
    snapshot = Snapshot(engine.inputs, engine.dump(), msgspec.msgpack.encode(rerun.mark))
    await store.append(Slice([*rows, *rerun.new_rows], snapshot))
    log.info("continued after row %d: %d rows re-checked", recovered.last_seq, rerun.rechecked)
    return engine
