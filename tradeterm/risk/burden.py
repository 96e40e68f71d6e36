"""What the account already carries: exposure, margin and counts, pending entries included."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.model.account import AccountView
from tradeterm.model.money import ONE, ZERO
from tradeterm.model.orders import Order
from tradeterm.model.vocabulary import Side


class Unpriced(ArithmeticError):
    """Something held has no price or rate, so no exposure can be stated."""


class Burden:
    """Sums over positions and working entries, in account currency."""

    __slots__ = ("margin", "notional", "sides", "signed", "total")

    def __init__(self, account: AccountView) -> None:
        """Positions count at mid, entries at their limit or the ask."""
        self.notional = ZERO
        self.margin = account.margin_used
        self.signed: dict[str, Decimal] = {}
        """Symbol → notional, shorts negative."""
        self.sides: dict[str, tuple[int, int]] = {}
        """Symbol → (longs, shorts), positions and entries that are not one yet."""
        self.total = 0
        held = set()
        for position in account.positions:
            held.add(position.order_id)
            notional = position.size * _mid(account, position.symbol)
            self._add(position.symbol, position.side.sign, notional)
            self._count(position.symbol, position.side.sign)
        for order in account.entries:
            self._pending(account, order, counted=order.request.id in held)

    def _pending(self, account: AccountView, order: Order, *, counted: bool) -> None:
        request = order.request
        rate = _rate(account, request.symbol)
        price = request.limit * rate if request.limit else _ask(account, request.symbol) * rate
        notional = order.remaining * price
        sign = 1 if request.side is Side.BUY else -1
        self._add(request.symbol, sign, notional)
        self.margin += notional / request.leverage
        if not counted:
            self._count(request.symbol, sign)

    def _add(self, symbol: str, sign: int, notional: Decimal) -> None:
        self.notional += notional
        self.signed[symbol] = self.signed.get(symbol, ZERO) + sign * notional

    def _count(self, symbol: str, sign: int) -> None:
        longs, shorts = self.sides.get(symbol, (0, 0))
        self.sides[symbol] = (longs + 1, shorts) if sign > 0 else (longs, shorts + 1)
        self.total += 1


def _rate(account: AccountView, symbol: str) -> Decimal:
    quote = symbol.rpartition("/")[2]
    rate = ONE if quote == account.currency else account.rates.get(quote)
    if rate is None or not rate > 0:
        raise Unpriced(f"no rate for {quote}")
    return rate


def _mid(account: AccountView, symbol: str) -> Decimal:
    mid = account.mid(symbol)
    if mid is None or not mid > 0:
        raise Unpriced(f"no price for {symbol}")
    return mid * _rate(account, symbol)


def _ask(account: AccountView, symbol: str) -> Decimal:
    ask = account.asks.get(symbol)
    if ask is None or not ask > 0:
        raise Unpriced(f"no price for {symbol}")
    return ask
