"""What an arbiter is told of a question, and whether it quotes it faithfully. Facts only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from tradeterm.coordinator.feasible import Feasible
from tradeterm.model.money import ZERO
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.vocabulary import AgentName

#: Whole numbers up to this count things ("2 of 3 analysts") and prove nothing.
COUNTING: Final = 10
MOST_MISQUOTED: Final = 8
_NUMBER: Final = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])")
_ID: Final = re.compile(r"\b[a-z]+-\d+\b")


def facts(question: ArbiterQuestion) -> dict[str, Any]:
    """Everything around the question: no dates, no prose from outside, no names but ours."""
    conflict, proposal = question.conflict, question.proposal
    return {
        "symbol": proposal.symbol,
        "proposal": _entry(proposal.intent) if proposal.intent else "close only",
        "closes_positions": len(proposal.close_ids),
        "analysts": [_opinion(name, question) for name in question.order],
        "share_of_analysts_agreeing": round(proposal.consensus.agreeing, 4),
        "regime": question.regime.value if question.regime else "unknown",
        "contradictions": [
            {"type": kind.value, "evidence": _ID.sub("it", text)}
            for kind, text in zip(conflict.types, conflict.evidence, strict=False)
        ],
        "severity": conflict.severity,
        "feasible": Feasible.of(proposal).told(),
    }


def _entry(intent: TradeIntent) -> dict[str, Any]:
    told: dict[str, Any] = {
        "side": intent.side.value,
        "confidence": float(intent.confidence),
        "leverage": float(intent.leverage),
        "size": float(intent.size),
        "notional": round(float(intent.size * intent.entry), 2),
        "entry": float(intent.entry),
    }
    if intent.stop is not None:
        told["stop"] = float(intent.stop)
        told["stop_distance_percent"] = _percent(abs(intent.entry - intent.stop), intent.entry)
    if intent.target is not None:
        told["target"] = float(intent.target)
        told["target_distance_percent"] = _percent(abs(intent.target - intent.entry), intent.entry)
    return told


def _percent(part: Decimal, whole: Decimal) -> float:
    return round(float(part / whole * 100), 3) if whole > ZERO else 0.0


def _opinion(name: str, question: ArbiterQuestion) -> dict[str, Any]:
    told: dict[str, Any] = {"analyst": name, "leans": question.proposal.consensus.heard[name]}
    if name == AgentName.TECHNICAL:
        told |= {"confidence": question.ta_confidence, "age_seconds": round(question.ta_age)}
    elif name == AgentName.SENTIMENT:
        told["confidence"] = question.sentiment_confidence
        told["age_seconds"] = round(question.sentiment_age)
    elif name == AgentName.REGIME:
        told["age_seconds"] = round(question.regime_age)
    return told


def misquoted(answer: ArbiterAnswer, question: ArbiterQuestion) -> tuple[str, ...]:
    """Figures in the reasoning that are neither among the facts nor in the answer itself."""
    known = list(_figures(facts(question)))
    known += [answer.confidence, answer.size_reduction]
    known += [value for value in (answer.leverage, answer.entry) if value is not None]
    found = [quoted for quoted in _NUMBER.findall(answer.reasoning) if not _is_known(quoted, known)]
    return tuple(dict.fromkeys(found))[:MOST_MISQUOTED]


def _is_known(quoted: str, known: list[float]) -> bool:
    """Whether it is one of them, as a fraction, in percent, or rounded as far as it is quoted."""
    text = quoted.replace(",", "")
    value, decimals = float(text), len(text.partition(".")[2])
    if not decimals and value <= COUNTING:
        return True
    half = 0.5 * 10.0**-decimals + 1e-9
    return any(
        abs(abs(figure) * scale - value) <= half
        for figure in known
        for scale in (1.0, 100.0, 1 / 60)
    )


def _figures(told: object) -> Iterator[float]:
    """Every number in there, those inside sentences included."""
    if isinstance(told, dict):
        for inner in told.values():
            yield from _figures(inner)
    elif isinstance(told, list):
        for inner in told:
            yield from _figures(inner)
    elif isinstance(told, str):
        for quoted in _NUMBER.findall(told):
            yield float(quoted.replace(",", ""))
    elif isinstance(told, int | float):
        yield float(told)
