"""Why an order is refused: its type, its steps, its minimums, its price. Checked before it leaves
and again where it arrives, by the prices of that moment.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, on_grid, plain
from tradeterm.model.orders import OrderRequest
from tradeterm.model.vocabulary import OrderType, Side, TimeInForce

#: Types that wait for a trigger.
TRIGGERED: Final = frozenset({
    OrderType.STOP_LOSS, OrderType.TAKE_PROFIT,
    OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT,
})  # fmt: skip
#: Types that name a limit.
LIMITED: Final = frozenset({
    OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT,
})  # fmt: skip


def refusal(
    request: OrderRequest,
    instrument: Instrument,
    touch: Decimal | None,
    held: Decimal,
    collar: Decimal,
) -> str:
    """The reason, or an empty string when the order is fine.

    ``touch`` is what a taker would pay first, ``held`` what there is to reduce, ``collar`` the
    fraction a limit may lie beyond the touch. A reducing order needs no minimum: what is left of a
    position must always be closable.
    """
    return (
        _malformed(request, instrument)
        or _beyond_collar(request, touch, collar)
        or _takes(request, touch)
        or _too_small(request, instrument, touch, held)
    )


def _malformed(request: OrderRequest, instrument: Instrument) -> str:
    # Steps may have changed since a position was opened: it must stay protected and closable.
    lot = request.size if request.reduce_only else instrument.lot
    if request.size <= 0 or not on_grid(request.size, lot):
        return f"size {plain(request.size)} is not on the lot of {plain(instrument.lot)}"
    for price, needed in (
        (request.limit, request.type in LIMITED),
        (request.trigger, request.type in TRIGGERED),
    ):
        if price is None and needed:
            return f"{request.type} without a price"
        off = price is not None and not (request.reduce_only or on_grid(price, instrument.tick))
        if price is not None and (price <= 0 or off):
            return f"price {plain(price)} is not on the tick of {plain(instrument.tick)}"
    if request.tif is TimeInForce.GTD and request.expires is None:
        return "GTD without a time of expiry"
    if request.post_only and (
        request.type is not OrderType.LIMIT or request.tif is TimeInForce.IOC
    ):
        return "post-only is for limit orders that may rest"
    return ""


def _beyond_collar(request: OrderRequest, touch: Decimal | None, collar: Decimal) -> str:
    if request.type is not OrderType.LIMIT or request.limit is None or touch is None:
        return ""
    buys = request.side is Side.BUY
    worst = touch * (ONE + collar if buys else ONE - collar)
    if request.limit > worst if buys else request.limit < worst:
        return f"limit {plain(request.limit)} is beyond the collar at {plain(worst)}"
    return ""


def _takes(request: OrderRequest, touch: Decimal | None) -> str:
    if not request.post_only or request.limit is None or touch is None:
        return ""
    if request.limit >= touch if request.side is Side.BUY else request.limit <= touch:
        return f"post-only would take at {plain(touch)}"
    return ""


def _too_small(
    request: OrderRequest, instrument: Instrument, touch: Decimal | None, held: Decimal
) -> str:
    if request.reduce_only:
        return "" if held > 0 else "nothing to reduce"
    price = request.limit or request.trigger or touch
    if price is None:
        return "no price"
    if not instrument.meets_minimum(request.size, price):
        return (
            f"below the minimum of {plain(instrument.min_size)} {instrument.base} or "
            f"{plain(instrument.min_notional)} {instrument.quote}"
        )
    return ""
