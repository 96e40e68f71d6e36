"""What the account can pay for: no fill may overdraw it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from tradeterm.execution.margin import borrowing_share
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ZERO
from tradeterm.model.orders import OrderRequest
from tradeterm.model.vocabulary import AccountBook, PositionSide, Side
from tradeterm.settings.execution import BorrowingFees

#: Kept back per fill, so that rounding costs up cannot overdraw.
_ROUNDING: Final = Decimal("0.0000001")


class Purse:
    """Cuts fills to the trading balance, fills not yet posted included."""

    def __init__(
        self,
        currency: str,
        instruments: Mapping[str, Instrument],
        rate: Callable[[str], Decimal],
        funds: Callable[[str], Decimal],
        opening: BorrowingFees,
    ) -> None:
        """``opening`` is what a margin entry pays at once for what it borrows."""
        self._currency = currency
        self._instruments = instruments
        self._rate = rate
        self._funds = funds
        self._opening = opening
        self._spent: dict[str, Decimal] = {}

    def afford(self, request: OrderRequest, price: Decimal, size: Decimal) -> Decimal:
        """The part of ``size`` there is money for at ``price``; reducing needs none."""
        if request.reduce_only:
            return size
        asset, unit = self._unit_cost(request, price)
        spent = self._spent.get(asset, ZERO)
        cash = self._funds(asset) - spent - _ROUNDING
        if cash < size * unit:
            size = self._instruments[request.symbol].size(max(cash, ZERO) / unit)
        if size > 0:
            self._spent[asset] = spent + size * unit + _ROUNDING
        return size

    def _unit_cost(self, request: OrderRequest, price: Decimal) -> tuple[str, Decimal]:
        """What one unit of base costs, and in which asset."""
        instrument = self._instruments[request.symbol]
        fee = instrument.taker_fee
        if request.book is AccountBook.MARGIN:
            value = price * self._rate(instrument.quote)
            side = PositionSide.LONG if request.side is Side.BUY else PositionSide.SHORT
            fee += borrowing_share(side, request.leverage, self._opening)
            return self._currency, value * (ONE / request.leverage + fee)
        if request.side is Side.SELL:
            return instrument.base, ONE
        return instrument.quote, price * (ONE + fee)

    def settle(self) -> None:
        """The fills granted so far are handed out to be posted; the ledger knows them next."""
        self._spent.clear()
