"""Contradictions around a proposal: one small detector each, over one scene."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tradeterm.coordinator.evidence import Evidence
from tradeterm.model.account import AccountView
from tradeterm.model.money import ONE, plain
from tradeterm.model.orders import Position
from tradeterm.model.outputs import RegimeView
from tradeterm.model.proposals import Proposal, TradeIntent, Verdict
from tradeterm.model.vocabulary import Bias, ConflictType, Regime, Side, VerdictStatus
from tradeterm.settings.orchestration import ConflictSettings


class Contradiction(msgspec.Struct, frozen=True, gc=False):
    """One finding; severity 0–1, evidence in one plain sentence with its figures."""

    type: ConflictType
    severity: float
    evidence: str


class Scene(msgspec.Struct, frozen=True, gc=False):
    """Everything a detector may look at."""

    proposal: Proposal
    evidence: Evidence
    account: AccountView
    correlation: Callable[[str, str], Decimal]
    settings: ConflictSettings


Finding = Contradiction | None


def ta_against_sentiment(scene: Scene) -> Finding:
    """Opposite biases, and neither is clearly surer than the other."""
    ta, mood = scene.evidence.technical_view, scene.evidence.sentiment_view
    if scene.proposal.intent is None or ta is None or mood is None:
        return None
    gap = round(abs(ta.confidence - mood.confidence), 9)  # 0.75 − 0.55 is 0.2, not less
    if {ta.bias, mood.bias} != {Bias.LONG, Bias.SHORT} or not gap < scene.settings.confidence_gap:
        return None
    return Contradiction(
        ConflictType.TA_SENTIMENT,
        round(max(ta.confidence, mood.confidence), 4),
        f"TA {ta.bias} {ta.confidence:.2f} vs sentiment {mood.bias} {mood.confidence:.2f}",
    )


def choppy_regime(scene: Scene) -> Finding:
    """No entry goes unargued in a choppy market."""
    view, intent = scene.evidence.regime_view, scene.proposal.intent
    if intent is None or view is None or view.regime is not Regime.CHOPPY:
        return None
    return Contradiction(
        ConflictType.REGIME_CHOPPY,
        round(view.confidence, 4),
        f"regime choppy {view.confidence:.2f} against a {intent.side} entry at confidence "
        f"{intent.confidence:.2f}",
    )


def regime_change(scene: Scene) -> Finding:
    """The ground moved under an open position while a new entry is asked for."""
    if scene.proposal.intent is None:
        return None
    for heard in scene.evidence.held_regimes:
        view = heard.published.output
        if not isinstance(view, RegimeView) or view.previous is None:
            continue
        held = next((p for p in scene.account.positions if p.symbol == view.symbol), None)
        if held is not None and view.previous is not view.regime:
            return Contradiction(
                ConflictType.REGIME_CHANGE,
                round(view.confidence, 4),
                f"regime of {view.symbol} went from {view.previous} to {view.regime} "
                f"({view.confidence:.2f}) under {held.id} {held.side}",
            )
    return None


def open_position(scene: Scene) -> Finding:
    """A signal against a position that is open on the same symbol."""
    proposal = scene.proposal
    if not proposal.reopens:
        return None  # an entry, or the exit of the position's own plan
    against = [p for p in scene.account.positions if p.id in proposal.close_ids]
    if not against:
        return None
    named = ", ".join(_named(position) for position in against)
    return Contradiction(
        ConflictType.OPEN_POSITION, 0.5, f"signal on {proposal.symbol} against open {named}"
    )


def _named(position: Position) -> str:
    return f"{position.id} ({position.side} {plain(position.size)} from {plain(position.entry)})"


def correlated_stacking(scene: Scene) -> Finding:
    """The same bet again on another symbol."""
    intent = scene.proposal.intent
    if intent is None:
        return None
    for symbol, sign, name in _elsewhere(scene, intent.symbol):
        felt = scene.correlation(symbol, intent.symbol) * sign * intent.side.sign
        if felt >= scene.settings.correlated_from:
            return Contradiction(
                ConflictType.CORRELATED,
                round(float(felt), 4),
                f"{intent.side} {intent.symbol} stacks on {name} (correlation {felt:.2f})",
            )
    return None


def _elsewhere(scene: Scene, symbol: str) -> list[tuple[str, int, str]]:
    """(symbol, sign, name) of what is open or pending on other symbols."""
    held = [(p.symbol, p.side.sign, f"{p.id} {p.side} {p.symbol}") for p in scene.account.positions]
    pending = [
        (
            o.request.symbol,
            1 if o.request.side is Side.BUY else -1,
            f"pending {o.id} {o.request.side} {o.request.symbol}",
        )
        for o in scene.account.entries
    ]
    return [one for one in (*held, *pending) if one[0] != symbol]


def pending_rebalance(scene: Scene) -> Finding:
    """A rebalance is due while a trade is asked for: trading wins, the rebalance waits."""
    if scene.proposal.intent is None or not scene.evidence.rebalance_pending:
        return None
    return Contradiction(
        ConflictType.REBALANCE,
        0.3,
        f"a rebalance is due; this trade on {scene.proposal.symbol} "
        "goes first and the rebalance waits",
    )


#: In the order they are told; all but ``open_position`` look at entries alone.
DETECTORS: tuple[Callable[[Scene], Finding], ...] = (
    ta_against_sentiment,
    choppy_regime,
    regime_change,
    open_position,
    correlated_stacking,
    pending_rebalance,
)


def detect(scene: Scene) -> list[Contradiction]:
    """Every contradiction around the proposal, in the detectors' order."""
    if scene.proposal.intent is None:
        found = open_position(scene)
        return [] if found is None else [found]
    return [found for detector in DETECTORS if (found := detector(scene)) is not None]


def risk_change(wish: TradeIntent, verdict: Verdict, settings: ConflictSettings) -> Finding:
    """Risk would let the trade through, but materially smaller than could be foreseen."""
    if verdict.status is not VerdictStatus.MODIFIED or verdict.intent is None:
        return None
    expected = wish.size if verdict.foreseen is None else min(wish.size, verdict.foreseen)
    cut = (ONE - verdict.intent.size / expected) * 100
    if not cut > settings.material_cut:
        return None
    return Contradiction(
        ConflictType.RISK_CHANGE,
        round(float(cut) / 100, 4),
        f"risk cuts the size by {cut:.0f} % to {plain(verdict.intent.size)} "
        f"({', '.join(verdict.codes)})",
    )
