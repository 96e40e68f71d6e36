"""The regimes of the picture the screen's tests look at."""

from __future__ import annotations

from tradeterm.engine.view import RegimeSpell
from tradeterm.model.timing import MINUTE


def spells(now: int) -> dict[str, tuple[RegimeSpell, ...]]:
    """A fall that was over before anybody spoke again; two since, the second ended the first."""
    return {
        "BTC/USDT": (
            RegimeSpell("trending_bear", now - 90 * MINUTE, now - 30 * MINUTE),
            RegimeSpell("choppy", now - 21 * MINUTE, now + MINUTE),
            RegimeSpell("ranging", now - 12 * MINUTE, now + MINUTE),
        )
    }
