"""What the venue filled, booked: the fill with its fee and rate, and the position after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from tradeterm.execution import positions as arithmetic
from tradeterm.execution.fees import Fees
from tradeterm.execution.margin import borrowing_share
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ledger_cost
from tradeterm.model.orders import (
    ExecutionEvent,
    Fill,
    Filled,
    Order,
    OrderChanged,
    OrderFilled,
    OrderRequest,
    Position,
    PositionChanged,
)
from tradeterm.model.vocabulary import AccountBook, ExitReason, PositionSide, Side
from tradeterm.settings.execution import ExecutionSettings


class FillBook:
    """Books fills into ``positions``. ``rate`` is quote → account currency at this moment."""

    def __init__(
        self,
        settings: ExecutionSettings,
        instruments: Mapping[str, Instrument],
        positions: dict[str, Position],
        fees: Fees,
        *,
        ids: Callable[[str], str],
        currency: str,
        rate: Callable[[str], Decimal],
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._positions = positions
        self._fees = fees
        self._ids = ids
        self._currency = currency
        self._rate = rate

    def book(self, order: Order, report: OrderFilled) -> list[ExecutionEvent]:
        """The fill, then its order, then its position; a reducing one must fit the position."""
        request = order.request
        before = self._positions.get(request.position_id or "")
        fill = self._fill(request, report, before)
        if request.book is AccountBook.SPOT:
            return [Filled(fill, None, None), OrderChanged(order)]
        after, reason = self._position_after(request, fill, before)
        what = "opened" if before is None else "reduced" if reason else "increased"
        if after.is_open:
            self._positions[after.id] = after
        else:
            what = "closed"
            del self._positions[after.id]
        return [
            Filled(fill, before, after, reason),
            OrderChanged(order),
            PositionChanged(after, what, fill.id),
        ]

    def _position_after(
        self, request: OrderRequest, fill: Fill, before: Position | None
    ) -> tuple[Position, ExitReason | None]:
        if not request.reduce_only:
            carry = self._opening_fee(fill, request)
            if before is not None:
                return arithmetic.increased(before, fill, carry), None
            on = self._settings.trailing.enabled
            return arithmetic.opened(fill, request, carry, trailing=on), None
        assert before is not None, "a fill that reduces nothing is not booked"
        reason = request.exit_reason or ExitReason.SIGNAL
        return arithmetic.reduced(before, fill, reason), reason

    def _fill(self, request: OrderRequest, report: OrderFilled, before: Position | None) -> Fill:
        instrument = self._instruments[request.symbol]
        rate = self._rate(instrument.quote)
        share = self._fees.share(report.liquidity, report.ts)
        notional = report.size * report.price
        asset = instrument.quote
        self._fees.traded(ledger_cost(notional * rate), report.ts)
        if request.book is AccountBook.MARGIN:
            asset, notional = self._currency, notional * rate
        fee = ledger_cost(notional * share)
        if request.reduce_only and before is not None:
            fee = min(fee, arithmetic.released(before, report.size))
        return Fill(
            id=self._ids("fill"), ts=report.ts, order_id=request.id, symbol=request.symbol,
            side=request.side, book=request.book, price=report.price, size=report.size, fee=fee,
            fee_asset=asset, rate=rate, liquidity=report.liquidity, evidence=report.evidence,
            position_id=request.position_id,
        )  # fmt: skip

    def _opening_fee(self, fill: Fill, request: OrderRequest) -> Decimal:
        """What borrowing for an entry fill costs at once, account currency."""
        side = PositionSide.LONG if fill.side is Side.BUY else PositionSide.SHORT
        share = borrowing_share(side, request.leverage, self._settings.margin.opening)
        return ledger_cost(fill.size * fill.price * fill.rate * share)
