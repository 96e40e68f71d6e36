"""The JSON summary of a headless run: a contract with scripts (DESIGN §10)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tradeterm.engine.counters import BreakerChange
from tradeterm.engine.engine import Engine
from tradeterm.model.money import ZERO, plain
from tradeterm.model.orders import Position
from tradeterm.model.timing import iso
from tradeterm.model.vocabulary import AgentName, Purpose


def summarise(engine: Engine, *, run: str, feed: str, start: int, seconds: float) -> dict[str, Any]:
    """Facts of the run so far. Money as decimal strings, times as ISO-8601 UTC."""
    counters, account = engine.core.counters, engine.books.account()
    return {
        "run": run,
        "feed": feed,
        "market_time": {"from": iso(start), "to": iso(engine.now)},
        "seconds": round(seconds, 3),
        "inputs": engine.input_counts(),
        "agents": {name.value: _agent_counts(engine, name) for name in AgentName},
        "signals": counters.signals,
        "routed": counters.routed,
        "conflicts": {"detected": counters.detected, "resolved": counters.resolved},
        "approvals": counters.cards,
        "verdicts": {**counters.verdicts, "codes": counters.codes},
        "orders": counters.orders,
        "fills": counters.fills,
        "exits": counters.exits,
        "positions": [_position(p) for p in engine.books.execution.positions.values()],
        "plans": {**counters.plans, "open": int(_has_plan(engine))},
        "rebalances": counters.rebalances,
        "balances": _balances(engine),
        "equity": plain(account.equity),
        "fees": plain(_fees(engine)),
        "realised_pnl": plain(counters.realised),
        "unrealised_pnl": plain(account.unrealised),
        "llm": {
            "calls": counters.llm.calls,
            "invalid": counters.llm.invalid,
            "cost": plain(counters.llm.cost),
        },
        "degradation": [
            {"ts": iso(change.ts), "level": change.level, "cause": change.cause}
            for change in counters.degradation
        ],
        "breakers": [_breaker(change) for change in counters.breakers],
        "state": engine.core.state.value,
        "failures": counters.failures,
        "state_hash": engine.state_hash(),
    }


def _breaker(change: BreakerChange) -> dict[str, Any]:
    return {
        "ts": iso(change.ts),
        "breaker": change.breaker,
        "what": change.what,
        "used": plain(change.used),
        "limit": plain(change.limit),
        "words": change.words,
    }


def _has_plan(engine: Engine) -> bool:
    plan = engine.trading.rebalancing.plans.current
    return plan is not None and plan.purpose is Purpose.DCA


def _agent_counts(engine: Engine, name: AgentName) -> dict[str, int]:
    counts = engine.core.counters.agents[name.value]
    return {
        "runs": counts.runs,
        "errors": counts.errors,
        "rule": counts.rule,
        "llm": counts.llm,
        "invalid": counts.invalid,
        "warming": counts.warming,
    }


def _position(position: Position) -> dict[str, Any]:
    return {
        "id": position.id,
        "symbol": position.symbol,
        "side": position.side.value,
        "size": plain(position.size),
        "entry": plain(position.entry),
        "stop": plain(position.stop),
        "target": None if position.target is None else plain(position.target),
        "leverage": plain(position.leverage),
        "collateral": plain(position.collateral),
        "opened": iso(position.opened),
    }


def _balances(engine: Engine) -> dict[str, dict[str, str]]:
    return {
        account: {asset: plain(amount) for asset, amount in assets.items() if amount}
        for account, assets in engine.books.portfolio.ledger.balances().items()
        if any(assets.values())
    }


def _fees(engine: Engine) -> Decimal:
    """All fees paid, in account currency at current rates."""
    rates = engine.books.account().rates
    fees = engine.books.portfolio.fees()
    return sum((amount * rates.get(asset, ZERO) for asset, amount in fees.items()), ZERO)
