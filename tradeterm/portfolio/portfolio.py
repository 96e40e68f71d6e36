"""The portfolio room: ledger, booking, equity marks, and the account as everybody sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import add, is_

import msgspec

from tradeterm.errors import LedgerError
from tradeterm.model.account import FEES, HODL, PNL, TRADING, AccountView, Entry
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ZERO, ledger_amount, ledger_cost
from tradeterm.model.orders import Charged, Fill, Filled, Order, Position
from tradeterm.model.pnl import price_gains
from tradeterm.model.vocabulary import Level, RunState
from tradeterm.portfolio.booking import (
    adjustment,
    deposit,
    entry_of,
    model_cost,
    put_aside,
    resized,
    rollover,
)
from tradeterm.portfolio.hodl import Earmarks, HodlState
from tradeterm.portfolio.ledger import Ledger, LedgerState
from tradeterm.portfolio.marks import Marks, MarksState
from tradeterm.portfolio.valuation import (
    Gains,
    Prices,
    Quote,
    Reserves,
    holdings_value,
)


class PortfolioState(msgspec.Struct, frozen=True):
    """Portfolio, written down."""

    ledger: LedgerState
    marks: MarksState
    hodl: HodlState


class Portfolio:
    """What the account owns. ``quote`` tells the best bid and ask of a symbol right now."""

    def __init__(
        self,
        currency: str,
        instruments: Mapping[str, Instrument],
        ids: Callable[[str], str],
        quote: Quote,
        parity: Sequence[str] = (),
    ) -> None:
        """``parity``: assets that count 1:1 as ``currency``."""
        self.currency = currency
        self.ledger = Ledger()
        self.marks = Marks()
        self.earmarks = Earmarks()
        self._instruments = instruments
        self._ids = ids
        self._prices = Prices(currency, parity, instruments, quote)
        self._gains, self._reserves = Gains(), Reserves(instruments)
        self._settled_at = -1
        """Ledger entries when ``_settled`` was worked out."""
        self._settled = ZERO
        """Cash and collateral: what no price moves."""
        self._moving: dict[str, Decimal] = {}
        """Spot holdings other than cash."""
        self._holdings: dict[str, Decimal] = {}
        """All of them; replaced, never changed: views keep it."""
        self._margin = ZERO
        self._viewed: tuple[object, ...] = ()
        """What ``_view`` was made of."""
        self._view: AccountView | None = None

    def deposit(self, now: int, amount: Decimal, parent: str) -> Entry:
        """Money from outside; the bases of losses move with it."""
        entry = deposit(self._ids("entry"), now, parent, self.currency, amount)
        self.ledger.post(entry)
        self.marks.shift(amount)
        return entry

    def book(self, filled: Filled) -> Entry:
        """Post a fill."""
        entry = entry_of(filled, self._ids("entry"))
        self.ledger.post(entry)
        return entry

    def note_model_cost(self, now: int, amount: Decimal, parent: str) -> Entry:
        """Post what a question to language models cost."""
        entry = model_cost(self._ids("entry"), now, parent, self.currency, ledger_cost(amount))
        self.ledger.post(entry)
        return entry

    def adjust(self, now: int, asset: str, amount: Decimal, parent: str) -> Entry:
        """Take the venue's word on a balance.

        A gain nobody traded for moves the bases of losses, like a deposit; what is missing counts
        as lost until the operator finds it.
        """
        entry = adjustment(self._ids("entry"), now, parent, asset, amount)
        self.ledger.post(entry)
        if amount > 0 and (rate := self._prices.rates.get(asset)) is not None:
            self.marks.shift(ledger_amount(amount * rate))
        return entry

    def adjust_position(self, before: Position, after: Position, parent: str) -> Entry:
        """Collateral of a position that the venue has in another size."""
        entry = resized(self._ids("entry"), parent, before, after, self.currency)
        self.ledger.post(entry)
        return entry

    def keep(self, fill: Fill) -> Entry:
        """What a hodl purchase bought leaves trading for the bag; its earmark pays for it."""
        asset = fill.symbol.split("/")[0]
        cost = (ledger_cost(fill.size * fill.price) + fill.fee) * fill.rate
        self.earmarks.add(asset, -ledger_cost(cost))
        return self._put_aside(fill.ts, asset, fill.size, fill.id)

    def keep_cash(self, now: int, parent: str) -> Entry:
        """The account currency's own earmark moves from trading to the bag."""
        amount = self.earmarks.amount(self.currency)
        self.earmarks.add(self.currency, -amount)
        return self._put_aside(now, self.currency, amount, parent)

    def _put_aside(self, now: int, asset: str, amount: Decimal, parent: str) -> Entry:
        """Equity falls by what the bag gains; the bases of losses move with it."""
        entry = put_aside(self._ids("entry"), now, parent, asset, amount)
        worth = ledger_amount(amount * self.rate(asset))
        self.ledger.post(entry)
        self.marks.shift(-worth)
        return entry

    def bag(self, asset: str) -> Decimal:
        """What was put aside of an asset."""
        return self.ledger.balance(HODL, asset)

    def owned(self) -> dict[str, Decimal]:
        """What a venue holds for us, by asset: trading and hodl (collateral is the positions')."""
        held = self.ledger.account(TRADING)
        for asset, amount in self.ledger.account(HODL).items():
            held[asset] = held.get(asset, ZERO) + amount
        return held

    def charge(self, charged: Charged) -> Entry:
        """Post a rollover fee."""
        entry = rollover(charged, self._ids("entry"), self.currency)
        self.ledger.post(entry)
        return entry

    def funds(self, asset: str) -> Decimal:
        """The trading balance of an asset."""
        return self.ledger.balance(TRADING, asset)

    @property
    def holds_assets(self) -> bool:
        """Whether spot holdings make the equity move."""
        if self._settled_at != self.ledger.entries:
            self._settle()
        return bool(self._moving)

    def moves_with(self, symbol: str) -> bool:
        """Whether spot holdings, if any, are worth what this symbol's price says."""
        if self._settled_at != self.ledger.entries:
            self._settle()
        return all(self._prices.priced_by(asset) == symbol for asset in self._moving)

    def prices(self) -> Prices:
        """Quotes and rates of this moment: all an account view knows of them, without the view."""
        self._prices.refresh()
        return self._prices

    def mid(self, symbol: str) -> Decimal | None:
        """Mid price in quote currency; None while there is no price."""
        prices = self._prices
        prices.refresh()
        bid, ask = prices.bids.get(symbol), prices.asks.get(symbol)
        return None if bid is None or ask is None else (bid + ask) / 2

    def priced_by(self, asset: str) -> str | None:
        """The symbol an asset's rate comes from; None when it counts as account currency."""
        return self._prices.priced_by(asset)

    def rate(self, asset: str) -> Decimal:
        """Asset → account currency at mid; LedgerError when there is no price for it."""
        prices = self._prices
        if asset in prices.worth_one:
            return ONE
        prices.refresh()
        rate = prices.rates.get(asset)
        if rate is None:
            raise LedgerError(
                f"no price for {asset} in {self.currency}; add {asset}/{self.currency} to the run"
            )
        return rate

    def fees(self) -> dict[str, Decimal]:
        """Fees paid, by asset."""
        return self.ledger.account(FEES)

    def realised(self) -> Decimal:
        """Price P&L of closed margin trades before fees, in account currency."""
        return -self.ledger.balance(PNL, self.currency)

    def equity(self, positions: Mapping[str, Position]) -> Decimal:
        """Trading at mid + margin + unrealised at the exit side, without hodl."""
        prices = self._prices
        prices.refresh()
        if self._settled_at != self.ledger.entries:
            self._settle()
        worth = self._settled
        if self._moving:
            worth += holdings_value(self._moving, prices.rates)
        return worth + self._gains.of(tuple(positions.values()), prices) if positions else worth

    def equities(
        self, positions: Iterable[Position], prices: Sequence[Decimal], rate: Decimal
    ) -> list[Decimal]:
        """``equity`` at each of ``prices`` in turn, of the one symbol that everything moves with."""
        if self._settled_at != self.ledger.entries:
            self._settle()
        worth = [self._settled] * len(prices)
        for amount in self._moving.values():
            worth = [
                so_far + ledger_amount(amount * price)
                for so_far, price in zip(worth, prices, strict=True)
            ]
        for position in positions:
            worth = list(map(add, worth, price_gains(position, prices, rate)))
        return worth

    def _settle(self) -> None:
        currency = self.currency
        self._holdings = holdings = self.ledger.account(TRADING)
        self._moving = {a: amount for a, amount in holdings.items() if amount and a != currency}
        self._margin = self.ledger.margin(currency)
        self._settled = ledger_amount(holdings.get(currency, ZERO)) + self._margin
        self._settled_at = self.ledger.entries

    def account_view(
        self,
        now: int,
        positions: Mapping[str, Position],
        working: Mapping[str, Order],
        state: RunState,
        level: Level,
    ) -> AccountView:
        """The truth about the account at this moment: one proposal asks for it many times."""
        prices, marks = self._prices, self.marks
        prices.refresh()
        high = marks.high(now)
        made_of = (
            now, state, level, self.ledger.entries, prices.bids, marks.day_start, high,
            marks.week_start, marks.peak, marks.loss_streak, *positions.values(), *working.values(),
        )  # fmt: skip
        known, view = self._viewed, self._view
        # The very same objects: equal amounts may be written differently.
        if view is not None and len(known) == len(made_of) and all(map(is_, known, made_of)):
            return view
        view = self._view = self._seen(now, high, positions, working, state, level)
        self._viewed = made_of
        return view

    def _seen(
        self, now: int, high: Decimal, positions: Mapping[str, Position],
        working: Mapping[str, Order], state: RunState, level: Level,
    ) -> AccountView:  # fmt: skip
        prices, marks = self._prices, self.marks
        if self._settled_at != self.ledger.entries:
            self._settle()
        holdings, held = self._holdings, tuple(positions.values())
        worth, open_gain = self._settled, self._gains.of(held, prices)
        if self._moving:
            worth += holdings_value(self._moving, prices.rates)
        reserved = self._reserves.of(tuple(working.values()), prices)
        return AccountView(
            ts=now, currency=self.currency, equity=worth + open_gain,
            cash=holdings.get(self.currency, ZERO), reserved=reserved, margin_used=self._margin,
            unrealised=open_gain, positions=held, entries=self._reserves.entries,
            holdings=holdings, rates=prices.rates, bids=prices.bids, asks=prices.asks,
            day_start_equity=marks.day_start, high_equity=high,
            week_start_equity=marks.week_start, peak_equity=marks.peak,
            loss_streak=marks.loss_streak, state=state, level=level,
        )  # fmt: skip

    def dump(self) -> PortfolioState:
        """Everything that can change a later answer; prices follow from the market."""
        return PortfolioState(self.ledger.dump(), self.marks.dump(), self.earmarks.dump())

    def load(self, state: PortfolioState) -> None:
        """Become what was dumped."""
        self.ledger.load(state.ledger)
        self._settled_at = -1
        self._view = None
        self.marks.load(state.marks)
        self.earmarks.load(state.hodl)
