"""What everything is worth now: quotes as exact amounts, rates, reserves, unrealised P&L."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ZERO, exact, ledger_amount, ledger_cost, total
from tradeterm.model.orders import Order, Position
from tradeterm.model.pnl import gain_of, signed_size
from tradeterm.model.vocabulary import AccountBook, PositionSide, Purpose, Side

#: Best (bid, ask) of a symbol, or the last price for both while a book is unusable; None before
#: there is any price. Falling back is the market's part: equity must not collapse, and breakers
#: fire, because a book was crossed for a moment.
Quote = Callable[[str], tuple[float | None, float | None]]


class Prices:
    """Quotes of all symbols as Decimals: a pure function of the market, however often it is read.

    Conversions are kept until the float changes.
    """

    def __init__(
        self,
        currency: str,
        parity: Sequence[str],
        instruments: Mapping[str, Instrument],
        quote: Quote,
    ) -> None:
        """``parity``: assets that count 1:1 as the account currency, by config."""
        worth_one = (currency, *parity)
        self.bids: dict[str, Decimal] = {}
        self.asks: dict[str, Decimal] = {}
        self.rates: dict[str, Decimal] = dict.fromkeys(worth_one, ONE)
        self._quote = quote
        self._seen: dict[str, tuple[float | None, float | None]] = {}
        self._instruments = instruments
        self._rated = {
            instrument.base: symbol
            for symbol, instrument in instruments.items()
            if instrument.quote in worth_one
        }
        self.worth_one = frozenset(worth_one) - self._rated.keys()
        """Assets whose rate is 1 at any moment."""

    def priced_by(self, asset: str) -> str | None:
        """The symbol whose mid is the asset's rate."""
        return self._rated.get(asset)

    def refresh(self) -> None:
        """Take in the quotes of this moment; ``bids``, ``asks``, ``rates`` become new dicts."""
        changed: list[tuple[str, float | None, float | None]] = []
        quote, seen = self._quote, self._seen
        for symbol in self._instruments:
            now = quote(symbol)
            if seen.get(symbol) != now:
                seen[symbol] = now
                changed.append((symbol, *now))
        if not changed:
            return
        known = len(self.bids)
        self.bids, self.asks, self.rates = dict(self.bids), dict(self.asks), dict(self.rates)
        for symbol, bid, ask in changed:
            self._take(symbol, bid, ask)
        if len(self.bids) != known:
            self._in_order()

    def _in_order(self) -> None:
        """Keep the instruments' order, whichever symbol got its price first."""
        priced = [symbol for symbol in self._instruments if symbol in self.bids]
        self.bids = {symbol: self.bids[symbol] for symbol in priced}
        self.asks = {symbol: self.asks[symbol] for symbol in priced}
        bases = [base for base, symbol in self._rated.items() if symbol in self.bids]
        rates = {asset: rate for asset, rate in self.rates.items() if asset not in self._rated}
        self.rates = rates | {base: self.rates[base] for base in bases}

    def _take(self, symbol: str, bid: float | None, ask: float | None) -> None:
        base = self._instruments[symbol].base
        rated = self._rated.get(base) == symbol
        if bid is None or ask is None:
            # Without a price an asset has no rate: it is absent, never guessed.
            self.bids.pop(symbol, None)
            self.asks.pop(symbol, None)
            if rated:
                self.rates.pop(base, None)
            return
        low = self.bids[symbol] = exact(bid)
        high = self.asks[symbol] = low if ask == bid else exact(ask)
        if rated:
            self.rates[base] = low if high is low else (low + high) / 2


#: Symbol, its quote currency, and whether long.
_Side = tuple[str, str, bool]


