"""Builds what the screen shows of risk. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tradeterm.engine.breaking import ACTIONS
from tradeterm.engine.engine import Engine
from tradeterm.engine.riskview import BreakerView, CooldownView, LimitView, RiskView, VerdictView
from tradeterm.model.account import AccountView
from tradeterm.model.money import ZERO
from tradeterm.model.vocabulary import Breaker, Level, RunState
from tradeterm.risk.breakers import Reading, readings
from tradeterm.risk.burden import Burden

LAST_VERDICTS = 12
EVERYWHERE = "*"


def risk_view(engine: Engine, account: AccountView) -> RiskView:
    """Limits, cool-downs and blocks as of now; what losses are measured from is marked by the minute."""
    bases = engine.breaking.bases()._replace(equity=account.equity)
    read = readings(bases, engine.core.settings.risk)
    cooldowns = tuple(_cooldowns(engine))
    return RiskView(
        limits=tuple(_limits(engine, account, read)),
        breakers=tuple(_breaker(engine, reading) for reading in read),
        cooldowns=cooldowns,
        blocked=tuple(_blocked(engine, cooldowns)),
        verdicts=tuple(
            VerdictView(v.id, v.ts, v.symbol, v.side, v.status, v.codes)
            for v in reversed(engine.trading.judging.recent)
        )[:LAST_VERDICTS],
    )


def _limits(engine: Engine, account: AccountView, read: tuple[Reading, ...]) -> Iterator[LimitView]:
    risk = engine.core.settings.risk
    names = {
        Breaker.DAILY: "daily loss", Breaker.WEEKLY: "weekly loss", Breaker.DRAWDOWN: "drawdown",
        Breaker.LOSSES: "losses in a row",
    }  # fmt: skip
    for reading in read:
        unit = "" if reading.breaker is Breaker.LOSSES else "%"
        used = max(float(reading.used), 0.0)
        yield LimitView(names[reading.breaker], used, float(reading.limit), unit)
    yield from _machinery(engine)
    try:
        burden = Burden(account)
    except ArithmeticError:
        return  # something held has no price: the blocked reasons say so
    equity = account.equity
    stacked = _most_stacked(engine, burden)
    for name, part, limit in (
        ("exposure", burden.notional, risk.max_exposure),
        ("correlated", stacked, risk.max_correlated),
        ("margin", burden.margin, risk.max_margin),
    ):
        yield LimitView(name, _percent(part, equity), float(limit), "%")
    yield LimitView("positions", float(burden.total), float(risk.max_positions), "")


def _machinery(engine: Engine) -> Iterator[LimitView]:
    """Clock and journal, where a market goes on without us (live)."""
    health, risk = engine.core.health, engine.core.settings.risk
    if health is None:
        return
    if health.clock_skew is not None:
        yield LimitView("clock skew", abs(health.clock_skew), risk.max_clock_skew, "s")
    yield LimitView("journal lag", health.journal_lag, risk.max_journal_lag, "s")


def _unsound(engine: Engine) -> Iterator[tuple[str, str]]:
    """What clock and journal keep off, in words."""
    health, risk = engine.core.health, engine.core.settings.risk
    if health is None:
        return
    if health.fault:
        yield EVERYWHERE, "the journal cannot be written"
    elif not health.journal_lag <= risk.max_journal_lag:
        yield EVERYWHERE, f"the journal lags {health.journal_lag:.1f} s"
    if health.clock_skew is None:
        yield EVERYWHERE, "the exchange's clock is not known yet"
    elif not abs(health.clock_skew) <= risk.max_clock_skew:
        yield EVERYWHERE, f"our clock is {health.clock_skew:+.1f} s off the exchange's"


def _most_stacked(engine: Engine, burden: Burden) -> Decimal:
    """The largest signed correlated notional seen from any symbol held."""
    rho = engine.core.settings.risk.correlation
    return max(
        (
            abs(sum((rho(view, other) * n for other, n in burden.signed.items()), ZERO))
            for view in burden.signed
        ),
        default=ZERO,
    )


def _breaker(engine: Engine, reading: Reading) -> BreakerView:
    tripped = engine.core.tripped.get(reading.breaker)
    return BreakerView(
        name=reading.breaker.value,
        used=max(float(reading.used), 0.0),
        limit=float(reading.limit),
        unit="" if reading.breaker is Breaker.LOSSES else "%",
        does=ACTIONS[reading.breaker],
        tripped=None if tripped is None else tripped.ts,
    )


def _cooldowns(engine: Engine) -> Iterator[CooldownView]:
    now, judging = engine.now, engine.trading.judging
    for key, until in engine.books.conduct.running(now).items():
        cause, _, symbol = key.rpartition(" ") if "/" in key else (key, "", EVERYWHERE)
        yield CooldownView(cause, symbol, until)
    for symbol in engine.core.market.symbols:
        for cause, until in judging.turbulent(symbol):
            yield CooldownView(cause, symbol, until)


def _blocked(engine: Engine, cooldowns: tuple[CooldownView, ...]) -> Iterator[tuple[str, str]]:
    core = engine.core
    if core.state is not RunState.RUNNING:
        yield EVERYWHERE, f"{core.state}: {core.state_reason}"
    if core.level is Level.EMERGENCY:
        yield EVERYWHERE, "level EMERGENCY: no new exposure"
    yield from _unsound(engine)
    for breaker in core.tripped:
        yield EVERYWHERE, f"breaker {breaker} waits"
    for wait in cooldowns:
        if wait.cause != "rebalance":
            yield wait.symbol, f"cool-down: {wait.cause}"
    for symbol in core.market.symbols:
        if core.market.stale(symbol, engine.now):
            yield symbol, "data is stale"
        if why := core.restricted(symbol):
            yield symbol, f"reducing only: {why}"
        if difference := core.unreconciled(symbol):
            yield symbol, f"differs from the venue: {difference}"


def _percent(part: Decimal, whole: Decimal) -> float:
    return float(part / whole * 100) if whole > 0 else 0.0
