"""The double-entry ledger: the only place where a balance is changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.errors import LedgerError
from tradeterm.model.account import HODL, TRADING, Entry
from tradeterm.model.money import ZERO, plain

#: Prefix of the accounts that hold a position's collateral.
MARGIN_PREFIX: Final = "margin:"


class LedgerState(msgspec.Struct, frozen=True):
    """Ledger, written down."""

    balances: dict[str, dict[str, Decimal]]
    entries: int


class Ledger:
    """Balances per account and asset.

    Accounts of ours (trading, hodl, margin) can never be overdrawn, and nothing ever leaves hodl;
    the others are the rest of the world seen from here and may be negative.
    """

    def __init__(self) -> None:
        self.entries = 0
        self._balances: dict[str, dict[str, Decimal]] = {}

    def post(self, entry: Entry) -> None:
        """Book an entry as a whole or, when it is not allowed, not at all."""
        changes = self._checked(entry)
        for (account, asset), balance in changes.items():
            assets = self._balances.setdefault(account, {})
            assets[asset] = balance
            if not balance and account.startswith(MARGIN_PREFIX):
                del assets[asset]
                if not assets:
                    del self._balances[account]
        self.entries += 1

    def _checked(self, entry: Entry) -> dict[tuple[str, str], Decimal]:
        sums: dict[str, Decimal] = {}
        changes: dict[tuple[str, str], Decimal] = {}
        for posting in entry.postings:
            account, asset, amount = posting.account, posting.asset, posting.amount
            if not amount.is_finite():
                raise LedgerError(f"entry {entry.id}: {amount} is not an amount")
            if account == HODL and amount < 0:
                raise LedgerError(
                    f"entry {entry.id} ({entry.kind}) takes {plain(-amount)} "
                    f"{asset} out of the hodl bag, which only grows"
                )
            sums[asset] = sums.get(asset, ZERO) + amount
            key = (account, asset)
            before = changes.get(key)
            changes[key] = (self.balance(account, asset) if before is None else before) + amount
        for asset, rest in sums.items():
            if rest:
                raise LedgerError(
                    f"entry {entry.id} ({entry.kind}): {asset} adds up to {plain(rest)}, not 0"
                )
        for (account, asset), balance in changes.items():
            if balance < 0 and _is_ours(account):
                raise LedgerError(
                    f"entry {entry.id} ({entry.kind}) would leave {plain(balance)} {asset} "
                    f"on {account}"
                )
        return changes

    def balance(self, account: str, asset: str) -> Decimal:
        """What an account holds of an asset."""
        assets = self._balances.get(account)
        return ZERO if assets is None else assets.get(asset, ZERO)

    def account(self, account: str) -> dict[str, Decimal]:
        """All assets of an account (a copy)."""
        return dict(self._balances.get(account, {}))

    def balances(self) -> dict[str, dict[str, Decimal]]:
        """Everything: account → asset → amount (a copy)."""
        return {account: dict(assets) for account, assets in self._balances.items()}

    def margin(self, asset: str) -> Decimal:
        """Collateral of all positions."""
        held = ZERO
        for account, assets in self._balances.items():
            if account.startswith(MARGIN_PREFIX):
                held += assets.get(asset, ZERO)
        return held

    def dump(self) -> LedgerState:
        """All balances."""
        return LedgerState(self.balances(), self.entries)

    def load(self, state: LedgerState) -> None:
        """Become the ledger that was dumped."""
        self._balances = {account: dict(assets) for account, assets in state.balances.items()}
        self.entries = state.entries


def _is_ours(account: str) -> bool:
    return account in (TRADING, HODL) or account.startswith(MARGIN_PREFIX)
