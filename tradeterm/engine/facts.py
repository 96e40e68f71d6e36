"""The standing of a run in a dozen plain facts: what ``tradeterm status`` prints."""

from __future__ import annotations

from typing import Any

from tradeterm.engine.engine import Engine
from tradeterm.engine.watching import watch_only
from tradeterm.model.away import Away
from tradeterm.model.money import plain
from tradeterm.model.timing import iso


def standing_facts(engine: Engine, run: str) -> dict[str, Any]:
    """Money as decimal strings, times as ISO-8601 UTC, age in market seconds."""
    core, account = engine.core, engine.books.account()
    ages = [core.market.age(symbol, engine.now) for symbol in core.market.symbols]
    known = [age for age in ages if age != float("inf")]
    return {
        "run": run,
        "mode": core.mode.value,
        "state": core.state.value,
        "reason": core.state_reason,
        "level": core.level.value,
        "breakers": [breaker.value for breaker in core.tripped],
        "equity": plain(account.equity),
        "currency": account.currency,
        "free": plain(account.free),
        "unrealised": plain(account.unrealised),
        "positions": len(account.positions),
        "entries": len(account.entries),
        "cards": len(engine.trading.pending_cards()),
        "differences": len(engine.reconciliation.open),
        "marks": {
            symbol: plain(mid)
            for symbol in core.market.symbols
            if (mid := account.mid(symbol)) is not None
        },
        "watch_only": watch_only(core),
        "clock_skew": None if core.health is None else core.health.clock_skew,
        "journal_fault": "" if core.health is None else core.health.fault,
        "away": _away(engine.gap.away),
        "market_time": iso(engine.now),
        "data_age": round(min(known), 3) if known else None,
        "state_hash": engine.state_hash(),
    }


def _away(away: Away | None) -> dict[str, Any] | None:
    """What the market did while nobody looked, the last time."""
    if away is None:
        return None
    return {
        "since": iso(away.since),
        "until": iso(away.until) if away.until else None,
        "events": away.events,
        "fills": away.fills,
        "lines": list(away.lines),
    }
