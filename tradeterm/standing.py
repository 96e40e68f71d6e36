"""A run at rest: its standing from the file alone, and orders given while no process runs it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tradeterm import feeding
from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.store.lock import current_holder
from tradeterm.adapters.store.paths import StorePaths
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.recovery import recover
from tradeterm.control import REPLY_SECONDS, ask, send
from tradeterm.desk import Desk
from tradeterm.engine.engine import Engine
from tradeterm.engine.facts import standing_facts
from tradeterm.engine.holdings import portfolio_facts
from tradeterm.engine.whatif import Hypothesis, what_if
from tradeterm.errors import (
    DataError,
    StoreAbsent,
    StoreError,
    StoreLocked,
    StoreUnwritable,
    TradetermError,
)
from tradeterm.haltfile import halt_file, remove_first, write_halt_file
from tradeterm.model.commands import Command, CommandResult, Halt, Resume, RunDrill, harmless
from tradeterm.model.vocabulary import MarketMode
from tradeterm.rerun import SESSION_KINDS, Rerun
from tradeterm.sessions import (
    RUN_ROW,
    RunRequest,
    engine_of,
    new_engine,
    recorded_settings,
    refuse_another,
    restore,
)


@dataclass(frozen=True, slots=True)
class AtRest:
    """A run nobody drives: its engine, and how much of the journal that does not know."""

    engine: Engine
    info: dict[str, Any]
    rows_behind: int = 0
    """Rows that followed what ``engine`` stands for."""
    behind_because: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """How old its figures are."""
        why = {"behind_because": self.behind_because} if self.rows_behind else {}
        return {"rows_behind": self.rows_behind, **why}


def at_rest(reader: Reader) -> AtRest:
    """The engine as a restart would find it: the newest snapshot, and what followed done again.

    A live market can't be had again without its desk, and data may be gone: then as of the snapshot.
    """
    info, found = reader.run_info(), reader.snapshot()
    if info["session"] is None or found is None:
        raise StoreAbsent(f"{reader.paths.db} holds no run yet; start `tradeterm` once")
    behind, why = sum(row.kind not in SESSION_KINDS for row in reader.rows_after(found[0])), ""
    if behind:
        try:
            return AtRest(asyncio.run(_caught_up(reader.paths.db, info["session"])), info)
        except TradetermError as error:
            why = str(error)
    engine = engine_of(info["started"], info["session"])
    restore(engine, found[1].body)
    return AtRest(engine, info, behind, why)


async def _caught_up(db: Path, session: dict[str, Any]) -> Engine:
    recovered = recover(StorePaths(db))
    assert recovered is not None, "it has a snapshot"
    if recovered.started["identity"]["mode"] == MarketMode.LIVE.value:
        raise DataError("only its next start reads the tape of a live market on")
    request = _request_again(db, session)
    feed = feeding.open_market(request)
    try:
        refuse_another(recovered, feed, request)
        engine = new_engine(request, feed)
        own = session["settings"]["llm"]["provider"] == "rules"
        rules = RulesAdvisor(request.settings.llm) if own else None
        await Rerun(engine, feed, rules, RUN_ROW).catch_up(recovered)
    finally:
        feed.close()
    return engine


def _request_again(db: Path, session: dict[str, Any]) -> RunRequest:
    """What the newest session of a run was started with."""
    return RunRequest(
        settings=recorded_settings(session),
        effective=session["settings"],
        origins=session.get("origins", {}),
        feed=session["feed"],
        symbols=tuple(session["symbols"]) if session["symbols"] else None,
        seed=session["seed"],
        db=db,
        approve=session["approve"],
        on_bad=session["on_bad"],
    )


def holdings(reader: Reader) -> dict[str, Any]:
    """Allocation, bags, plans and earnings of a run at rest."""
    found = at_rest(reader)
    return {**portfolio_facts(found.engine), **found.facts}


def standing(reader: Reader) -> dict[str, Any]:
    """State, level, equity, marks and data age of a run at rest."""
    found = at_rest(reader)
    return {
        **standing_facts(found.engine, found.info["started"]["run"]),
        "running": reader.holder() is not None,
        "finished": found.info["finished"] is not None,
        **found.facts,
        "halt_file": halt_file(reader.paths.db).exists(),
    }


def hypothetical(db: Path, asked: Hypothesis) -> dict[str, Any]:
    """What risk would say of an order: now where the run lives, else at its last market time."""
    reply = ask(db, f"risk {msgspec.json.encode(asked).decode()}")
    if reply is None:
        with Reader(db) as reader:
            found = at_rest(reader)
        return {**what_if(found.engine, asked), "running": False, **found.facts}
    return {**reply, "running": True, "rows_behind": 0}


#: Between two attempts to reach a process that is just starting or ending.
RETRY_SECONDS = 0.05


def deliver(db: Path, command: Command) -> CommandResult:
    """Have a command carried out durably, by the process that runs ``db`` or by this one.

    The halt of a run never fails while the disk takes a file: the HALT file halts where nothing
    else does. (A file that holds no run is refused: a mistyped --db must not look like a halt.)
    """
    command = harmless(command)
    if not isinstance(command, Halt):
        return _delivered(db, command)
    try:
        return _delivered(db, command)
    except Exception as error:  # a halt must hold, whatever is broken
        if not _is_run(db):
            raise
        return _halt_by_file(db, command, error)


def _is_run(db: Path) -> bool:
    """Whether a process writes this file, or a run was recorded in it."""
    if current_holder(StorePaths(db)) is not None:
        return True
    try:
        with Reader(db) as reader:
            return reader.run_info()["session"] is not None
    except StoreError:
        return False


def _halt_by_file(db: Path, command: Halt, cause: Exception) -> CommandResult:
    why = str(cause) if isinstance(cause, TradetermError) else f"{type(cause).__name__}: {cause}"
    try:
        path = write_halt_file(db, f"{command.actor}: {command.reason}")
    except StoreUnwritable as error:
        raise StoreUnwritable(f"NOT halted: {error}; and {why}") from cause
    return CommandResult(
        True,
        f"HALTED by file: {path} halts what runs there, and the next start, until it is removed; "
        f"the run itself could not take the order: {why}",
    )


def _delivered(db: Path, command: Command) -> CommandResult:
    path = halt_file(db)
    if isinstance(command, Resume) and path.exists():
        return CommandResult(False, remove_first(path))
    give_up = time.monotonic() + REPLY_SECONDS
    while True:
        result = send(db, command)
        if result is not None:
            return result
        try:
            return apply_offline(db, command)
        except StoreLocked:  # it starts and does not listen yet, or it is about to end
            if time.monotonic() > give_up:
                raise
            time.sleep(RETRY_SECONDS)


def apply_offline(db: Path, command: Command) -> CommandResult:
    """Continue the run just long enough to carry out one command durably."""
    with Reader(db) as reader:
        info = reader.run_info()
    session = info["session"]
    if session is None:
        raise StoreAbsent(f"{db} holds no run yet; start `tradeterm` once")
    if isinstance(command, RunDrill) and _is_over(info["finished"]):
        return CommandResult(
            False,
            "the run has reached its end, and a drill needs a market that moves: go on with a larger "
            "--until, or begin another with --fresh",
        )
    return asyncio.run(_apply(_request_again(db, session), command))


def _is_over(finished: dict[str, Any] | None) -> bool:
    return finished is not None and finished["reason"] == "finished"


async def _apply(request: RunRequest, command: Command) -> CommandResult:
    desk = await Desk.open(request)
    try:
        return await desk.apply(command)
    finally:
        await desk.close(f"command at {time.strftime('%H:%M:%S')}")
