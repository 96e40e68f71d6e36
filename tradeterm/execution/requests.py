"""The orders this desk asks for: entries, spot orders, closes, and the protection of positions.

Requests carry no permission; ids are deterministic, and a position's id is known before it opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec.structs import replace

from tradeterm.errors import InvalidOrder
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ceil_to, floor_to
from tradeterm.model.orders import OrderRequest, Position
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    AccountBook,
    ExitReason,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from tradeterm.settings.execution import ExecutionSettings


class Requests:
    """Writes requests; ``ids`` gives the next id of a prefix."""

    def __init__(
        self,
        settings: ExecutionSettings,
        instruments: Mapping[str, Instrument],
        ids: Callable[[str], str],
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._ids = ids
        self._kinds = {
            Purpose.STOP: OrderType(settings.stop), Purpose.TARGET: OrderType(settings.target)
        }  # fmt: skip

    def entry(self, intent: TradeIntent, now: int, parent: str, agent: str) -> OrderRequest:
        """An entry for an intent, at market or waiting at its entry price, by config."""
        entry = self._settings.entry
        limited = entry.type == "limit"
        tif, expires = self._lifetime(now)
        return OrderRequest(
            id=self._ids("PAPER"), symbol=intent.symbol, side=intent.side.entry,
            type=OrderType.LIMIT if limited else OrderType.MARKET, size=intent.size,
            limit=intent.entry if limited else None, post_only=limited and entry.post_only,
            purpose=Purpose.ENTRY, book=AccountBook.MARGIN, parent=parent,
            tif=tif, expires=expires,
            position_id=self._ids("pos"), leverage=intent.leverage, stop=intent.stop,
            target=intent.target, agent=agent, confidence=intent.confidence,
        )  # fmt: skip

    def spot(
        self, symbol: str, side: Side, size: Decimal, purpose: Purpose, now: int, parent: str
    ) -> OrderRequest:
        """A market order on the spot book (rebalance, DCA, hodl)."""
        tif, expires = self._lifetime(now)
        return OrderRequest(
            id=self._ids("PAPER"), symbol=symbol, side=side, type=OrderType.MARKET, size=size,
            purpose=purpose, book=AccountBook.SPOT, parent=parent, tif=tif, expires=expires,
        )  # fmt: skip

    def _lifetime(self, now: int) -> tuple[TimeInForce, int | None]:
        """How long what adds exposure works; without an expiry it takes what there is at once."""
        seconds = self._settings.entry.expiry
        return (TimeInForce.GTD, now + seconds * SECOND) if seconds else (TimeInForce.IOC, None)

    def close(
        self, position: Position, reason: ExitReason, parent: str,
        size: Decimal | None = None, limit: Decimal | None = None, *, post_only: bool = False,
    ) -> OrderRequest:  # fmt: skip
        """A close of a position, or of part of it; protection stays until it fills."""
        return OrderRequest(
            id=self._ids("PAPER"), symbol=position.symbol, side=position.side.exit,
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            size=position.size if size is None else size, limit=limit, post_only=post_only,
            purpose=Purpose.EXIT, book=AccountBook.MARGIN, parent=parent, reduce_only=True,
            position_id=position.id, leverage=position.leverage, agent=position.agent,
            exit_reason=reason,
        )  # fmt: skip

    def protective(self, position: Position, purpose: Purpose, order_id: str) -> OrderRequest:
        """The stop or target of a position: reduce-only, held at the venue until triggered."""
        kind, trigger, limit, reason = self._terms(position, purpose)
        return OrderRequest(
            id=order_id, symbol=position.symbol, side=position.side.exit, type=kind,
            size=position.size, purpose=purpose, book=AccountBook.MARGIN,
            parent=position.id, trigger=trigger, limit=limit, reduce_only=True,
            position_id=position.id, leverage=position.leverage, agent=position.agent,
            exit_reason=reason,
        )  # fmt: skip

    def fitted(self, request: OrderRequest, position: Position, filled: Decimal) -> OrderRequest:
        """A protective order as its position now says; the very same when that is nothing new.

        What it ``filled`` already stays part of its size; what remains is the position's.
        """
        terms = *self._terms(position, request.purpose), position.size + filled
        kind, trigger, limit, reason, size = terms
        if terms == (
            request.type, request.trigger, request.limit, request.exit_reason, request.size
        ):  # fmt: skip
            return request
        return replace(
            request, type=kind, trigger=trigger, limit=limit, exit_reason=reason, size=size
        )

    def moved(self, stop: OrderRequest, position: Position) -> OrderRequest:
        """``fitted`` for a stop of which nothing but its level is new."""
        return replace(
            stop, trigger=position.stop, limit=self._limit(position, stop.type, position.stop),
            exit_reason=position.stop_kind,
        )  # fmt: skip

    def _terms(
        self, position: Position, purpose: Purpose
    ) -> tuple[OrderType, Decimal, Decimal | None, ExitReason]:
        """Type, trigger, limit and reason of a stop or target."""
        kind, trigger, reason = self._kinds[purpose], position.target, ExitReason.TARGET
        if purpose is Purpose.STOP:
            trigger, reason = position.stop, position.stop_kind
            if reason is ExitReason.LIQUIDATION:
                kind = OrderType.STOP_LOSS  # whatever it costs
        if trigger is None:
            raise InvalidOrder(f"position {position.id} has no target to place")
        return kind, trigger, self._limit(position, kind, trigger), reason

    def _limit(self, position: Position, kind: OrderType, trigger: Decimal) -> Decimal | None:
        """A target's limit is the target itself; a stop's lies its offset beyond the trigger."""
        if kind is OrderType.TAKE_PROFIT_LIMIT:
            return trigger
        if kind is not OrderType.STOP_LOSS_LIMIT:
            return None
        tick, offset = self._instruments[position.symbol].tick, self._settings.stop_limit_offset
        if position.side.exit is Side.SELL:
            return max(floor_to(trigger * (ONE - offset / 100), tick), tick)
        return ceil_to(trigger * (ONE + offset / 100), tick)
