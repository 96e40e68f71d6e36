"""Hodl: what part of a profit is put aside, and how much waits to be turned into the asset."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tradeterm.model.money import ZERO, ledger_amount


class HodlState(msgspec.Struct, frozen=True):
    """Earmarks, written down."""

    earmarks: dict[str, Decimal]


class Earmarks:
    """Account currency that waits in trading, by asset, until it is worth an order.

    A purchase takes what it cost, fee included, off its earmark: what the lot cut off waits on,
    and what a walk through the book cost more is taken off the next share (an earmark below 0).
    """

    def __init__(self) -> None:
        self._amounts: dict[str, Decimal] = {}

    def amount(self, asset: str) -> Decimal:
        """What waits for an asset."""
        return self._amounts.get(asset, ZERO)

    def amounts(self) -> dict[str, Decimal]:
        """All of them (a copy)."""
        return dict(self._amounts)

    def add(self, asset: str, amount: Decimal) -> None:
        """A share of a profit came (+), or was spent (−)."""
        self._amounts[asset] = self.amount(asset) + amount

    def dump(self) -> HodlState:
        """All of them."""
        return HodlState(dict(self._amounts))

    def load(self, state: HodlState) -> None:
        """Become what was dumped."""
        self._amounts = dict(state.earmarks)


def shares(profit: Decimal, percent: Decimal, split: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """``percent`` of a profit by asset; the parts sum to it, the last one takes the remainder."""
    if profit <= 0 or not split:
        return {}
    whole = ledger_amount(profit * percent / 100)
    parts = {asset: ledger_amount(whole * part / 100) for asset, part in split.items()}
    last = next(asset for asset in reversed(parts) if split[asset] > 0)
    parts[last] += whole - sum(parts.values(), ZERO)
    return {asset: amount for asset, amount in parts.items() if amount}


__all__ = ["Earmarks", "HodlState", "shares"]
