"""What the account already carries: exposure, margin and counts, pending entries included."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.model.account import AccountView
from tradeterm.model.money import ONE, ZERO
from tradeterm.model.orders import Order, Position
from tradeterm.model.vocabulary import Side


class Unpriced(ArithmeticError):
    """Something held has no price or rate, so no exposure can be stated."""


class _Held:
    """One symbol's sizes (base), summed before they are priced: a price is one product then."""

    __slots__ = ("entries", "longs", "margin", "positions", "shorts", "signed", "signed_entries")

    def __init__(self) -> None:
        self.longs = self.shorts = 0
        self.positions = self.signed = ZERO
        self.entries = self.signed_entries = ZERO
        self.margin = ZERO
        """Σ size ÷ leverage of working entries."""


class Burden:
    """Sums over positions and working entries, in account currency."""

    __slots__ = ("margin", "notional", "sides", "signed", "total")

    def __init__(self, account: AccountView, held: dict[str, _Held] | None = None) -> None:
        """Positions count at mid, entries at the ask (or at a limit above it).

        ``held``: the sums of ``Sums.of`` this very account.
        """
        self.notional = ZERO
        self.margin = account.margin_used
        self.signed: dict[str, Decimal] = {}
        """Symbol → notional, shorts negative."""
        self.sides: dict[str, tuple[int, int]] = {}
        """Symbol → (longs, shorts), positions and entries that are not one yet."""
        self.total = 0
        for order in account.entries:
            if order.request.limit is not None:
                self._limit_premium(account, order)
        for symbol, one in (summed(account) if held is None else held).items():
            self._price(account, symbol, one)

    def _price(self, account: AccountView, symbol: str, one: _Held) -> None:
        rate = _rate(account, symbol)
        mid, ask = _mid(account, symbol) * rate, _ask(account, symbol) * rate
        self.notional += one.positions * mid
        signed = one.signed * mid
        if one.entries:
            self.notional += one.entries * ask
            self.margin += one.margin * ask
            signed += one.signed_entries * ask
        self.signed[symbol] = self.signed.get(symbol, ZERO) + signed
        self.sides[symbol] = (one.longs, one.shorts)
        self.total += one.longs + one.shorts

    def _limit_premium(self, account: AccountView, order: Order) -> None:
        """What a limit above the ask costs more than the ask, for all sums."""
        request = order.request
        assert request.limit is not None
        premium = request.limit - _ask(account, request.symbol)
        if not premium > 0:
            return
        extra = order.remaining * premium * _rate(account, request.symbol)
        self.notional += extra
        self.margin += extra / request.leverage
        signed = extra if request.side is Side.BUY else -extra
        self.signed[request.symbol] = self.signed.get(request.symbol, ZERO) + signed


class Sums:
    """The sums over what is held, kept until something else is held: prices move more often."""

    def __init__(self) -> None:
        self._positions: tuple[Position, ...] = ()
        self._entries: tuple[Order, ...] = ()
        self._held: dict[str, _Held] = {}

    def of(self, account: AccountView) -> dict[str, _Held]:
        """The same objects are equal at a glance; others are compared field by field."""
        if account.positions != self._positions or account.entries != self._entries:
            self._held = summed(account)
            self._positions, self._entries = account.positions, account.entries
        return self._held


def summed(account: AccountView) -> dict[str, _Held]:
    """Symbol → sizes of positions and working entries."""
    held: dict[str, _Held] = {}
    opened = _positions(account, held)
    for order in account.entries:
        _pending(held, order, counted=order.request.id in opened)
    return held


def _positions(account: AccountView, held: dict[str, _Held]) -> set[str]:
    """Sum the positions; the entry orders they came from."""
    opened = set()
    for position in account.positions:
        opened.add(position.order_id)
        symbol = position.symbol
        one = held.get(symbol) or held.setdefault(symbol, _Held())
        one.positions += position.size
        if position.side.sign > 0:
            one.signed += position.size
            one.longs += 1
        else:
            one.signed -= position.size
            one.shorts += 1
    return opened


def _pending(held: dict[str, _Held], order: Order, *, counted: bool) -> None:
    request, remaining = order.request, order.remaining
    one = held.get(request.symbol) or held.setdefault(request.symbol, _Held())
    one.entries += remaining
    one.margin += remaining / request.leverage
    if request.side is Side.BUY:
        one.signed_entries += remaining
        one.longs += not counted
    else:
        one.signed_entries -= remaining
        one.shorts += not counted


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
    return mid


def _ask(account: AccountView, symbol: str) -> Decimal:
    ask = account.asks.get(symbol)
    if ask is None or not ask > 0:
        raise Unpriced(f"no price for {symbol}")
    return ask
