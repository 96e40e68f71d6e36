"""Commands about open positions: closing them or a part, moving stop and target, trailing.

Reducing is never refused. A stop may always be tightened; moving it away needs risk's consent (and
a stop that trails must stop trailing first). Taking a move back is such a command, so an undo never
adds risk that risk would not allow.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.errors import InvalidOrder
from tradeterm.model.commands import (
    BreakEven,
    CloseLosers,
    ClosePosition,
    Command,
    CommandResult,
    MoveStop,
    MoveTarget,
    SetTrailing,
)
from tradeterm.model.money import ZERO, on_grid, plain
from tradeterm.model.orders import ExecutionEvent, Position
from tradeterm.model.vocabulary import ExitReason

_Handler = Callable[[Any, str], CommandResult]


class Protecting:
    """Carries them out; ``handlers`` is for the operator's table."""

    def __init__(self, core: Core, books: Books) -> None:
        self._core = core
        self._books = books
        self.handlers: dict[type[Command], _Handler] = {
            ClosePosition: self._close,
            CloseLosers: self._close_losers,
            MoveStop: self._move_stop,
            MoveTarget: self._move_target,
            BreakEven: self._break_even,
            SetTrailing: self._set_trailing,
        }

    # -- closing ---------------------------------------------------------------------------

    def _close(self, command: ClosePosition, command_id: str) -> CommandResult:
        position = self._books.execution.positions.get(command.position_id)
        if position is None:
            return _none(command.position_id)
        if command.size is None and command.limit is None:
            if command.post_only:
                return CommandResult(False, "post_only needs a limit; a market order only takes")
            if self._books.is_closing(position.id):
                return CommandResult(False, f"{named(position)} is already being closed")
            self._books.close(position, ExitReason.OPERATOR, command_id)
            return CommandResult(True, f"closing {named(position)} at market")
        free = position.size - self._books.execution.closing(position.id)
        size = free if command.size is None else command.size
        problem = self._problem(position, size, free, command)
        if problem:
            return CommandResult(False, problem)
        order = self._books.reduce(
            position, size, ExitReason.OPERATOR, command_id, command.limit,
            post_only=command.post_only,
        )  # fmt: skip
        if not order.working and not order.filled:
            return CommandResult(False, f"{order.id} was refused: {order.reason}")
        where = "market" if command.limit is None else plain(command.limit)
        text = f"closing {plain(size)} of {named(position)} at {where}"
        return CommandResult(True, text)

    def _problem(
        self, position: Position, size: Decimal, free: Decimal, command: ClosePosition
    ) -> str:
        """Why this part cannot be closed."""
        instrument = self._core.instruments[position.symbol]
        if command.post_only and command.limit is None:
            return "post_only needs a limit; a market order only takes"
        if not size.is_finite() or not 0 < size <= free:
            return f"{plain(free)} of {named(position)} is open and not being closed, not {size}"
        if not on_grid(size, instrument.lot):
            return f"size {plain(size)} is not on the lot of {plain(instrument.lot)}"
        limit = command.limit
        price = limit or self._books.account().mid(position.symbol) or position.entry
        if size < free and not instrument.meets_minimum(size, price):
            least = f"{plain(instrument.min_size)} {instrument.base}"
            worth = f"{plain(instrument.min_notional)} {instrument.quote}"
            return (
                f"{plain(size)} {instrument.base} is less than the least order, {least} or {worth}; "
                "close more, or all of it"
            )
        if limit is not None and (not on_grid(limit, instrument.tick) or limit <= 0):
            return f"limit {limit} is not on the tick of {plain(instrument.tick)}"
        return ""

    def _close_losers(self, command: CloseLosers, command_id: str) -> CommandResult:
        books, closing = self._books, 0
        account = books.account()
        for position in list(books.execution.positions.values()):
            earned = books.if_closed(position, account)
            if earned is not None and earned < ZERO and not books.is_closing(position.id):
                books.close(position, ExitReason.OPERATOR, command_id)
                closing += 1
        return CommandResult(bool(closing), f"closing {closing} losing position(s)")

    # -- moving protection -----------------------------------------------------------------

    def _move_stop(self, command: MoveStop, command_id: str) -> CommandResult:
        position = self._books.execution.positions.get(command.position_id)
        if position is None:
            return _none(command.position_id)
        price = command.price
        if not price.is_finite() or price <= 0:
            return CommandResult(False, f"{price} is no price")
        if (price - position.stop) * position.side.sign < 0:
            refusal = self._refusal_to_loosen(position, price)
            if refusal:
                return CommandResult(False, refusal)
        text = f"stop of {named(position)} at {plain(price)}"
        return self._carried(text, lambda: self._books.execution.move_stop(
            position.id, price, ExitReason.STOP, self._core.now, command_id
        ))  # fmt: skip

    def _refusal_to_loosen(self, position: Position, price: Decimal) -> str:
        if position.trailing and position.stop_kind is ExitReason.TRAILING:
            return f"the stop of {named(position)} trails, never loosens; switch trailing off first"
        return self._books.refusal_to_loosen(position, price)

    def _move_target(self, command: MoveTarget, command_id: str) -> CommandResult:
        price = command.price
        at = "gone" if price is None else f"at {price}"
        position = self._books.execution.positions.get(command.position_id)
        if position is None:
            return _none(command.position_id)
        return self._carried(
            f"target of {named(position)} {at}",
            lambda: self._books.execution.move_target(
                command.position_id, price, self._core.now, command_id
            ),
        )

    def _break_even(self, command: BreakEven, command_id: str) -> CommandResult:
        execution = self._books.execution
        position = execution.positions.get(command.position_id)
        if position is None:
            return _none(command.position_id)
        level = execution.break_even(position)
        if (level - position.stop) * position.side.sign <= 0:
            text = f"the stop of {named(position)} is already at {plain(position.stop)} or better"
            return CommandResult(False, text)
        text = f"stop of {named(position)} at {plain(level)}: a close there costs nothing"
        return self._carried(text, lambda: execution.move_stop(
            position.id, level, ExitReason.BREAK_EVEN, self._core.now, command_id
        ))  # fmt: skip

    def _set_trailing(self, command: SetTrailing, command_id: str) -> CommandResult:
        position = self._books.execution.positions.get(command.position_id)
        if position is None:
            return _none(command.position_id)
        word = "on" if command.on else "off"
        if position.trailing is command.on:
            return CommandResult(False, f"trailing of {named(position)} is already {word}")
        text = f"trailing of {named(position)} {word}, stop at {plain(position.stop)}"
        return self._carried(text, lambda: self._books.execution.set_trailing(
            position.id, self._core.now, command_id, on=command.on
        ))  # fmt: skip

    def _carried(self, text: str, act: Callable[[], list[ExecutionEvent]]) -> CommandResult:
        try:
            self._books.booked(act())
        except InvalidOrder as error:
            return CommandResult(False, str(error))
        return CommandResult(True, text)


def named(position: Position) -> str:
    """As the operator knows it: the id to write, and what it is."""
    return f"{position.id} {position.symbol} {position.side}"


def _none(position_id: str) -> CommandResult:
    return CommandResult(False, f"no open position {position_id}")
