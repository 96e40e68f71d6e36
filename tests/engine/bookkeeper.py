"""A second set of books, kept from the journal's fills alone, in other arithmetic than ours.

It rounds nothing, knows no ledger and no portfolio, and complains at the first row that no honest
engine could write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tradeterm.execution.paper import PROTECTIVE
from tradeterm.model.account import Entry
from tradeterm.model.instruments import Instrument
from tradeterm.model.messages import SystemEvent
from tradeterm.model.orders import Fill, Order, Position
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    AccountBook,
    ExitReason,
    OrderStatus,
    PositionSide,
    Purpose,
    Side,
)
from tradeterm.settings.execution import BorrowingFees, MarginSettings

ZERO = Decimal(0)
#: What rounding to a satoshi can add up to, per row that was rounded.
CRUMB = Decimal("0.00000003")
#: Kinds of rows the books are kept from.
KINDS = frozenset({"order", "fill", "entry", "position", "system"})
#: Said only when something is broken inside.
BROKEN = {
    "E-HANDLER", "E-TRADING-HANDLER", "order_overfilled", "order_unknown", "fill_unfitting",
    "fill_late",
}  # fmt: skip
ENDED = {
    OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED,
    OrderStatus.ERROR,
}  # fmt: skip


@dataclass
class Held:
    """A position as its fills make it."""

    symbol: str
    long: bool
    leverage: Decimal
    size: Decimal = ZERO
    cost: Decimal = ZERO
    """Sum of size × price of what is left, at the mean entry; quote currency."""
    margin: Decimal = ZERO
    opened: int = 0
    paid: int = 0
    """How many rollovers."""
    stop: Decimal | None = None

    @property
    def borrows(self) -> bool:
        """Leverage borrows quote, every short borrows base."""
        return self.leverage > 1 or not self.long

    @property
    def sign(self) -> int:
        return 1 if self.long else -1

    @property
    def entry(self) -> Decimal:
        return self.cost / self.size

    def gain(self, price: Decimal, size: Decimal, rate: Decimal) -> Decimal:
        return (price - self.entry) * self.sign * size * rate


@dataclass
class Bookkeeper:
    """Hears every row; ``mids`` and ``exits`` price it: (symbol) → mid, (symbol, long) → price."""

    instruments: Mapping[str, Instrument]
    margin: MarginSettings
    mid: Callable[[str], Decimal]
    exit: Callable[[str, bool], Decimal]
    cash: dict[str, Decimal] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    """The working ones."""
    filled: dict[str, Decimal] = field(default_factory=dict)
    crumbs: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    """Position → the order that opened it."""
    moved_by_hand: set[str] = field(default_factory=set)
    """Positions whose stop the operator may just have put farther away."""
    seen: Counter[str] = field(default_factory=Counter)
    """What came up, so that nobody believes in a rule that was never tried."""

    def hear(self, kind: str, _row_id: str, body: Any, _now: int) -> None:
        if kind in KINDS:
            getattr(self, f"_{kind}")(body)

    def _system(self, event: SystemEvent) -> None:
        assert event.code not in BROKEN, event

    # -- orders ------------------------------------------------------------------------------

    def _order(self, order: Order) -> None:
        request, before = order.request, self.orders.get(order.id)
        if before is None:
            taken = order.status is OrderStatus.OPEN and request.purpose in PROTECTIVE
            assert taken or order.status is OrderStatus.PENDING, f"{order} comes from nowhere"
            assert order.id not in self.filled, f"{order.id} came to life again"
            self.filled[order.id] = ZERO
        assert order.filled == self.filled[order.id] <= request.size
        if order.status is OrderStatus.FILLED:
            assert order.filled == request.size
        if request.reduce_only and order.status not in ENDED and before is None:
            held = self.held[request.position_id or ""]
            assert request.side is (Side.SELL if held.long else Side.BUY)
            assert request.size <= held.size
        if order.status in ENDED:
            self.orders.pop(order.id, None)
        else:
            self.orders[order.id] = order

    # -- fills -------------------------------------------------------------------------------

    def _fill(self, fill: Fill) -> None:
        order = self.orders[fill.order_id]  # a KeyError is a fill after the end
        instrument = self.instruments[fill.symbol]
        assert fill.size > 0
        assert fill.price > 0
        assert fill.size % instrument.lot == fill.price % instrument.tick == 0
        assert (fill.side, fill.symbol) == (order.request.side, order.request.symbol)
        limit = order.request.limit
        if limit is not None and order.request.trigger is None:
            assert fill.price <= limit if fill.side is Side.BUY else fill.price >= limit
        notional = fill.size * fill.price
        if fill.book is AccountBook.MARGIN:
            notional *= fill.rate
        assert 0 <= fill.fee <= notional * instrument.taker_fee + CRUMB
        self.filled[fill.order_id] += fill.size
        self.crumbs += 1
        self.seen[f"fill {fill.evidence}"] += 1
        if fill.book is AccountBook.SPOT:
            self._swap(fill, instrument)
        elif order.request.reduce_only:
            self._reduce(fill, order.request.position_id or "", order.request.exit_reason)
        else:
            self._increase(fill, order)

    def _swap(self, fill: Fill, instrument: Instrument) -> None:
        sign = 1 if fill.side is Side.BUY else -1
        self._pay(instrument.base, -sign * fill.size)
        self._pay(instrument.quote, sign * fill.size * fill.price + fill.fee)

    def _increase(self, fill: Fill, order: Order) -> None:
        request, long = order.request, fill.side is Side.BUY
        assert request.purpose is Purpose.ENTRY
        assert request.position_id is not None
        held = self.held.setdefault(
            request.position_id, Held(fill.symbol, long, request.leverage, opened=fill.ts)
        )
        assert held.long is long
        notional = fill.size * fill.price * fill.rate
        self.ids[request.position_id] = order.id
        held.size += fill.size
        held.cost += fill.size * fill.price
        held.margin += notional / request.leverage
        once = notional * _share(held, self.margin.opening)
        self._pay("USDT", notional / request.leverage + fill.fee + once)

    def _reduce(self, fill: Fill, position_id: str, reason: ExitReason | None) -> None:
        held = self.held[position_id]
        assert fill.side is (Side.SELL if held.long else Side.BUY), "reducing would increase"
        assert fill.size <= held.size, "reducing would turn it round"
        back = held.margin * fill.size / held.size
        # Isolated: what a close loses is at most the collateral it releases.
        gain = max(held.gain(fill.price, fill.size, fill.rate), fill.fee - back)
        self._pay("USDT", fill.fee - back - gain)
        held.cost -= held.entry * fill.size
        held.size -= fill.size
        held.margin -= back
        if not held.size:
            del self.held[position_id]
            self.seen[f"exit {reason}"] += 1

    def _pay(self, asset: str, amount: Decimal) -> None:
        self.cash[asset] = self.cash.get(asset, ZERO) - amount

    # -- what is not a fill --------------------------------------------------------------------

    def _entry(self, entry: Entry) -> None:
        sums: dict[str, Decimal] = {}
        for posting in entry.postings:
            sums[posting.asset] = sums.get(posting.asset, ZERO) + posting.amount
        assert not any(sums.values()), f"{entry} does not sum to zero"
        if entry.kind == "deposit":
            self.cash["USDT"] = self.cash.get("USDT", ZERO) + entry.postings[-1].amount
        elif entry.kind == "rollover":
            self._roll(entry)
        elif entry.kind == "hodl":
            self._put_aside(entry)
        else:
            assert entry.kind in {"open", "close", "spot"}, entry

    def _roll(self, entry: Entry) -> None:
        """A position pays for what it borrows; from trading, or out of its own collateral."""
        self.crumbs += 1
        amounts = {posting.account: posting.amount for posting in entry.postings}
        fee, cash = amounts.pop("fees", ZERO), amounts.pop("trading", ZERO)
        position_id, held = next(
            (name, held) for name, held in self.held.items() if self.ids[name] == entry.parent
        )
        eaten = amounts.pop(f"margin:{position_id}", ZERO)
        assert not amounts
        assert (fee >= 0, cash <= 0, eaten <= 0) == (True, True, True)
        due = held.size * self.mid(held.symbol) * self._rate(held) * _share(
            held, self.margin.rollover
        )  # fmt: skip
        assert fee <= due + CRUMB
        assert eaten or fee >= due - CRUMB, "trading had the money"
        held.paid += 1
        self.seen["rollover"] += 1
        held.margin += eaten
        self._pay("USDT", -cash)
        assert entry.ts == held.opened + held.paid * self.margin.interval * SECOND

    def all_rolled(self, now: int) -> bool:
        """Whether every position that borrows has paid for every interval that is over."""
        span = self.margin.interval * SECOND
        return all(
            (now - 1 - held.opened) // span <= held.paid <= (now - held.opened) // span
            for held in self.held.values() if held.borrows
        )  # fmt: skip

    def _rate(self, held: Held) -> Decimal:
        quote = held.symbol.partition("/")[2]
        return Decimal(1) if quote == "USDT" else self.mid(f"{quote}/USDT")

    def _put_aside(self, entry: Entry) -> None:
        """What the bag gains trading has less; nothing ever comes back."""
        for posting in entry.postings:
            assert (posting.account, posting.amount > 0) in {("hodl", True), ("trading", False)}
            if posting.account == "trading":
                self._pay(posting.asset, -posting.amount)
        self.seen["hodl"] += 1

    def _position(self, body: dict[str, Any]) -> None:
        position: Position = body["position"]
        held = self.held.get(position.id)
        if held is None:
            assert position.closed is not None
            assert position.size == 0
            return
        assert position.size == held.size
        assert (position.side is PositionSide.LONG) is held.long
        if held.stop is not None and position.id not in self.moved_by_hand:
            assert (position.stop - held.stop) * held.sign >= 0, f"{position.id}: a stop loosened"
        held.stop = position.stop

    # -- the whole account -----------------------------------------------------------------------

    @property
    def slack(self) -> Decimal:
        return CRUMB * (self.crumbs + 2) * 10

    def equity(self) -> Decimal:
        """Cash and assets at mid, collateral, and what closing at the touch would gain."""
        worth = self.cash.get("USDT", ZERO)
        for asset, amount in self.cash.items():
            if asset != "USDT" and amount:
                worth += amount * self.mid(f"{asset}/USDT")
        for held in self.held.values():
            price = self.exit(held.symbol, held.long)
            worth += held.margin + held.gain(price, held.size, self._rate(held))
        return worth


def _share(held: Held, fees: BorrowingFees) -> Decimal:
    """Fraction of notional."""
    return (fees.long if held.long else fees.short) / 100 if held.borrows else ZERO
