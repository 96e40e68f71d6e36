"""Agents and models: whether the market went where they leaned, hours later, before costs.

An opinion is judged from the first recorded price at or after it (never an earlier one, which it
may have followed) to the price so many hours later. Opinions that last are not counted anew every
minute: of one speaker on one symbol the next counts when the last one's hours are over, so that
the cases do not overlap. Neutral opinions lean nowhere and are left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from tradeterm.adapters.store.rows import StoredRow
from tradeterm.lab.measures import calibration, rate, reliability
from tradeterm.lab.outcomes import Body, mean
from tradeterm.model.ghosts import HORIZONS
from tradeterm.model.timing import HOUR

#: A regime's direction (the others have none).
_REGIMES: Final = {
    "trending_bull": 1, "volatile_bull": 1, "trending_bear": -1, "volatile_bear": -1,
}  # fmt: skip
_LEANINGS: Final = {"long": 1, "short": -1, "BUY": 1, "SELL": -1}


class Opinion(NamedTuple):
    """Somebody leaned somewhere (+1 up, −1 down)."""

    ts: int
    agent: str
    by: str
    """``RULES`` or a model."""
    vote: str
    """``output``: it counted; ``vote``: one of a panel; ``late``: too late to count."""
    symbol: str
    sign: int
    confidence: float


class Judged(NamedTuple):
    """An opinion and the move that followed, in basis points its way."""

    opinion: Opinion
    points: float


class Prices:
    """The recorded prices of all symbols."""

    def __init__(self, rows: Iterable[Body]) -> None:
        """From the bodies of ``prices`` rows, oldest first."""
        self._prices: dict[str, tuple[list[int], list[float]]] = {}
        self._step = 0
        for row in rows:
            self._step = max(self._step, row["step"])
            for symbol, prices in row["prices"].items():
                stamps, known = self._prices.setdefault(symbol, ([], []))
                for number, price in enumerate(prices):
                    if price is not None:
                        stamps.append(row["first"] + number * row["step"])
                        known.append(price)

    def after(self, symbol: str, ts: int) -> tuple[int, float] | None:
        """The first price at or after a moment, no more than a step later."""
        stamps, known = self._prices.get(symbol, ([], []))
        index = bisect_left(stamps, ts)
        if index == len(stamps) or stamps[index] - ts > self._step:
            return None
        return stamps[index], known[index]

    def span(self, symbol: str) -> tuple[tuple[int, float], tuple[int, float]] | None:
        """The first and the last one."""
        stamps, known = self._prices.get(symbol, ([], []))
        return ((stamps[0], known[0]), (stamps[-1], known[-1])) if stamps else None


def published(outputs: Iterable[Body]) -> list[Opinion]:
    """From the records of ``agent_outputs``, oldest first."""
    return [
        Opinion(
            one["ts"], one["agent"], one["by"], "output", one["symbol"],
            _LEANINGS[one["bias"]], float(one["confidence"]),
        )
        for one in outputs
        if one["bias"] in _LEANINGS
    ]  # fmt: skip


def votes(questions: Iterable[StoredRow], answers: Iterable[StoredRow]) -> list[Opinion]:
    """What each member of a panel said, the late ones too."""
    asked = {row.id: row.data for row in questions}
    found: list[Opinion] = []
    for row in answers:
        question = asked.get(row.parent)
        if question is None:
            continue
        kind = "late" if row.data["late"] else "vote"
        for vote in row.data["votes"]:
            said = vote["opinion"]
            if said is not None and (sign := _sign(said)):
                found.append(Opinion(
                    question["ts"], row.data["agent"], vote["model"], kind, question["symbol"],
                    sign, float(said["confidence"]),
                ))  # fmt: skip
    return found


def _sign(said: Body) -> int:
    if "regime" in said:
        return _REGIMES.get(said["regime"], 0)
    if "score" in said:
        score = float(said["score"])
        return (score > 0) - (score < 0)
    return _LEANINGS.get(str(said.get("bias") or said.get("action")), 0)


def judged(opinions: Sequence[Opinion], prices: Prices, hours: int) -> list[Judged]:
    """Those whose hours are over, one after the other for each speaker and symbol."""
    free: dict[tuple[str, str, str, str], int] = {}
    found: list[Judged] = []
    for one in opinions:
        start = prices.after(one.symbol, one.ts)
        speaker = (one.agent, one.by, one.vote, one.symbol)
        if start is None or start[0] < free.get(speaker, 0):
            continue
        end = prices.after(one.symbol, start[0] + hours * HOUR)
        if end is None:
            continue
        free[speaker] = end[0]
        found.append(Judged(one, one.sign * (end[1] / start[1] - 1) * 10_000))
    return found


def scores(opinions: Sequence[Opinion], prices: Prices) -> list[dict[str, Any]]:
    """Every speaker at every horizon."""
    found: list[dict[str, Any]] = []
    for hours in HORIZONS:
        groups: dict[tuple[str, str, str], list[Judged]] = {}
        for each in judged(opinions, prices, hours):
            one = each.opinion
            groups.setdefault((one.agent, one.by, one.vote), []).append(each)
        for (agent, by, vote), cases in sorted(groups.items()):
            forecasts = [(case.opinion.confidence, case.points > 0) for case in cases]
            found.append({
                "agent": agent, "by": by, "vote": vote, "hours": hours,
                **asdict(rate([came for _, came in forecasts])),
                **asdict(calibration(forecasts)),
                "bp": mean(case.points for case in cases),
                "reliability": [asdict(each) for each in reliability(forecasts)],
            })  # fmt: skip
    return sorted(found, key=lambda one: (one["agent"], one["by"], one["vote"], one["hours"]))
