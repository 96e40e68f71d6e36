"""Questions and opinions for the agents' tests."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.model.opinions import DecisionOpinion, Opinion
from tradeterm.model.ports import AgentQuestion, Allowed, MemberVote, Scope
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Action, AgentName

D = Decimal
PRICE = D(60_000)


def allowed(action: Action = Action.BUY) -> Allowed:
    """Up to 0.1 BTC at leverage 3, stops of 0.5–3 %, 100 USDT at the stop."""
    return Allowed(
        action, PRICE, D("0.1"), D(3), D("0.5"), D(3), D(100), D("1.5"), 0.6, D(1), D("0.004"),
    )  # fmt: skip


def scope(*actions: Action, closes: tuple[Action, ...] = ()) -> Scope:
    """These entries, and everything else refused."""
    refused = {a.value: "exposure" for a in (Action.BUY, Action.SELL) if a not in actions}
    return Scope(closes, tuple(allowed(action) for action in actions), refused, D("0.05"))


def question(agent: AgentName = AgentName.TRADING, bounds: Scope | None = None) -> AgentQuestion:
    """Asked at moment 0."""
    return AgentQuestion("ask-1", 0, agent, "BTC/USDT", (), (), (), 20.0, scope=bounds)


def decision(action: Action = Action.BUY, **changes: object) -> DecisionOpinion:
    """A good one: 2 % stop, 6 % target, 0.05 BTC (60 USDT at risk)."""
    sign = 1 if action is Action.BUY else -1
    values: dict[str, object] = {
        "action": action, "confidence": 0.8, "reasoning": "x", "stop": PRICE * (100 - 2 * sign) / 100,
        "target": PRICE * (100 + 6 * sign) / 100, "size": D("0.05"), "leverage": D(2),
    }  # fmt: skip
    return DecisionOpinion(**{**values, **changes})  # type: ignore[arg-type]


def vote(opinion: Opinion | None, number: int = 0, seconds: float = 1.0) -> MemberVote:
    fault = "" if opinion is not None else "not JSON"
    return MemberVote(f"m/{number}", opinion, int(seconds * SECOND), (), fault)
