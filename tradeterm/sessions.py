"""What a run is: what was asked, what makes it this run, and how its engine is built."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from tradeterm import __version__
from tradeterm.adapters.store.recovery import Recovered
from tradeterm.engine.approver import Approver
from tradeterm.engine.engine import Engine
from tradeterm.errors import RunMismatch, UsageError
from tradeterm.keyscript import read_script
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Feed
from tradeterm.model.messages import Row
from tradeterm.model.timing import iso, parse_duration, parse_instant
from tradeterm.model.vocabulary import MarketMode
from tradeterm.pacing import MAX
from tradeterm.settings.settings import Settings

#: Id of the rows about the run itself: the same in every run, so that runs can be compared.
RUN_ROW = "run"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asked for."""

    settings: Settings
    effective: dict[str, Any]
    """The settings as plain values, for the journal."""
    origins: dict[str, str] = field(default_factory=dict)
    """Dotted key → where it was written, for those that are not the packaged defaults."""
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
    record: bool = False
    """Keep the market on a tape beside the store; a live one always is."""
    headless: bool = True


def speed(request: RunRequest) -> float:
    if request.speed is not None:
        return request.speed
    return MAX if request.headless else request.settings.market.simulation.speed


def until_time(text: str | None, start: int) -> int | None:
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


def instruments(settings: Settings, feed: Feed) -> dict[str, Instrument]:
    derived = {instrument.symbol: instrument for instrument in feed.derived()}
    found: dict[str, Instrument] = {}
    live = feed.mode == MarketMode.LIVE.value  # then the exchange itself has told its steps
    for symbol in feed.symbols:
        configured = settings.market.instrument(symbol)
        told = derived.get(symbol)
        instrument = told or configured if live else configured or told
        if instrument is None:
            raise UsageError(
                f"{symbol} has no instrument: add it to config/market.yaml under instruments"
            )
        found[symbol] = instrument
    return found


def restore(engine: Engine, body: bytes) -> None:
    """``engine.load`` of a snapshot from a file; RunMismatch when another version wrote it."""
    try:
        engine.load(body)
    except msgspec.ValidationError as error:
        raise RunMismatch(
            f"the run's state was written by another version of tradeterm ({error}); continue it "
            "with that version, or begin a new run with --fresh or --db FILE"
        ) from error


def recorded_settings(session: dict[str, Any]) -> Settings:
    """What a run was recorded with; RunMismatch when this version has other settings."""
    try:
        return Settings.from_effective(session["settings"])
    except ValueError as error:
        its = f"tradeterm {session['version']}"
        if session["version"] == __version__:  # between two releases the number stays
            its = f"another build of {its}"
        raise RunMismatch(
            f"the run was recorded by {its}, which had other settings than this one "
            f"({str(error).splitlines()[1]}): only {its} can continue it; "
            "begin a new run with --fresh or --db FILE"
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


def approver(policy: str) -> Approver:
    if policy in ("none", "all"):
        return Approver(approve_all=policy == "all")
    kind, _, file = policy.partition(":")
    if kind != "script" or not file:
        raise UsageError(f"--approve {policy!r}: write none, all or script:FILE")
    return Approver(script=read_script(Path(file)))


def new_engine(
    request: RunRequest, feed: Feed, settings: Settings | None = None, approve: str | None = None
) -> Engine:
    chosen = settings or request.settings
    engine = Engine(
        chosen,
        instruments(chosen, feed),
        feed.symbols,
        MarketMode(feed.mode),
        seed(request),
        approver(approve if approve is not None else request.approve),
    )
    engine.core.market.warm(feed.history)
    return engine


def seed(request: RunRequest) -> int:
    return request.settings.market.simulation.seed if request.seed is None else request.seed


def identity(feed: Feed, request: RunRequest) -> dict[str, str]:
    account = request.settings.market.account
    return {
        **feed.identity(),
        "mode": feed.mode,
        "account": f"{account.deposit} {account.currency}",
        "engine_seed": str(seed(request)),
    }


def refuse_another(recovered: Recovered, feed: Feed, request: RunRequest) -> None:
    recorded, asked = recovered.started["identity"], identity(feed, request)
    if recorded == asked:
        return
    keys = [key for key in sorted({*recorded, *asked}) if recorded.get(key) != asked.get(key)]
    different = [
        f"{key} {recorded.get(key, 'none')} there, {asked.get(key, 'none')} asked"
        for key in keys
        if key != "engine_seed" or "seed" not in keys
    ]
    only_seed = {*keys} <= {"seed", "engine_seed"}
    remedy = f"continue it with --seed {recorded['engine_seed']}, or " if only_seed else ""
    raise RunMismatch(
        f"{recovered.paths.db} holds a run of another market ({'; '.join(different)}); "
        f"{remedy}use --db FILE for this one, or --fresh to begin a new run in the same file"
    )


def session_row(engine: Engine, kind: str, run_id: str, body: dict[str, Any]) -> Row:
    data = msgspec.json.encode({"run": run_id, "version": __version__, **body})
    parent = "" if kind == "run_started" else RUN_ROW
    return Row(engine.now, kind, RUN_ROW, parent, engine.inputs, data)


def session_body(request: RunRequest) -> dict[str, Any]:
    return {
        "wall": time.time(),
        "settings": request.effective,
        "origins": request.origins,
        "approve": request.approve,
        "until": request.until,
        "feed": request.feed,
        "seed": request.seed,
        "symbols": request.symbols,
        "on_bad": request.on_bad,
    }