class Gains:
    """P&L of what is open, at the exit side of the book; unpriced positions count nothing.

    Summed by symbol and side: a sum is kept while its positions, price and rate are what they were.
    """

    def __init__(self) -> None:
        self._positions: tuple[Position, ...] = ()
        self._legs: dict[_Side, list[tuple[Decimal, Decimal]]] = {}
        """(Entry, signed size) of each position."""
        self._known: dict[_Side, tuple[Decimal, Decimal, Decimal]] = {}
        """(Price, rate, gain) when it was last worked out."""

    def of(self, positions: tuple[Position, ...], prices: Prices) -> Decimal:
        """The sum in account currency."""
        if positions != self._positions:
            self._sort(positions)
        gain, known = ZERO, self._known
        for side, legs in self._legs.items():
            symbol, quote, long = side
            price = (prices.bids if long else prices.asks).get(symbol)
            rate = prices.rates.get(quote)
            if price is None or rate is None:
                continue
            seen = known.get(side)
            if seen is None or seen[0] is not price or seen[1] is not rate:
                worth = ZERO
                for entry, signed in legs:
                    worth += gain_of(entry, signed, price, rate)
                seen = known[side] = (price, rate, worth)
            gain += seen[2]
        return gain

    def _sort(self, positions: tuple[Position, ...]) -> None:
        self._legs, self._known = {}, {}
        for position in positions:
            symbol, long = position.symbol, position.side is PositionSide.LONG
            legs = self._legs.setdefault((symbol, symbol.split("/")[1], long), [])
            legs.append((position.entry, signed_size(position)))
        self._positions = positions


def holdings_value(holdings: Mapping[str, Decimal], rates: Mapping[str, Decimal]) -> Decimal:
    """Trading balances at mid, in account currency; assets without a price count nothing."""
    value = ZERO
    for asset, amount in holdings.items():
        rate = rates.get(asset)
        if amount and rate is not None:
            value += ledger_amount(amount * rate)
    return value


class _Claim(NamedTuple):
    """What a working order may still cost: collateral or price, and taker fee."""

    symbol: str
    buys: bool
    quote: str
    price: Decimal | None
    """Its limit; without one it pays the book."""
    remaining: Decimal
    factor: Decimal
    """Own part of the notional, plus fee."""

    def cost(self, prices: Prices) -> Decimal:
        """In account currency; nothing while there is no price."""
        price, rate = self.price, prices.rates.get(self.quote)
        if price is None:
            price = (prices.asks if self.buys else prices.bids).get(self.symbol)
        if price is None or rate is None:
            return ZERO
        return ledger_cost(self.remaining * price * rate * self.factor)


class Reserves:
    """What all working orders may still cost; limits cost the same while their rate stays."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._working: tuple[Order, ...] = ()
        self._limits: dict[str, list[_Claim]] = {}
        """By quote currency, whose rate is all that moves them."""
        self._known: dict[str, tuple[Decimal | None, Decimal]] = {}
        """Quote currency → (rate, cost) when it was last worked out."""
        self._markets: list[_Claim] = []
        self.entries: tuple[Order, ...] = ()
        """The margin entries among them."""

    def of(self, working: tuple[Order, ...], prices: Prices) -> Decimal:
        """The sum in account currency; ``entries`` are of the same orders then."""
        if working != self._working:
            self._sort(working)
        cost, known = ZERO, self._known
        for quote, claims in self._limits.items():
            rate, seen = prices.rates.get(quote), known.get(quote)
            if seen is None or seen[0] is not rate:
                seen = known[quote] = (rate, total(claim.cost(prices) for claim in claims))
            cost += seen[1]
        for claim in self._markets:
            cost += claim.cost(prices)
        return cost

    def _sort(self, working: tuple[Order, ...]) -> None:
        self._limits, self._known, self._markets = {}, {}, []
        entries = []
        for order in working:
            request = order.request
            margin, buys = request.book is AccountBook.MARGIN, request.side is Side.BUY
            entry = margin and request.purpose is Purpose.ENTRY
            if request.reduce_only or not (entry or (not margin and buys)):
                continue
            if entry:
                entries.append(order)
            instrument = self._instruments[request.symbol]
            share = ONE / request.leverage if margin else ONE
            claim = _Claim(
                request.symbol, buys, instrument.quote, request.limit, order.remaining,
                share + instrument.taker_fee,
            )  # fmt: skip
            if claim.price is None:
                self._markets.append(claim)
            else:
                self._limits.setdefault(claim.quote, []).append(claim)
        self._working, self.entries = working, tuple(entries)
