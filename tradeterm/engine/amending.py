"""Amending a working order: less of it, or another price under a verdict of its own."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.judging import Judging
from tradeterm.model.commands import AmendOrder, CommandResult
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import on_grid, plain
from tradeterm.model.orders import Order
from tradeterm.model.proposals import Verdict
from tradeterm.model.units import reasons
from tradeterm.model.vocabulary import OrderType


class Amending:
    """Carries out ``AmendOrder``. The new terms are in force when the venue has taken them.

    Less size keeps the place in the venue's queue and can only lower risk. Another price goes to
    the end of its queue; for an entry or a spot order it is judged like a new order for what is
    still open, the order itself left out of the account. What reduces may stand at any price.
    """

    def __init__(self, core: Core, books: Books, judging: Judging) -> None:
        self._core = core
        self._books = books
        self._judging = judging

    def amend(self, command: AmendOrder, command_id: str) -> CommandResult:
        """The handler."""
        order = self._books.execution.working.get(command.order_id)
        if order is None:
            return CommandResult(False, f"no working order {command.order_id}")
        size = order.request.size if command.size is None else command.size
        limit = order.request.limit if command.limit is None else command.limit
        problem = self._problem(order, size, limit)
        if problem:
            return CommandResult(False, problem)
        verdict = None
        if limit is not None and limit != order.request.limit and not order.request.reduce_only:
            verdict = self._judging.at_another_price(order, size, limit, command_id)
            refusal = _refusal(order, verdict)
            if refusal:
                return CommandResult(False, refusal)
            assert verdict.intent is not None
            size = order.filled + verdict.intent.size
        self._send(order, size, limit, verdict, command_id)
        text = f"amending {order.id} {order.request.symbol} {order.request.side}: {plain(size)} at {plain(limit or Decimal(0))}"
        return CommandResult(True, text)

    def _send(
        self, order: Order, size: Decimal, limit: Decimal | None, verdict: Verdict | None,
        command_id: str,
    ) -> None:  # fmt: skip
        journal, revision = self._core.journal, order.request.revision + 1
        amendment = journal.new_id("amend")
        request = replace(
            order.request, size=size, limit=limit, revision=revision, parent=amendment
        )
        body = {"order": order.id, "revision": revision, "size": size, "limit": limit}
        journal.write("amendment", amendment, command_id if verdict is None else verdict.id, body)
        self._judging.amend(order, request, verdict)

    def _problem(self, order: Order, size: Decimal, limit: Decimal | None) -> str:
        """Why these terms cannot be sent, in words; empty when they can."""
        request, instrument = order.request, self._core.instruments[order.request.symbol]
        if request.type is not OrderType.LIMIT:
            return f"{order.id} is a {request.type} order; only limit orders can be amended"
        if self._books.execution.amending(order.id):
            return f"{order.id} is already being amended; wait for the venue"
        if (size, limit) == (request.size, request.limit):
            return f"{order.id} has these terms already"
        if not size.is_finite() or size > request.size:
            return f"{order.id} can only become smaller than {plain(request.size)}"
        if size <= order.filled:
            return f"{plain(order.filled)} of {order.id} has filled; cancel the rest instead"
        assert limit is not None
        return _off_grid(size, limit, instrument, reducing=request.reduce_only)


def _off_grid(size: Decimal, limit: Decimal, instrument: Instrument, *, reducing: bool) -> str:
    if not on_grid(size, instrument.lot):
        return f"size {plain(size)} is not on the lot of {plain(instrument.lot)}"
    if not on_grid(limit, instrument.tick) or limit <= 0:
        return f"price {limit} is not on the tick of {plain(instrument.tick)}"
    if not reducing and not instrument.meets_minimum(size, limit):
        return f"size {plain(size)} is below the minimum of the venue; cancel the order instead"
    return ""


def _refusal(order: Order, verdict: Verdict) -> str:
    if not verdict.allows or verdict.intent is None:
        return f"risk refuses {order.id} at that price: {reasons(verdict, order.request.symbol)}"
    if verdict.intent.leverage != order.request.leverage:
        return f"risk allows {order.id} at that price only at a leverage it does not have"
    return ""
