"""Signals, views and accounts for coordinator tests."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import yaml
from msgspec.structs import replace

from tradeterm.coordinator.coordinator import Coordinator
from tradeterm.coordinator.evidence import Evidence, Heard
from tradeterm.model.account import AccountView
from tradeterm.model.orders import Order, OrderRequest, Position
from tradeterm.model.outputs import (
    AgentOutput,
    Published,
    RegimeView,
    SentimentView,
    TechnicalView,
    TradeSignal,
)
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.proposals import Conflict, Proposal, Verdict
from tradeterm.model.vocabulary import (
    AccountBook,
    Action,
    AgentName,
    Bias,
    Level,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    Regime,
    ResolutionAction,
    ResolvedBy,
    RunState,
    Side,
    VerdictStatus,
    VolatilityClass,
)
from tradeterm.settings.orchestration import OrchestrationSettings

D = Decimal
CONFIG = Path(__file__).parents[2] / "config"
NOW = 1_750_000_000_000_000_000
BTC = "BTC/USDT"


def settings(**changes: Any) -> OrchestrationSettings:
    """What ships, with whole groups replaced or (for dicts) merged."""
    data = yaml.safe_load((CONFIG / "orchestration.yaml").read_text("utf-8"))
    for key, value in changes.items():
        data[key] = {**data[key], **value} if isinstance(value, dict) else value
    return OrchestrationSettings.model_validate(data)


def counter() -> Callable[[str], str]:
    """The engine's way of giving ids."""
    counts: dict[str, int] = {}

    def give(kind: str) -> str:
        counts[kind] = counts.get(kind, 0) + 1
        return f"{kind}-{counts[kind]}"

    return give


def correlation(one: str, other: str) -> Decimal:
    """Strong between the two USDT symbols, weak and inverse else."""
    if one == other:
        return D(1)
    return D("0.66") if {one, other} == {"BTC/USDT", "XRP/USDT"} else D("-0.2")


def coordinator(**changes: Any) -> Coordinator:
    return Coordinator(settings(**changes), counter(), correlation)


def _published(agent: AgentName, output: AgentOutput) -> Published:
    return Published(f"out-{agent}-{output.symbol}", NOW, agent, "RULES", (), output)


def ta(bias: Bias = Bias.LONG, confidence: float = 0.7, *, age: float = 10.0) -> Heard:
    view = TechnicalView(
        BTC, bias, confidence, 0.5, 1.0, 0.2, "neutral", "rising", 49000.0, 51000.0, {}, "because"
    )
    return Heard(_published(AgentName.TECHNICAL, view), age)


def regime(
    kind: Regime = Regime.TRENDING_BULL,
    bias: Bias = Bias.LONG,
    *,
    age: float = 100.0,
    symbol: str = BTC,
    previous: Regime | None = None,
    confidence: float = 0.8,
) -> Heard:
    view = RegimeView(
        symbol, kind, confidence, VolatilityClass.NORMAL, bias, 1.0, 1.0, previous, {}, "because"
    )
    return Heard(_published(AgentName.REGIME, view), age)


def mood(bias: Bias = Bias.LONG, confidence: float = 0.5, *, age: float = 500.0) -> Heard:
    view = SentimentView(BTC, 0.3, bias, confidence, 4, {}, "because")
    return Heard(_published(AgentName.SENTIMENT, view), age)


def signal(action: Action = Action.BUY, confidence: float = 0.7, **changes: Any) -> Published:
    """A decision about BTC at 50,000 with stop and target on the right side."""
    below, above = D(49000), D(52000)
    stop, target = (above, below) if action is Action.SELL else (below, above)
    output = TradeSignal(
        BTC, action, confidence, D(50000), stop, target, D("0.02"), D(2), {}, "because"
    )
    return _published(AgentName.TRADING, msgspec.structs.replace(output, **changes))


def position(number: int = 1, **changes: Any) -> Position:
    plain = Position(
        f"pos-{number}",
        BTC,
        PositionSide.LONG,
        D("0.02"),
        D(50000),
        D(1),
        D(1000),
        NOW,
        NOW,
        f"ord-{number}",
        "trading_decision",
        D(49000),
        D(52000),
        D("0.02"),
    )
    return replace(plain, **changes)


def entry(symbol: str, side: Side) -> Order:
    request = OrderRequest(
        "ord-7", symbol, side, OrderType.MARKET, D(1), Purpose.ENTRY, AccountBook.MARGIN, "v-1"
    )
    return Order(request, "v-1", OrderStatus.OPEN, NOW, NOW)


def account(*positions: Position, entries: tuple[Order, ...] = ()) -> AccountView:
    none: MappingProxyType[str, Decimal] = MappingProxyType({})
    return AccountView(
        NOW,
        "USDT",
        D(10000),
        D(10000),
        D(0),
        D(0),
        D(0),
        positions,
        entries,
        none,
        none,
        none,
        none,
        D(10000),
        D(10000),
        D(10000),
        D(10000),
        0,
        RunState.RUNNING,
        Level.NORMAL,
    )


def contradicted(
    keeper: Coordinator | None = None, now: int = NOW, **heard: Any
) -> tuple[Coordinator, Proposal, Conflict]:
    """A BUY with technicals for it and sentiment against it."""
    keeper = keeper or coordinator()
    evidence = Evidence(**{"technical": ta(), "sentiment": mood(Bias.SHORT, 0.6), **heard})
    considered = keeper.consider(signal(), evidence, account(), now)
    assert considered is not None
    assert considered.conflict is not None
    return keeper, considered.proposal, considered.conflict


def question(**heard: Any) -> tuple[Coordinator, ArbiterQuestion]:
    keeper, proposal, conflict = contradicted(**heard)
    evidence = Evidence(**{"technical": ta(), "sentiment": mood(Bias.SHORT, 0.6), **heard})
    return keeper, keeper.question(proposal, conflict, evidence, NOW)


def answer(action: ResolutionAction = ResolutionAction.PROCEED, **changes: Any) -> ArbiterAnswer:
    plain = ArbiterAnswer(
        "question-1", action, ResolvedBy.LLM, "some-model", 0.7, "Reasons.", 0.0, None, None, 0
    )
    return replace(plain, **changes)


def verdict(intent: Any, **changes: Any) -> Verdict:
    plain = Verdict(
        "v-1",
        NOW,
        "proposal-1",
        VerdictStatus.APPROVED,
        (),
        (),
        intent,
        intent.content_hash(),
        "1.1",
    )
    return replace(plain, **changes)
