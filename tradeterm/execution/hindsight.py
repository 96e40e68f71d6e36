"""What an order nobody sent would have come to: the paper exchange's own rules, on closed bars.

Entry: a walk through the book within the collar; without a book the last price plus slippage.
Exit: the bar rules of ``matching.py`` (a stop before a target of the same bar, at the worse of its
level and the open; slippage on both), the time limit at the last close. Of the bar an entry falls
into only the close is known to lie after it. What our own orders took from the book a moment ago
is not subtracted, and liquidation is not looked for: stops lie far inside it, and no loss exceeds
the collateral. Both make a ghost no better than a hair kinder than the exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from tradeterm.execution import positions as arithmetic
from tradeterm.execution.margin import borrowing_share
from tradeterm.execution.matching import slipped
from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, exact, ledger_cost, total
from tradeterm.model.orders import Fill, OrderRequest, Position
from tradeterm.model.pnl import price_gain
from tradeterm.model.vocabulary import (
    AccountBook,
    Evidence,
    ExitReason,
    Liquidity,
    PositionSide,
    Side,
)
from tradeterm.settings.execution import ExecutionSettings


class Bar(NamedTuple):
    """What a closed bar says."""

    ts: int
    open: float
    high: float
    low: float
    close: float

    def closing(self) -> Bar:
        """Its close alone."""
        return Bar(self.ts, self.close, self.close, self.close, self.close)


class Quoted(NamedTuple):
    """What a taker would get: (price, size) in turn, and what that rests on."""

    parts: Sequence[tuple[Decimal, Decimal]]
    evidence: Evidence


class Hindsight:
    """Fills and exits of one instrument. ``taker`` is a fraction of notional."""

    def __init__(
        self,
        settings: ExecutionSettings,
        instruments: Mapping[str, Instrument],
        symbol: str,
        currency: str,
    ) -> None:
        """``instruments`` may change under way; the one of ``symbol`` is looked up."""
        self._settings = settings
        self._instruments = instruments
        self._symbol = symbol
        self._currency = currency
        self._collar = settings.max_slippage / 100
        self._slip = settings.bar_slippage / 100

    @property
    def _instrument(self) -> Instrument:
        return self._instruments[self._symbol]

    # -- entry -----------------------------------------------------------------------------

    def quoted(self, book: OrderBook, last: float, side: Side, size: Decimal) -> Quoted:
        """What a market order would get now; no part when nothing is within the collar."""
        if book.ready:
            return Quoted(self._walked(book, side, size), Evidence.BOOK_WALK)
        if last <= 0:
            return Quoted((), Evidence.BAR_ESTIMATE)
        return Quoted(((self.slipped(exact(last), side), size),), Evidence.BAR_ESTIMATE)

    def _walked(self, book: OrderBook, side: Side, size: Decimal) -> list[tuple[Decimal, Decimal]]:
        best = book.best_ask if side is Side.BUY else book.best_bid
        if not book.usable or best is None:
            return []
        sign = 1 if side is Side.BUY else -1
        worst = exact(best) * (ONE + sign * self._collar)
        parts: list[tuple[Decimal, Decimal]] = []
        for level, shown in book.walk(side.opposite):
            price = self._instrument.price(level)
            part = min(size, self._instrument.size(shown))
            if (price - worst) * sign > 0 or size <= 0:
                break
            if part > 0:
                parts.append((price, part))
                size -= part
        return parts

    def slipped(self, price: Decimal, side: Side) -> Decimal:
        """A taker's price where nobody quoted one."""
        return slipped(price, side, self._slip, self._instrument.tick)

    def opened(
        self, request: OrderRequest, quoted: Quoted, now: int, taker: Decimal, rate: Decimal
    ) -> Position | None:
        """The position that those parts make; None without any."""
        position: Position | None = None
        side = PositionSide.LONG if request.side is Side.BUY else PositionSide.SHORT
        share = borrowing_share(side, request.leverage, self._settings.margin.opening)
        for price, size in quoted.parts:
            fill = self._fill(request.side, price, size, now, taker, rate, quoted.evidence)
            carry = ledger_cost(size * price * rate * share)
            if position is None:
                position = arithmetic.opened(fill, request, carry, trailing=False)
            else:
                position = arithmetic.increased(position, fill, carry)
        return position

    # -- while it is held ------------------------------------------------------------------

    def rollover(self, position: Position) -> Decimal:
        """The fraction of its notional it pays per interval for what it borrows."""
        return borrowing_share(position.side, position.leverage, self._settings.margin.rollover)

    @staticmethod
    def rolled(position: Position, marks: Sequence[Decimal], share: Decimal) -> Position:
        """After it paid ``share`` of its notional at each of ``marks``, in account currency."""
        borrowed = position.size * share
        due = total([ledger_cost(borrowed * mark) for mark in marks])
        return replace(position, carry=position.carry + due)

    def struck(self, position: Position, bar: Bar) -> tuple[Decimal, ExitReason] | None:
        """Where a bar makes it leave (slippage included), and why."""
        sign, side = position.side.sign, position.side.exit
        worst, best = (bar.low, bar.high) if sign > 0 else (bar.high, bar.low)
        if (worst - float(position.stop)) * sign <= 0:
            opening = exact(bar.open)
            gapped = (opening - position.stop) * sign < 0
            return self.slipped(opening if gapped else position.stop, side), ExitReason.STOP
        if position.target is not None and (best - float(position.target)) * sign >= 0:
            return self.slipped(position.target, side), ExitReason.TARGET
        return None

    def left(
        self, position: Position, price: Decimal, taker: Decimal, rate: Decimal
    ) -> tuple[Decimal, Decimal]:
        """(P&L, costs) if all of it were closed at ``price``, as ``positions.reduced`` has it."""
        size, held = position.size, position.collateral
        fee = min(ledger_cost(size * price * rate * taker), held)
        costs = position.fees + fee + position.carry
        return max(price_gain(position, price, size, rate), fee - held) - costs, costs

    def _fill(
        self, side: Side, price: Decimal, size: Decimal, now: int, taker: Decimal, rate: Decimal,
        evidence: Evidence,
    ) -> Fill:  # fmt: skip
        return Fill(
            id="", ts=now, order_id="", symbol=self._instrument.symbol, side=side,
            book=AccountBook.MARGIN, price=price, size=size,
            fee=ledger_cost(size * price * rate * taker), fee_asset=self._currency, rate=rate,
            liquidity=Liquidity.TAKER, evidence=evidence,
        )  # fmt: skip
