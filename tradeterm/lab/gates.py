"""Who let proposals through or stopped them, and whether that was right.

Refusing was right when the ghost lost money, letting through was right when it earned some, all
costs paid, under the one exit policy of all ghosts (``model/ghosts.py``). What a refusal or a cut
saved is the ghost's loss on the part that was not sent: below zero it cost that much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from statistics import fmean, median
from typing import Any

from tradeterm.adapters.store.rows import StoredRow
from tradeterm.lab.measures import Forecast, calibration, rate, reliability
from tradeterm.lab.outcomes import ZERO, Body, Outcome, mean
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import VerdictStatus

#: Who ends a card without having judged the trade.
_NOBODY = frozenset({"clock", "market", "halt", "risk"})
_REFUSING = frozenset({VerdictStatus.REJECTED.value, VerdictStatus.HALTED.value})
ByProposal = Mapping[str, Outcome]


class Calls:
    """The decisions of one judge."""

    def __init__(self) -> None:
        self.let_through: list[Outcome] = []
        self.refused: list[Outcome] = []
        self.forecasts: list[Forecast] = []
        self.saved = ZERO

    def add(self, outcome: Outcome, *, through: bool, confidence: float | None = None) -> None:
        """One that is over; others are not judged yet."""
        pnl = outcome.pnl
        if pnl is None:
            return
        (self.let_through if through else self.refused).append(outcome)
        if not through:
            self.saved -= pnl * outcome.offered
        if confidence is not None:
            self.forecasts.append((confidence, (pnl > 0) is through))

    def cut(self, outcome: Outcome, share: Decimal) -> None:
        """That part of the size asked for was not sent."""
        if outcome.pnl is not None:
            self.saved -= outcome.pnl * share

    def told(self, kind: str, name: str) -> dict[str, Any]:
        """As a line of the report."""
        right = [_pnl(one) > 0 for one in self.let_through] + [
            _pnl(one) < 0 for one in self.refused
        ]
        told: dict[str, Any] = {
            "kind": kind, "name": name,
            "let_through": asdict(rate([_pnl(one) > 0 for one in self.let_through])),
            "refused": asdict(rate([_pnl(one) < 0 for one in self.refused])),
            "right": asdict(rate(right)),
            "bp_through": mean(one.points for one in self.let_through),
            "bp_refused": mean(one.points for one in self.refused),
            "saved": self.saved,
        }  # fmt: skip
        if self.forecasts:
            told |= asdict(calibration(self.forecasts))
            told["reliability"] = [asdict(one) for one in reliability(self.forecasts)]
        return told


def _pnl(outcome: Outcome) -> Decimal:
    return outcome.pnl or ZERO


def resolvers(
    resolutions: Iterable[StoredRow], conflicts: Mapping[str, str], ghosts: ByProposal
) -> list[dict[str, Any]]:
    """By who resolved; ``conflicts``: conflict → proposal. Waiting is no judgement."""
    calls: dict[str, Calls] = {}
    waits: dict[str, int] = {}
    for row in resolutions:
        body = row.data
        name = body["by"] if body["by"] == "fallback" else body["model"]
        one = calls.setdefault(name, Calls())
        if body["action"] == "wait":
            waits[name] = waits.get(name, 0) + 1
            continue
        outcome = ghosts.get(conflicts.get(body["parent"], ""))
        if outcome is not None:
            through = body["action"] != "abort"
            one.add(outcome, through=through, confidence=float(body["confidence"]))
            if through:
                one.cut(outcome, Decimal(body["size_reduction"]))
    return [
        {**one.told("resolver", name), "waits": waits.get(name, 0)}
        for name, one in sorted(calls.items())
    ]


def edits(cards: Iterable[StoredRow]) -> dict[str, Decimal]:
    """Card → the size the operator took away from it, from all ``card`` rows in order."""
    first: dict[str, Decimal] = {}
    found: dict[str, Decimal] = {}
    for row in cards:
        if (intent := row.data["intent"]) is not None:
            size = Decimal(intent["size"])
            found[row.id] = first.setdefault(row.id, size) - size
    return found


def deciders(
    cards: Iterable[Body], edited: Mapping[str, Decimal], ghosts: ByProposal
) -> list[dict[str, Any]]:
    """The operator and whoever else decided cards; what nobody answered stands by itself."""
    calls: dict[str, Calls] = {}
    for card in cards:
        outcome = ghosts.get(card["proposal"]["id"])
        if outcome is None or card["state"] == "pending":
            continue
        name = card["decided_by"]
        if name in _NOBODY:
            name = f"nobody ({card['state']})"
        one, through = calls.setdefault(name, Calls()), card["state"] == "approved"
        one.add(outcome, through=through)
        if through:
            one.cut(outcome, edited.get(card["id"], ZERO) / Decimal(outcome.ghost["asked"]))
    return [one.told("operator", name) for name, one in sorted(calls.items())]


def risk_rules(
    verdicts: Iterable[Body],
    cards: Iterable[Body],
    edited: Mapping[str, Decimal],
    ghosts: Iterable[Outcome],
) -> list[dict[str, Any]]:
    """Every code that refused or cut an entry; a verdict with several counts for each of them."""
    by_id = {verdict["id"]: verdict for verdict in verdicts}
    by_card = {card["id"]: card for card in cards}
    vetoes = {one["parent"]: one for one in by_id.values() if one["status"] in _REFUSING}
    """By card: what stopped it when the key was hit already."""
    everything, calls = Calls(), dict[str, Calls]()
    for outcome in ghosts:
        parent, end = outcome.ghost["parent"], outcome.ghost["end"]
        if end == "voided" and parent in vetoes:
            parent, end = vetoes[parent]["id"], "vetoed"
        verdict = by_id.get(parent)
        if verdict is None:
            continue
        card = by_card.get(verdict["parent"])
        codes = set(verdict["codes"])
        if end == "vetoed":
            for one in (everything, *_named(calls, codes)):
                one.add(outcome, through=False)
            continue
        everything.add(outcome, through=True)
        reduced = ZERO
        if card is not None:  # the arbiter cut first, then risk, then the operator
            codes |= set(by_id.get(card["verdict_id"] or "", verdict)["codes"])
            reduced = Decimal(card["resolution"]["size_reduction"])
            reduced += edited.get(card["id"], ZERO) / Decimal(outcome.ghost["asked"])
        for one in (everything, *_named(calls, codes)) if codes else ():
            one.cut(outcome, max(1 - reduced - outcome.offered, ZERO))
    told = [one.told("risk", code) for code, one in sorted(calls.items())]
    return [everything.told("risk", "all rules"), *told]


def _named(calls: dict[str, Calls], codes: Iterable[str]) -> list[Calls]:
    return [calls.setdefault(code, Calls()) for code in sorted(codes)]


def approval(cards: Sequence[Body], ghosts: ByProposal) -> dict[str, Any]:
    """What waiting for the operator cost: basis points the price ran ahead, our side's sign."""
    seconds: list[float] = []
    since_card: list[float] = []
    since_proposal: list[float] = []
    for card in cards:
        outcome = ghosts.get(card["proposal"]["id"])
        if card["state"] != "approved" or outcome is None:
            continue
        ghost = outcome.ghost
        sign, sent = (1 if ghost["side"] == "long" else -1), Decimal(ghost["mid"])
        seconds.append((card["decided"] - card["ts"]) / SECOND)
        for found, price in (
            (since_card, Decimal(card["price"])),
            (since_proposal, Decimal(ghost["price"])),
        ):
            found.append(float(sign * (sent / price - 1) * 10_000))
    return {
        "count": len(seconds),
        "seconds": fmean(seconds) if seconds else None,
        "seconds_median": median(seconds) if seconds else None,
        "bp": mean(since_card),
        "bp_since_proposal": mean(since_proposal),
    }
