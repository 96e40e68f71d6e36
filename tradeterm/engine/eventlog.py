"""The event log of the screen: one line for each journal row an operator wants to read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from tradeterm.engine.view import EventView
from tradeterm.model.messages import SystemEvent
from tradeterm.model.money import decimals, on_grid, plain
from tradeterm.model.orders import Fill, Order
from tradeterm.model.ports import AgentAnswer, ArbiterAnswer
from tradeterm.model.proposals import CardRow, Conflict, Resolution, Verdict
from tradeterm.model.reconciling import Difference, DifferenceState
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    AgentName,
    CardState,
    OrderStatus,
    TryOutcome,
)

KEPT = 500
#: Severities that are counted as alarms.
ALARMING = ("error", "critical")
_CENT, _SMALL = Decimal("0.01"), Decimal("0.0001")


class EventLog:
    """The last lines, oldest first; put into words when somebody reads them."""

    def __init__(self, ticks: Mapping[str, Decimal] = MappingProxyType({})) -> None:
        """Empty. ``ticks``: of each symbol; prices have as many decimals."""
        self._ticks = ticks
        self.alarms = 0
        self.version = 0
        self._kept: deque[EventView | _Unread] = deque(maxlen=KEPT)
        self._sequence = 0

    @property
    def lines(self) -> list[EventView]:
        """What is kept, in words."""
        lines = [e if isinstance(e, EventView) else self._worded(*e) for e in self._kept]
        self._kept = deque(lines, KEPT)
        return lines

    def record(self, kind: str, row_id: str, body: Any, now: int) -> None:
        """Keep a journal row, if it is worth a line."""
        tells = _TELLS.get(kind)
        if tells is not None and tells(body):
            self._count(kind == "system" and body.severity in ALARMING)
            self._kept.append((self._sequence, now, kind, row_id, body))

    def add(self, now: int, kind: str, severity: str, text: str, subject: str) -> None:
        """Append a line about the row with the id ``subject``."""
        self._count(severity in ALARMING)
        self._kept.append(EventView(self._sequence, now, kind, severity, text, subject))

    def _count(self, alarming: bool) -> None:
        self._sequence += 1
        self.version += 1
        self.alarms += alarming

    def _worded(self, number: int, now: int, kind: str, row_id: str, body: Any) -> EventView:
        if kind == "fill":
            said = _fill(body, self._price(body.symbol, body.price))
            return EventView(number, now, *said, row_id)
        if kind == "order":
            request = body.request
            price = request.trigger or request.limit
            at = "" if price is None else f" @ {self._price(request.symbol, price)}"
            return EventView(number, now, *_order(row_id, body, at), row_id)
        return EventView(number, now, *_DESCRIBE[kind](row_id, body), row_id)

    def _price(self, symbol: str, price: Decimal) -> str:
        """At the tick's places; a price off the grid (an average) as it is."""
        tick = self._ticks.get(symbol)
        if tick is None or not on_grid(price, tick):
            return plain(price)
        return f"{price:.{decimals(tick)}f}"

    def dump(self) -> list[EventView]:
        """For a snapshot, so that a restart shows what came before."""
        return self.lines[-200:]

    def load(self, lines: list[EventView]) -> None:
        """Show the lines of the dumped log."""
        self._kept.clear()
        self._kept.extend(lines)
        self._sequence = lines[-1].seq if lines else 0
        self.version += 1


#: A line nobody read yet: its number, time, and the row it tells of (bodies never change).
_Unread = tuple[int, int, str, str, Any]


Line = tuple[str, str, str]


def _order(row_id: str, order: Order, at: str) -> Line:
    request = order.request
    severity = "warning" if order.status in (OrderStatus.REJECTED, OrderStatus.ERROR) else "info"
    reason = f": {order.reason}" if order.reason else ""
    text = (
        f"{request.symbol} {request.purpose} {request.side} {plain(order.remaining)}{at} "
        f"{order.status} {row_id}{reason}"
    )
    return "ORDER", severity, text


def _fill(fill: Fill, price: str) -> Line:
    """What it rests on stands before the costs: a narrow screen cuts the end."""
    text = (
        f"{fill.symbol} {fill.side} {plain(fill.size)} @ {price} paper {fill.evidence} "
        f"fee {_money(fill.fee)} {fill.fee_asset} {fill.order_id}"
    )
    return "FILL", "info", text


def _money(amount: Decimal) -> str:
    """Two decimals, or four below one; what would be nothing then, as it is."""
    shown = amount.quantize(_CENT if abs(amount) >= 1 else _SMALL)
    return f"{shown:f}" if shown or not amount else plain(amount)


def _position(_: str, body: dict[str, Any]) -> Line:
    position, what = body["position"], body["what"]
    text = f"{position.symbol} {position.side} {plain(position.size)} {what} {position.id}"
    if what == "charged":
        text = f"{position.symbol} {position.side} carry {_money(position.carry)} {position.id}"
    elif what == "closed":
        text = (
            f"{position.symbol} {position.side} closed by {position.exit_reason} "
            f"P&L {_money(position.pnl)} after fees {position.id}"
        )
    return "POS", "info", text


def _difference(_: str, difference: Difference) -> Line:
    who = f" by {difference.decided_by}" if difference.decided_by else ""
    return "VENUE", "info", f"{difference.id} {difference.state}{who}: {difference.reason}"


