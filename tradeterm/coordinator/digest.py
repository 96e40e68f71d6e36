"""A conflict in few words: the same facts, ranked, for arbiters that read slowly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tradeterm.coordinator.briefing import facts
from tradeterm.model.pieces import Piece, brief
from tradeterm.model.ports import ArbiterQuestion

#: Characters of a contradiction's evidence.
EVIDENCE_LIMIT: Final = 80
BESIDES: Final = ("regime", "share_of_analysts_agreeing", "closes_positions", "severity")


def digest(question: ArbiterQuestion) -> Iterator[Piece]:
    """Everything the question holds, most important first."""
    told = facts(question)
    proposal = told["proposal"]
    if isinstance(proposal, Mapping):
        yield from _proposal(proposal)
    else:
        yield Piece("proposal", "", "proposal", str(proposal))
    for one in told["contradictions"]:
        yield Piece("contradictions", one["type"], "contradictions", one["type"])
    for one in told["analysts"]:
        yield _opinion(one)
    yield from _feasible(told["feasible"])
    for one in told["contradictions"]:
        words = one["evidence"][:EVIDENCE_LIMIT]
        yield Piece("contradictions", f"evidence of {one['type']}", "evidence", words)
    for name in BESIDES:
        yield Piece(name, "", "besides", f"{name} {brief(told[name])}")
    if isinstance(proposal, Mapping):
        for name in ("notional", "stop", "target"):
            if name in proposal:
                yield Piece("proposal", name, "proposal", f"{name} {brief(proposal[name], name)}")


def _proposal(values: Mapping[str, Any]) -> Iterator[Piece]:
    words = (
        f"{values['side']} {brief(values['size'])} at {brief(values['entry'], 'entry')}, leverage "
        f"{brief(values['leverage'])}, confidence {brief(values['confidence'])}"
    )
    yield Piece("proposal", "order", "proposal", words)
    for name in ("stop", "target"):
        distance = f"{name}_distance_percent"
        if distance in values:
            words = f"{name} {brief(values[distance])} % away"
            yield Piece("proposal", distance, "proposal", words)


def _opinion(one: Mapping[str, Any]) -> Piece:
    sure = f", sure {brief(one['confidence'])}" if "confidence" in one else ""
    age = f", {one['age_seconds']}s old" if "age_seconds" in one else ""
    return Piece(one["analyst"], "", one["analyst"], f"{one['leans']}{sure}{age}")


def _feasible(bounds: Mapping[str, Any]) -> Iterator[Piece]:
    for name in ("leverage", "entry", "size_reduction"):
        if name not in bounds:
            continue
        least, most = bounds[name]
        words = f"{name} {brief(least, name)} to {brief(most, name)}"
        yield Piece("feasible", name, "modify within", words)
