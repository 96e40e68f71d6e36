"""What must hold between the rows of one run, whatever wrote them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tradeterm.adapters.store.bookkeeping import Bookkeeping
from tradeterm.adapters.store.lives import MOVING, Lives
from tradeterm.adapters.store.rows import StoredRow
from tradeterm.execution.orders import GRAPH
from tradeterm.execution.paper import PROTECTIVE
from tradeterm.model.account import HODL
from tradeterm.model.money import ZERO
from tradeterm.model.vocabulary import OrderStatus, Purpose, VerdictStatus

Report = Callable[[str, str], None]
"""``report(where, what)``"""
#: Kinds of rows it looks at.
JUDGED = MOVING | {"fill", "entry", "ghost_opened", "ghost_closed"}
#: A stop or target is told first when the venue, which holds it, has taken it.
_BEGINNINGS = frozenset({OrderStatus.PENDING, OrderStatus.REJECTED, OrderStatus.ERROR})
_ALLOWING = {VerdictStatus.APPROVED.value, VerdictStatus.MODIFIED.value}


@dataclass(slots=True)
class _Order:
    status: OrderStatus
    purpose: str
    position: str | None
    size: Decimal
    largest: Decimal
    declared: Decimal
    """What the order itself says was filled."""
    filled: Decimal = ZERO


class Invariants:
    """Fed every row of a run in order; ``finish`` judges what must hold between slices."""

    def __init__(self, report: Report, known_before: Callable[[str, int], bool]) -> None:
        """``known_before(id, seq)``: whether a row with this id stands before ``seq``."""
        self._report = report
        self._known_before = known_before
        self._orders: dict[str, _Order] = {}
        self._open: dict[str, Decimal] = {}
        self._verdicts: dict[str, bool] = {}
        self._ghosts: dict[str, bool] = {}
        """Ghost → whether it is still followed."""
        self._ledger = Bookkeeping(report)
        self._lives = Lives(report)
        self._checks = {
            "order": self._order,
            "fill": self._fill,
            "position": self._position,
            "entry": self._entry,
            "verdict": self._verdict,
            "ghost_opened": self._ghost,
            "ghost_closed": self._ghost,
        }

    def check(self, row: StoredRow, body: dict[str, Any]) -> None:
        """Judge one row."""
        self._ledger.check(row, body)
        self._lives.take(row, body)
        check = self._checks.get(row.kind)
        if check is not None:
            check(row, body)

    def _verdict(self, row: StoredRow, body: dict[str, Any]) -> None:
        del row
        self._verdicts[body["id"]] = body["status"] in _ALLOWING

    def _entry(self, row: StoredRow, body: dict[str, Any]) -> None:
        sums: dict[str, Decimal] = {}
        where = f"ledger entry {body['id']} (row {row.seq})"
        for leg in body["postings"]:
            amount = Decimal(leg["amount"])
            sums[leg["asset"]] = sums.get(leg["asset"], ZERO) + amount
            if leg["account"] == HODL and amount < 0:
                self._report(where, f"takes {-amount} {leg['asset']} out of the hodl bag")
        for asset, rest in sums.items():
            if rest:
                self._report(where, f"its {asset} postings sum to {rest}, not 0")

    def _order(self, row: StoredRow, body: dict[str, Any]) -> None:
        request, status = body["request"], OrderStatus(body["status"])
        where = f"order {request['id']} (row {row.seq})"
        self._permission(where, row.seq, request, body["verdict_id"])
        size, declared = Decimal(request["size"]), Decimal(body["filled"])
        known = self._orders.get(request["id"])
        if known is None:
            taken = status is OrderStatus.OPEN and request["purpose"] in PROTECTIVE
            if status not in _BEGINNINGS and not taken:
                self._report(where, f"begins as {status}")
            self._orders[request["id"]] = _Order(
                status, request["purpose"], request["position_id"], size, size, declared
            )
            return
        if status is not known.status and status not in GRAPH[known.status]:
            self._report(where, f"went from {known.status} to {status}, which no order may")
        if declared < known.declared:
            self._report(where, f"its filled size shrank from {known.declared} to {declared}")
        known.status, known.size, known.declared = status, size, declared
        known.largest = max(known.largest, size)

    def _permission(self, where: str, seq: int, request: dict[str, Any], verdict: str) -> None:
        if self._verdicts.get(verdict):
            return
        # A reducing order may rest on the position or command it protects or carries out.
        if (
            request["reduce_only"]
            and verdict not in self._verdicts
            and (verdict and self._known_before(verdict, seq))
        ):
            return
        what = "refused it" if verdict in self._verdicts else "is not in the journal before it"
        self._report(where, f"no permission: verdict {verdict or '(none)'} {what}")

    def _fill(self, row: StoredRow, body: dict[str, Any]) -> None:
        order = self._orders.get(body["order_id"])
        where = f"fill {body['id']} (row {row.seq})"
        if order is None:
            self._report(where, f"its order {body['order_id']} is not in the journal before it")
            return
        order.filled += Decimal(body["size"])
        if order.filled > order.largest:
            self._report(
                where, f"order {body['order_id']} of {order.largest} has {order.filled} filled"
            )

    def _position(self, row: StoredRow, body: dict[str, Any]) -> None:
        del row
        position = body["position"]
        if position["closed"] is None:
            self._open[position["id"]] = Decimal(position["size"])
        else:
            self._open.pop(position["id"], None)

    def _ghost(self, row: StoredRow, body: dict[str, Any]) -> None:
        """It is opened once and then closed once."""
        del body
        opens = row.kind == "ghost_opened"
        name = row.id if opens else row.parent
        followed = self._ghosts.get(name)
        if followed is not (None if opens else True):
            self._report(f"ghost {name} (row {row.seq})", f"{row.kind} out of its order")
        self._ghosts[name] = row.kind != "ghost_closed"

    def finish(self) -> None:
        """The run's end (so far): slices hold whole inputs, so everything must add up here."""
        self._ledger.finish()
        covered: dict[str, Decimal] = {}
        for name, order in self._orders.items():
            if order.declared != order.filled:
                self._report(
                    f"order {name}",
                    f"says {order.declared} filled, its fills sum to {order.filled}",
                )
            if (
                order.position is not None
                and order.purpose == Purpose.STOP
                and not order.status.is_terminal
            ):
                left = order.size - order.declared
                covered[order.position] = covered.get(order.position, ZERO) + left
        for position, size in self._open.items():
            if covered.get(position, ZERO) < size:
                self._report(
                    f"position {position}",
                    f"{size} open but working stops cover {covered.get(position, ZERO)}",
                )
