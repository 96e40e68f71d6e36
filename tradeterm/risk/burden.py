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

    __slots__ = (
        "entries", "limits", "longs", "margin", "positions", "quote", "shorts", "signed",
        "signed_entries", "top",
    )  # fmt: skip

    def __init__(self, symbol: str) -> None:
        self.quote = symbol.rpartition("/")[2]
        self.longs = self.shorts = 0
        self.positions = self.signed = ZERO
        self.entries = self.signed_entries = ZERO
        self.margin = ZERO
        """Σ size ÷ leverage of working entries."""
        self.limits: list[Order] = []
        """Those with a limit, and the highest of them: at or below the ask none costs more."""
        self.top = ZERO


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
        for symbol, one in (summed(account) if held is None else held).items():
            self._price(account, symbol, one)

    def _price(self, account: AccountView, symbol: str, one: _Held) -> None:
        rate = ONE if one.quote == account.currency else account.rates.get(one.quote)
        if rate is None or not rate > ZERO:
            raise Unpriced(f"no rate for {one.quote}")
        bid, ask = account.bids.get(symbol), account.asks.get(symbol)
        if bid is None or ask is None or not (ask > ZERO and (both := bid + ask) > ZERO):
            raise Unpriced(f"no price for {symbol}")
        mid = both / 2 * rate
        notional, signed = one.positions * mid, one.signed * mid
        if one.entries:
            worth = ask * rate
            notional += one.entries * worth
            signed += one.signed_entries * worth
            self.margin += one.margin * worth
        self.notional += notional
        self.signed[symbol] = signed
        if one.top > ask:
            self._limit_premiums(one, ask, rate)
        self.sides[symbol] = (one.longs, one.shorts)
        self.total += one.longs + one.shorts

    def _limit_premiums(self, one: _Held, ask: Decimal, rate: Decimal) -> None:
        """What limits above the ask cost more than the ask, for all sums."""
        for order in one.limits:
            request = order.request
            assert request.limit is not None
            premium = request.limit - ask
            if premium > 0:
                extra = order.remaining * premium * rate
                self.notional += extra
                self.margin += extra / request.leverage
                self.signed[request.symbol] += extra if request.side is Side.BUY else -extra


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
        one = held.get(symbol) or held.setdefault(symbol, _Held(symbol))
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
    one = held.get(request.symbol) or held.setdefault(request.symbol, _Held(request.symbol))
    if request.limit is not None:
        one.limits.append(order)
        one.top = max(one.top, request.limit)
    one.entries += remaining
    one.margin += remaining / request.leverage
    if request.side is Side.BUY:
        one.signed_entries += remaining
        one.longs += not counted
    else:
        one.signed_entries -= remaining
        one.shorts += not counted
