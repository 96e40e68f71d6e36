"""What has been counted since the run's beginning; part of the snapshot, source of the summary."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from tradeterm.model.money import ZERO
from tradeterm.model.vocabulary import (
    AgentName,
    CardState,
    ExitReason,
    OrderStatus,
    PlanStatus,
    VerdictStatus,
)

#: Kinds of notices that are remembered: every file and symbol of a run, and room to spare.
MOST_NOTICES = 100
#: How the last notice of a kind ends when the rest is counted only.
NOT_TOLD = "counted only"
_FILE_LINE = re.compile(r"(.+?):\d+: ")


class AgentCounts(msgspec.Struct):
    """One agent's runs. ``rule`` + ``llm`` + ``invalid`` answers make up the runs that spoke."""

    runs: int = 0
    errors: int = 0
    rule: int = 0
    llm: int = 0
    invalid: int = 0
    warming: int = 0
    """Runs without output for lack of closed bars."""
    last: int = 0
    """Market time of the last run."""
    model: str = ""
    """Who was asked last; here and below: nothing while no model is configured."""
    latency: int = 0
    """Nanoseconds its last answer took."""
    cost: Decimal = ZERO
    """USD so far."""
    why: str = ""
    """Why the rule version spoke last although a model is configured."""


class Noticed(msgspec.Struct):
    """What a feed or the market said of one file or symbol."""

    code: str
    subject: str
    """File, or symbol where no file is named."""
    count: int
    first: str
    more: bool = False
    """There were more, which nobody told one by one."""


class LlmCounts(msgspec.Struct):
    """Requests to language models and what they cost, USD."""

    calls: int = 0
    """HTTP tries."""
    invalid: int = 0
    """Of them, those that brought an answer which was none."""
    cost: Decimal = ZERO
    day: str = ""
    """Wall-clock UTC day of the newest request."""
    day_cost: Decimal = ZERO


class LevelChange(msgspec.Struct, frozen=True):
    """A change of the degradation level."""

    ts: int
    level: str
    cause: str


class BreakerChange(msgspec.Struct, frozen=True):
    """What became of a breaker: percent lost (or losses in a row) against its limit."""

    ts: int
    breaker: str
    what: str
    used: Decimal
    limit: Decimal
    words: str
    """What was done, or why it was reset."""


class Counters(msgspec.Struct):
    """Plain numbers, all of them consequences of journaled inputs."""

    inputs: dict[str, int] = msgspec.field(default_factory=dict)
    agents: dict[str, AgentCounts] = msgspec.field(
        default_factory=lambda: {name.value: AgentCounts() for name in AgentName}
    )
    signals: int = 0
    """Trading decisions other than HOLD."""
    routed: int = 0
    """Proposals handed to the coordinator."""
    detected: dict[str, int] = msgspec.field(default_factory=dict)
    resolved: dict[str, int] = msgspec.field(default_factory=dict)
    cards: dict[str, int] = msgspec.field(
        default_factory=lambda: {s.value: 0 for s in CardState if s is not CardState.PENDING}
    )
    verdicts: dict[str, int] = msgspec.field(
        default_factory=lambda: {s.value: 0 for s in VerdictStatus}
    )
    codes: dict[str, int] = msgspec.field(default_factory=dict)
    orders: dict[str, int] = msgspec.field(
        default_factory=lambda: {s.value: 0 for s in OrderStatus}
    )
    order_status: dict[str, str] = msgspec.field(default_factory=dict)
    """Working order → last status seen, so that every order is counted once."""
    fills: int = 0
    exits: dict[str, int] = msgspec.field(default_factory=lambda: {r.value: 0 for r in ExitReason})
    rebalances: int = 0
    plans: dict[str, int] = msgspec.field(
        default_factory=lambda: {
            "created": 0,
            **{s.value: 0 for s in PlanStatus if s.is_terminal},
        }
    )
    """DCA plans drawn up, and by how they ended."""
    realised: Decimal = ZERO
    """Realised P&L of margin positions net of fees, account currency."""
    carry: Decimal = ZERO
    """Opening and rollover fees of closed positions, account currency."""
    llm: LlmCounts = msgspec.field(default_factory=LlmCounts)
    degradation: list[LevelChange] = msgspec.field(default_factory=list)
    breakers: list[BreakerChange] = msgspec.field(default_factory=list)
    failures: int = 0
    """Handlers that raised."""
    notices: list[Noticed] = msgspec.field(default_factory=list)
    """In the order they began; no more than MOST_NOTICES."""

    def notice(self, code: str, symbol: str, text: str) -> None:
        """Count a notice with others of its kind; rows of a file are named ``file:line: …``."""
        named = _FILE_LINE.match(text)
        subject = named[1] if named else symbol
        for known in self.notices:
            if (known.code, known.subject) == (code, subject):
                known.count += 1
                known.more |= text.endswith(NOT_TOLD)
                return
        if len(self.notices) < MOST_NOTICES:
            self.notices.append(Noticed(code, subject, 1, text))

    def order(self, order_id: str, status: OrderStatus) -> None:
        """Count an order under its newest status only."""
        before = self.order_status.pop(order_id, None)
        if before is not None:
            self.orders[before] -= 1
        self.orders[status] += 1
        if not status.is_terminal:
            self.order_status[order_id] = status


def bump(table: dict[str, int], key: str) -> None:
    """Add one to ``table[key]``."""
    table[key] = table.get(key, 0) + 1
