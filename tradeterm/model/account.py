"""The truth about the account, built from the ledger for the very call that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tradeterm.model.orders import Order, Position
from tradeterm.model.vocabulary import Level, RunState

#: Ledger accounts; ``margin`` accounts are ``margin:<position id>``.
TRADING, HODL, MARKET, FEES, PNL, LLM, EXTERNAL = (
    "trading",
    "hodl",
    "market",
    "fees",
    "pnl",
    "llm",
    "external",
)


class Posting(msgspec.Struct, frozen=True, gc=False):
    """One leg of an entry: ``amount`` of ``asset`` into (+) or out of (−) ``account``."""

    account: str
    asset: str
    amount: Decimal


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A set of postings that sums to zero per asset."""

    id: str
    ts: int
    kind: str
    """``deposit``, ``open``, ``close``, ``rollover``, ``spot``, ``hodl``, ``llm`` …"""
    parent: str
    postings: tuple[Posting, ...]


class AccountView(msgspec.Struct, frozen=True, gc=False):
    """Immutable account state. All amounts in account currency unless said otherwise."""

    ts: int
    currency: str
    equity: Decimal
    """Trading balances at mid + margin + unrealised at the exit side; without hodl."""
    cash: Decimal
    """Trading balance in account currency."""
    reserved: Decimal
    """Collateral and taker fees of working entries and spot buys."""
    margin_used: Decimal
    unrealised: Decimal
    positions: tuple[Position, ...]
    entries: tuple[Order, ...]
    """Working margin entries."""
    holdings: Mapping[str, Decimal]
    """Trading balances by asset, account currency included."""
    rates: Mapping[str, Decimal]
    """Asset → account currency at mid; assets without a price are absent."""
    bids: Mapping[str, Decimal]
    """Best bid by symbol, in quote currency."""
    asks: Mapping[str, Decimal]
    day_start_equity: Decimal
    """The mark at 00:00 UTC."""
    high_equity: Decimal
    """The highest mark of the last 24 hours."""
    week_start_equity: Decimal
    """The mark on Monday, 00:00 UTC."""
    peak_equity: Decimal
    """The highest mark since the last reset."""
    loss_streak: int
    """Losing trades in a row."""
    state: RunState
    level: Level

    @property
    def free(self) -> Decimal:
        """Cash that is not spoken for."""
        return self.cash - self.reserved

    def mid(self, symbol: str) -> Decimal | None:
        """Mid price of a symbol, in its quote currency."""
        bid, ask = self.bids.get(symbol), self.asks.get(symbol)
        return None if bid is None or ask is None else (bid + ask) / 2
