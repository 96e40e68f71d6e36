"""Why the paper exchange rejects an order: its type, its steps, its minimums."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tradeterm.model.instruments import Instrument
from tradeterm.model.money import plain
from tradeterm.model.orders import OrderRequest
from tradeterm.model.vocabulary import OrderType

#: Types that wait for a trigger and then execute at market.
TRIGGERED: Final = frozenset({OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})
_OFFERED: Final = TRIGGERED | {OrderType.MARKET, OrderType.LIMIT}


def refusal(
    request: OrderRequest, instrument: Instrument, touch: Decimal | None, held: Decimal
) -> str:
    """The reason, or an empty string when the order is fine.

    ``touch`` is what a taker would pay first, ``held`` what there is to reduce. A reducing order
    needs no minimum: what is left of a position must always be closable.
    """
    if request.type not in _OFFERED:
        return f"order type {request.type} is not offered"
    if request.size <= 0 or request.size % instrument.lot:
        return f"size {plain(request.size)} is not on the lot of {plain(instrument.lot)}"
    price = request.limit if request.type is OrderType.LIMIT else request.trigger
    if price is None and request.type is not OrderType.MARKET:
        return f"{request.type} without a price"
    if price is not None and (price <= 0 or price % instrument.tick):
        return f"price {plain(price)} is not on the tick of {plain(instrument.tick)}"
    if request.reduce_only:
        return "" if held > 0 else "nothing to reduce"
    price = price or touch
    if price is None:
        return "no price"
    if not instrument.meets_minimum(request.size, price):
        return (
            f"below the minimum of {plain(instrument.min_size)} {instrument.base} or "
            f"{plain(instrument.min_notional)} {instrument.quote}"
        )
    return ""
