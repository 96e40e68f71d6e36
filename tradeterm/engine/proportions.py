"""How much of the account something is: for the pictures of status, positions and cards."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.model.account import AccountView
from tradeterm.model.money import ZERO


def percent(part: Decimal, whole: Decimal) -> float:
    """0 where there is no whole."""
    return float(part / whole * 100) if whole > 0 else 0.0


def notional(account: AccountView, symbol: str, size: Decimal, price: Decimal) -> Decimal:
    """Size × price in account currency; 0 while the quote has no rate."""
    return size * price * account.rates.get(symbol.partition("/")[2], ZERO)


def exposure(account: AccountView) -> Decimal:
    """Notional of margin positions and of entries that are pending, account currency."""
    held = sum(
        (
            notional(account, p.symbol, p.size, account.mid(p.symbol) or p.entry)
            for p in account.positions
        ),
        ZERO,
    )
    pending = sum(
        (
            notional(
                account,
                o.request.symbol,
                o.remaining,
                o.request.limit or account.mid(o.request.symbol) or ZERO,
            )
            for o in account.entries
        ),
        ZERO,
    )
    return held + pending