def _conflict(_: str, conflict: Conflict) -> Line:
    return "CONF", "warning", f"{conflict.symbol} {conflict.id}: {'; '.join(conflict.evidence)}"


def _answer(_: str, answer: ArbiterAnswer) -> Line:
    """Every request to a model with its latency and cost, or why there was none."""
    if not answer.tries:
        return "LLM", "info", f"{answer.question_id} not asked: {answer.unasked}"
    parts = [
        f"{one.model} {one.outcome}{one.fault and f': {one.fault}'} "
        f"({one.latency / SECOND:.1f} s, ${plain(one.cost)})"
        for one in answer.tries
    ]
    failed = answer.tries[-1].outcome is not TryOutcome.VALID
    return "LLM", "warning" if failed else "info", f"{answer.question_id} {'; '.join(parts)}"


def _agent_answer(_: str, answer: AgentAnswer) -> Line:
    """What an agent's models said; every fault, and every vote of a decision."""
    about = f"{answer.agent} {answer.question_id}"
    if answer.unasked:
        return "LLM", "info", f"{about} not asked: {answer.unasked}"
    said = [
        f"{vote.model}: {vote.fault}" if vote.opinion is None else vote.opinion.says
        for vote in answer.votes
    ]
    late = ", too late to count" if answer.late else ""
    told = f"{about}: {'; '.join(said) or 'no answer in time'}{late}"
    spent = f" ({answer.latency / SECOND:.1f} s, ${plain(answer.cost)})"
    failed = not answer.late and any(vote.opinion is None for vote in answer.votes)
    return "LLM", "warning" if failed else "info", told + spent


def _is_routine(answer: AgentAnswer) -> bool:
    """Valid answers of analysts every minute are what the agents' pane is for."""
    if answer.agent is AgentName.TRADING or answer.late:
        return False
    return bool(answer.unasked) or all(vote.opinion is not None for vote in answer.votes)


def _resolution(_: str, resolution: Resolution) -> Line:
    return "CONF", "info", f"{resolution.parent} {resolution.by}: {resolution.action}"


def _card(_: str, card: CardRow) -> Line:
    if card.state is CardState.PENDING:
        return "CONF", "warning", f"{card.proposal.symbol} {card.id} waits for you"
    who = f" by {card.decided_by}" if card.decided_by else ""
    reason = f": {card.reason}" if card.reason else ""
    return "CONF", "info", f"{card.proposal.symbol} {card.id} {card.state}{who}{reason}"


def _verdict(_: str, verdict: Verdict) -> Line:
    severity = "info" if verdict.allows else "warning"
    return "RISK", severity, f"{verdict.parent} {verdict.status}: {', '.join(verdict.codes)}"


def _system(_: str, event: SystemEvent) -> Line:
    kind = (
        "ERROR"
        if event.severity in ALARMING
        else "FEED"
        if (event.code.startswith("F-"))
        else "SYS"
    )
    return kind, event.severity, f"{event.code} {event.text}"


def _plan(row_id: str, body: dict[str, Any]) -> Line:
    plan, what = body["plan"], body["what"].replace("_", " ")
    failed = what in ("batch failed", "expired", "short of cash", "failed")
    of = f" {plan.batch} of {plan.batches}" if what.startswith("batch") else ""
    said = plan.reason or "; ".join(
        f"{leg.symbol} {leg.reason}" for leg in plan.legs if leg.reason and leg.failures
    )
    return "PLAN", "warning" if failed else "info", f"{row_id} {what}{of}{said and f': {said}'}"


def _hodl(row_id: str, body: dict[str, Any]) -> Line:
    parts = ", ".join(f"{plain(amount)} for {asset}" for asset, amount in body["shares"].items())
    return "HODL", "info", f"{row_id} {parts} of a profit of {_money(body['profit'])}"


def _state(_: str, body: dict[str, str]) -> Line:
    severity = "warning" if body["state"] != "running" else "info"
    return "STATE", severity, f"{body['state']}: {body['reason']}"


def _level(_: str, body: dict[str, str]) -> Line:
    severity = "warning" if body["level"] != "NORMAL" else "info"
    return "LEVEL", severity, f"{body['level']}: {body['cause']}"


_DESCRIBE: dict[str, Callable[[str, Any], Line]] = {
    "position": _position,
    "difference": _difference,
    "conflict": _conflict,
    "answer": _answer,
    "agent_answer": _agent_answer,
    "resolution": _resolution,
    "card": _card,
    "verdict": _verdict,
    "system": _system,
    "plan": _plan,
    "rebalance": _plan,
    "hodl": _hodl,
    "state": _state,
    "level": _level,
}
_TOLD_BY_FILLS = (OrderStatus.PENDING, OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED)
#: Kind → whether a row of it says something new; rows of other kinds are no lines.
_TELLS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys((*_DESCRIBE, "fill"), lambda _: True),
    "order": lambda order: order.status not in _TOLD_BY_FILLS,
    "position": lambda body: body["what"] != "protected",
    "difference": lambda difference: difference.state is not DifferenceState.OPEN,  # an alarm was
    "answer": lambda answer: bool(answer.tries or answer.unasked),  # else the resolution says it
    "agent_answer": lambda answer: not _is_routine(answer),
    "verdict": lambda verdict: bool(verdict.codes),
}
#: Kinds of rows that may be worth a line.
EVENT_KINDS = frozenset(_TELLS)
