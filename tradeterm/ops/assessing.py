"""Self-assessment: safety drills on a copy of the run, the original untouched, and a dated report."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradeterm.adapters.store.paths import locate
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.verify import verify
from tradeterm.engine.engine import Engine
from tradeterm.engine.whatif import Hypothesis, judged
from tradeterm.errors import StoreUnwritable, TradetermError
from tradeterm.model.commands import ClosePosition, Halt
from tradeterm.model.orders import OrderRequest
from tradeterm.model.proposals import Verdict
from tradeterm.model.timing import iso
from tradeterm.model.vocabulary import (
    AccountBook,
    OrderType,
    PositionSide,
    Purpose,
    RunState,
    Side,
)
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.outcomes import PASS
from tradeterm.standing import at_rest

Finding = tuple[bool, str]
SECRET_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill and what became of it."""

    name: str
    passed: bool
    found: str


def assess(db: Path | None, out: Path | None) -> tuple[list[Drill], Path]:
    """Every drill on a copy of the run; the report lies beside the store, or in ``out``."""
    path = locate(db).db
    with _copy(path) as copy, Reader(copy) as reader:
        drills = [_carried_out(name, drill, copy, reader) for name, drill in DRILLS.items()]
    return drills, _report(drills, path, out or path.parent)


@contextmanager
def _copy(path: Path) -> Iterator[Path]:
    """A consistent copy of a store, also of one that is being written."""
    with Reader(path):
        pass  # says what is wrong with it, better than a copy could
    directory = Path(tempfile.mkdtemp(prefix="tradeterm-assess-"))
    try:
        copy = directory / path.name
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        yield copy
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _carried_out(
    name: str, drill: Callable[[Engine, Path], Finding], copy: Path, reader: Reader
) -> Drill:
    """Each drill on an engine of its own, so that none leaves anything to the next."""
    try:
        return Drill(name, *drill(at_rest(reader).engine, copy))
    except TradetermError as error:
        return Drill(name, False, str(error))


def _report(drills: list[Drill], db: Path, directory: Path) -> Path:
    now = time.time_ns()
    body = {
        "assessed": iso(now),
        "store": str(db),
        "ok": all(drill.passed for drill in drills),
        "drills": [{"drill": d.name, "passed": d.passed, "found": d.found} for d in drills],
    }
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now // 10**9))
    path = directory / f"assessment-{stamp}.json"
    try:
        path.touch(SECRET_MODE)
        path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreUnwritable(f"cannot write the report to {path}: {error.strerror}") from error
    return path


# -- the drills ------------------------------------------------------------------------------


def _sample(engine: Engine, **changes: Any) -> Verdict:
    """A long on the first symbol with a price, stop and target at sensible distances."""
    account = engine.books.account()
    symbol = next((s for s in engine.core.market.symbols if account.mid(s)), None)
    if symbol is None:
        raise TradetermError("no symbol has a price yet")
    entry = changes.pop("entry", account.asks[symbol])
    plain = {"stop": entry * Decimal("0.98"), "target": entry * Decimal("1.1")}
    asked = Hypothesis(symbol, PositionSide.LONG, entry=entry, **{**plain, **changes})
    return judged(engine, asked)


def _outcomes(verdict: Verdict) -> dict[str, str]:
    return {rule.rule: rule.outcome for rule in verdict.rules}


def _limit(engine: Engine, _copy: Path) -> Finding:
    """An order of a thousand times the equity is cut to what fits, or refused."""
    verdict = _sample(engine)
    stopped = _outcomes(verdict)["position_size"] != PASS
    if verdict.intent is None:
        return stopped, f"refused: {', '.join(verdict.codes)}"
    again = engine.trading.judging.what_if(verdict.intent)
    ok = stopped and again.allows and again.content_hash == verdict.content_hash
    return ok, f"cut to {verdict.intent.size:f}: {', '.join(verdict.codes)}"


def _collar(engine: Engine, _copy: Path) -> Finding:
    """An entry just beyond the collar is refused for it; one inside is not."""
    account = engine.books.account()
    symbol = next((s for s in engine.core.market.symbols if account.mid(s)), "")
    mid = account.mid(symbol)
    if mid is None:
        raise TradetermError("no symbol has a price yet")
    most = engine.core.settings.risk.limit("max_collar", symbol) / 100
    outside = _sample(engine, entry=mid * (1 + most * Decimal("1.01")))
    inside = _sample(engine, entry=mid * (1 + most * Decimal("0.99")))
    ok = RiskCode.COLLAR in outside.codes and _outcomes(inside)["collar"] == PASS
    return ok, f"{100 * most:g} % from {mid:f}: outside {', '.join(outside.codes)}"


def _throttle(engine: Engine, _copy: Path) -> Finding:
    """After as many entries as a minute allows, the next one is refused."""
    count = engine.core.settings.risk.throttle.entries_per_minute
    before = _outcomes(_sample(engine))["entry_rate"]
    symbol = engine.core.market.symbols[0]
    for number in range(count):
        entry = OrderRequest(
            f"drill-{number}", symbol, Side.BUY, OrderType.MARKET, Decimal(1), Purpose.ENTRY,
            AccountBook.MARGIN, "drill",
        )  # fmt: skip
        engine.books.conduct.sent(entry, engine.now)
    after = _sample(engine)
    ok = before == PASS and RiskCode.ENTRY_RATE in after.codes
    return ok, f"after {count} entries: {', '.join(after.codes)}"


def _halt(engine: Engine, _copy: Path) -> Finding:
    """Halted, nothing new passes, no entry works on, and a position can still be closed."""
    told = engine.command(Halt(reason="drill"), engine.now + 1)
    verdict = _sample(engine)
    refused = RiskCode.HALTED in verdict.codes
    closed = [
        engine.command(ClosePosition(position_id=p.id), engine.now + 1).accepted
        or engine.books.is_closing(p.id)
        for p in list(engine.books.execution.positions.values())
    ]
    ok = refused and all(closed) and engine.core.state is RunState.HALTED
    return ok, f"{told.text}; {len(closed)} of {len(closed)} closes taken" if ok else told.text


def _restore(engine: Engine, copy: Path) -> Finding:
    """The journal proves the tables, and a halted engine read back is the same, still halted."""
    engine.command(Halt(reason="drill"), engine.now + 1)
    with Reader(copy) as reader:
        other = at_rest(reader).engine
    other.load(engine.dump())
    same = other.state_hash() == engine.state_hash() and other.dump() == engine.dump()
    found = verify(copy)
    words = f"{found.rows} rows verified"
    if found.problems:
        words = f"{found.problems[0].where}: {found.problems[0].what}"
    return same and not found.problems and other.core.state is RunState.HALTED, words


DRILLS: dict[str, Callable[[Engine, Path], Finding]] = {
    "limit": _limit,
    "collar": _collar,
    "throttle": _throttle,
    "halt": _halt,
    "restore": _restore,
}
