"""From fills to ledger entries: one entry per fill, summing to zero per asset.

Margin is settled in account currency: opening moves collateral from trading to the position's
margin account and pays its opening fee, closing brings its share back together with the P&L (against ``pnl``, so profit
shows there as a negative balance). Spot swaps assets with ``market``; its fee is in the quote
asset, on top. Every fee ends in ``fees``.
"""

from __future__ import annotations

from decimal import Decimal

from tradeterm.errors import LedgerError
from tradeterm.model.account import EXTERNAL, FEES, HODL, LLM, MARKET, PNL, TRADING, Entry, Posting
from tradeterm.model.money import ledger_amount, ledger_cost
from tradeterm.model.orders import Charged, Fill, Filled, Position
from tradeterm.model.vocabulary import AccountBook, Side
from tradeterm.portfolio.ledger import MARGIN_PREFIX


def deposit(entry_id: str, ts: int, parent: str, asset: str, amount: Decimal) -> Entry:
    """Money from outside into trading."""
    postings = (Posting(EXTERNAL, asset, -amount), Posting(TRADING, asset, amount))
    return Entry(entry_id, ts, "deposit", parent, postings)


def adjustment(entry_id: str, ts: int, parent: str, asset: str, amount: Decimal) -> Entry:
    """What the venue has more (or less) of an asset, once the operator takes its word."""
    postings = (Posting(EXTERNAL, asset, -amount), Posting(TRADING, asset, amount))
    return Entry(entry_id, ts, "adjustment", parent, postings)


def resized(entry_id: str, parent: str, before: Position, after: Position, asset: str) -> Entry:
    """Collateral follows a position that the venue has in another size."""
    back = before.collateral - after.collateral
    postings = (
        Posting(MARGIN_PREFIX + after.id, asset, -back),
        Posting(TRADING, asset, back),
    )
    return Entry(entry_id, after.updated, "adjustment", parent, postings)


def model_cost(entry_id: str, ts: int, parent: str, asset: str, amount: Decimal) -> Entry:
    """What language models cost: a memo, paid from outside, so that equity does not move."""
    postings = (Posting(EXTERNAL, asset, -amount), Posting(LLM, asset, amount))
    return Entry(entry_id, ts, "llm", parent, postings)


def put_aside(entry_id: str, ts: int, parent: str, asset: str, amount: Decimal) -> Entry:
    """From trading into the hodl bag, for good."""
    postings = (Posting(TRADING, asset, -amount), Posting(HODL, asset, amount))
    return Entry(entry_id, ts, "hodl", parent, postings)


def entry_of(filled: Filled, entry_id: str) -> Entry:
    """The ledger entry of a fill."""
    fill = filled.fill
    if fill.book is AccountBook.SPOT:
        return _entry(entry_id, fill, "spot", _spot(fill))
    if filled.after is None:
        raise LedgerError(f"margin fill {fill.id} touches no position; it cannot be booked")
    opens = fill.side is filled.after.side.entry
    if opens:
        return _entry(entry_id, fill, "open", _opening(fill, filled.before, filled.after))
    if filled.before is None:
        raise LedgerError(f"fill {fill.id} reduces a position nobody had")
    return _entry(entry_id, fill, "close", _closing(fill, filled.before, filled.after))


def rollover(charged: Charged, entry_id: str, asset: str) -> Entry:
    """The fee for what a position borrows: from trading, the rest out of its collateral."""
    before, after = charged.before, charged.after
    fee, eaten = after.carry - before.carry, before.collateral - after.collateral
    postings = [
        Posting(TRADING, asset, eaten - fee),
        Posting(MARGIN_PREFIX + after.id, asset, -eaten),
        Posting(FEES, asset, fee),
    ]
    kept = tuple([posting for posting in postings if posting.amount])
    return Entry(entry_id, charged.ts, "rollover", after.order_id, kept)


def _opening(fill: Fill, before: Position | None, after: Position) -> list[Posting]:
    moved = after.collateral - (before.collateral if before is not None else 0)
    asset = fill.fee_asset
    fees = fill.fee + after.carry - (before.carry if before is not None else 0)
    return [
        Posting(TRADING, asset, -moved - fees),
        Posting(MARGIN_PREFIX + after.id, asset, moved),
        Posting(FEES, asset, fees),
    ]


def _closing(fill: Fill, before: Position, after: Position) -> list[Posting]:
    back = before.collateral - after.collateral
    gain = after.realised - before.realised
    asset = fill.fee_asset
    return [
        Posting(MARGIN_PREFIX + after.id, asset, -back),
        Posting(TRADING, asset, back + gain - fill.fee),
        Posting(PNL, asset, -gain),
        Posting(FEES, asset, fill.fee),
    ]


def _spot(fill: Fill) -> list[Posting]:
    base, quote = fill.symbol.split("/")
    notional = fill.size * fill.price
    if fill.side is Side.BUY:
        got, paid = fill.size, ledger_cost(notional)
    else:
        got, paid = -fill.size, -ledger_amount(notional)
    return [
        Posting(TRADING, base, got),
        Posting(MARKET, base, -got),
        Posting(TRADING, quote, -paid - fill.fee),
        Posting(MARKET, quote, paid),
        Posting(FEES, quote, fill.fee),
    ]


def _entry(entry_id: str, fill: Fill, kind: str, postings: list[Posting]) -> Entry:
    kept = tuple([posting for posting in postings if posting.amount])
    return Entry(entry_id, fill.ts, kind, fill.id, kept)
