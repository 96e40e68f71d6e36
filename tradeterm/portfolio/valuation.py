"""What everything is worth now: quotes as exact amounts, rates, reserves, unrealised P&L."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ZERO, exact, ledger_amount, ledger_cost
from tradeterm.model.orders import Order, Position
from tradeterm.model.pnl import price_gain
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


def unrealised(positions: Iterable[Position], prices: Prices) -> Decimal:
    """P&L of open positions at the exit side of the book; unpriced ones count nothing."""
    gain = ZERO
    for position in positions:
        exits = prices.bids if position.side is PositionSide.LONG else prices.asks
        price = exits.get(position.symbol)
        rate = prices.rates.get(position.symbol.split("/")[1])
        if price is not None and rate is not None:
            gain += price_gain(position, price, position.size, rate)
    return gain


def holdings_value(holdings: Mapping[str, Decimal], rates: Mapping[str, Decimal]) -> Decimal:
    """Trading balances at mid, in account currency; assets without a price count nothing."""
    value = ZERO
    for asset, amount in holdings.items():
        rate = rates.get(asset)
        if amount and rate is not None:
            value += ledger_amount(amount * rate)
    return value


def reserve(order: Order, instrument: Instrument, prices: Prices) -> Decimal:
    """What a working order may still cost: collateral or price, and taker fee."""
    request = order.request
    spot = request.book is AccountBook.SPOT
    if (spot and request.side is Side.SELL) or (not spot and request.purpose is not Purpose.ENTRY):
        return ZERO
    price = request.limit
    if price is None:
        price = (prices.asks if request.side is Side.BUY else prices.bids).get(request.symbol)
    rate = prices.rates.get(instrument.quote)
    if price is None or rate is None:
        return ZERO
    share = ONE if spot else ONE / request.leverage
    return ledger_cost(order.remaining * price * rate * (share + instrument.taker_fee))
