"""Spot orders in account currency: how many base units an amount buys or sells, with a verdict."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.judging import Judging
from tradeterm.model.money import ONE
from tradeterm.model.orders import OrderRequest
from tradeterm.model.vocabulary import Liquidity, Purpose, Side
from tradeterm.portfolio.plans import SHORT
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.spot import SpotWish


class SpotOrder(NamedTuple):
    """What is wanted, worth ``amount`` in account currency."""

    symbol: str
    side: Side
    amount: Decimal
    purpose: Purpose
    with_fee: bool = False
    """Whether the taker fee is to come out of ``amount``."""


class Spotting:
    """Sizes, judges and sends spot orders."""

    def __init__(self, core: Core, books: Books, judging: Judging) -> None:
        self._core = core
        self._books = books
        self._judging = judging

    def least(self, symbol: str) -> Decimal:
        """The smallest order in account currency: ours or the venue's, whichever is larger."""
        instrument, prices = self._core.instruments[symbol], self._books.portfolio.prices()
        smallest, price = self._core.settings.portfolio.min_order, self._price(symbol, Side.BUY)
        if price is None:
            return smallest
        rate = prices.rates[instrument.quote]
        return max(smallest, instrument.min_notional * rate, instrument.min_size * price)

    def _price(self, symbol: str, side: Side) -> Decimal | None:
        """What a base unit costs (or brings) in account currency, without fees."""
        prices = self._books.portfolio.prices()
        price = (prices.asks if side is Side.BUY else prices.bids).get(symbol)
        rate = prices.rates.get(self._core.instruments[symbol].quote)
        return None if price is None or rate is None else price * rate

    def send(self, order: SpotOrder, parent: str, out: Callable[[str], None]) -> str:
        """Send an order; why it was not sent, or not as large as wanted (else ``""``).

        ``out`` is told the order's id before anything can happen to it.
        """
        core, prices = self._core, self._books.portfolio.prices()
        instrument, unit = core.instruments[order.symbol], self._price(order.symbol, order.side)
        if unit is None:
            return "no price"
        if order.with_fee:
            unit *= ONE + self._books.execution.fees.share(Liquidity.TAKER, core.now)
        size = instrument.size(order.amount / unit)
        if not size > 0:
            return "smaller than the lot"
        quotes = prices.asks if order.side is Side.BUY else prices.bids
        wish = SpotWish(order.symbol, order.side, size, quotes[order.symbol])
        verdict = self._judging.spot(wish, parent)
        short = SHORT if RiskCode.CASH in verdict.codes else ""
        if verdict.intent is None:
            return short or ", ".join(verdict.codes)
        request: OrderRequest = self._books.execution.requests.spot(
            order.symbol, order.side, verdict.intent.size, order.purpose, core.now, verdict.id
        )
        out(request.id)
        self._judging.send(verdict, request)
        return short
