"""The fidelity report: are paper fills too kind? From what the engine noted after each fill.

Differences are in basis points of the market's later price, with the sign of our side: positive
means the fill was better than what the market then gave (bought below, sold above), so a mean
above zero says the paper exchange flatters. The market's price is the size-weighted mean of the
prints since the fill; where nothing printed, the mid at that second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import fmean
from typing import Any, Final

from tradeterm.model.vocabulary import Evidence

#: What the figures can and cannot know, said with every report.
CAVEATS: Final = """\
A difference is what the market printed after the fill against the fill, in basis points: above 0
the paper fill was better than what the market gave afterwards.

Prints lie on both sides of the spread: an honest taker loses about half of it here, an honest
maker gains it. A taker mean near 0 or above is too kind.

The market never saw these orders: nobody pulled a quote, nobody traded ahead of them. What an
order itself would have moved cannot be known; the depth it took and remembers only bounds it.

Later seconds contain the market's own move. It cancels out over many fills, not over few: read a
mean only beside its error, and not at all when the error is larger. The error takes fills for
independent; the levels of one walk are not, so it is a lower bound.

A maker fill is compared with what came after it. A mean below 0 is adverse selection, which is
real; an order that should not have filled at all does not show here.

Bars hold no prints inside them: fills on bars are counted as unseen, never guessed.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One fill against the market ``seconds`` later; ``bps`` None: nothing to compare with."""

    fill: str
    order: str
    symbol: str
    side: str
    liquidity: str
    evidence: str
    seconds: int
    notional: float
    """In quote currency: weighs fills of one symbol."""
    against: str
    """``prints``, ``mid`` or ``unseen``."""
    bps: float | None


@dataclass(frozen=True, slots=True)
class Bias:
    """All differences of one group at one horizon."""

    group: str
    """``all``, ``evidence``, ``liquidity`` or ``symbol``."""
    name: str
    seconds: int
    fills: int
    by_prints: int
    by_mid: int
    unseen: int
    mean: float | None
    """Basis points, every fill alike; positive: the paper fill was better."""
    error: float | None
    """Standard error of the mean; None below two fills."""
    worst: float | None
    best: float | None


def differences(order: str, watched: dict[str, Any]) -> list[Difference]:
    """What one ``fidelity`` row says about each of its fills, at the fill and at each horizon."""
    sign = 1.0 if watched["side"] == "buy" else -1.0
    found: list[Difference] = []
    for fill, price, size in watched["fills"]:
        paid = float(price)
        marks: list[tuple[int, float | None, float | None]] = [(0, None, watched["mid"])]
        marks += [(s["seconds"], s["traded"], s["mid"]) for s in watched["samples"]]
        for seconds, traded, mid in marks:
            market = traded if traded is not None else mid
            against = "prints" if traded is not None else "unseen" if mid is None else "mid"
            found.append(Difference(
                fill=fill, order=order, symbol=watched["symbol"], side=watched["side"],
                liquidity=watched["liquidity"], evidence=watched["evidence"], seconds=seconds,
                notional=paid * float(size), against=against,
                bps=None if market is None else sign * (market - paid) / market * 10_000,
            ))  # fmt: skip
    return found


def unseen(
    fills: Iterable[dict[str, Any]], found: Iterable[Difference], seconds: Iterable[int]
) -> list[Difference]:
    """Fills on bars, as there is a row of none of their symbol: nothing followed that says more."""
    followed, horizons = {difference.symbol for difference in found}, (0, *seconds)
    return [
        Difference(
            fill=fill["id"], order=fill["order_id"], symbol=fill["symbol"], side=fill["side"],
            liquidity=fill["liquidity"], evidence=fill["evidence"], seconds=horizon,
            notional=float(fill["price"]) * float(fill["size"]), against="unseen", bps=None,
        )
        for fill in fills
        if fill["evidence"] == Evidence.BAR_ESTIMATE and fill["symbol"] not in followed
        for horizon in horizons
    ]  # fmt: skip


def biases(found: Sequence[Difference]) -> list[Bias]:
    """Mean and spread for all fills, then by evidence, liquidity and symbol."""
    horizons = sorted({difference.seconds for difference in found})
    groups = [("all", "")]
    for group in ("evidence", "liquidity", "symbol"):
        groups += [(group, name) for name in sorted({getattr(each, group) for each in found})]
    return [
        _bias(group, name, seconds, [
            each for each in found
            if each.seconds == seconds and (group == "all" or getattr(each, group) == name)
        ])
        for group, name in groups
        for seconds in horizons
    ]  # fmt: skip


def _bias(group: str, name: str, seconds: int, found: Sequence[Difference]) -> Bias:
    seen = [each.bps for each in found if each.bps is not None]
    mean = fmean(seen) if seen else None
    error = None
    if mean is not None and len(seen) > 1:
        variance = sum((bps - mean) ** 2 for bps in seen) / (len(seen) - 1)
        error = sqrt(variance / len(seen))
    return Bias(
        group=group, name=name or "all fills", seconds=seconds, fills=len(found),
        by_prints=sum(each.against == "prints" for each in found),
        by_mid=sum(each.against == "mid" for each in found),
        unseen=len(found) - len(seen), mean=mean, error=error,
        worst=min(seen, default=None), best=max(seen, default=None),
    )  # fmt: skip


def verdict(found: Iterable[Bias]) -> str:
    """One sentence on the taker fills at the longest horizon, with no more than they bear."""
    takers = [bias for bias in found if (bias.group, bias.name) == ("liquidity", "taker")]
    if not takers or takers[-1].mean is None or takers[-1].error is None:
        return "too few taker fills were followed to say anything about a bias"
    last = takers[-1]
    mean, error = takers[-1].mean, takers[-1].error
    figure = f"{mean:+.2f} ± {error:.2f} bp after {last.seconds} s over {last.fills} taker fills"
    if mean > 2 * error:
        return f"the paper exchange flatters: {figure}"
    if mean < -2 * error:
        return f"paper fills are worse than what followed, as takers' are: {figure}"
    return f"no bias can be told from chance: {figure}"


def report(
    rows: Iterable[tuple[str, dict[str, Any]]], fills: Sequence[dict[str, Any]],
    seconds: Iterable[int],
) -> dict[str, Any]:  # fmt: skip
    """The whole report from (order id, body of its ``fidelity`` row), all fills, and horizons."""
    found = [each for order, body in rows for each in differences(order, body)]
    found += unseen(fills, found, seconds)
    followed = len({each.fill for each in found})
    table = biases(found)
    return {
        "fills": len(fills),
        "followed": followed,
        "still_open": len(fills) - followed,
        "verdict": verdict(table),
        "biases": [asdict(bias) for bias in table],
        "caveats": [" ".join(each.split()) for each in CAVEATS.split("\n\n")],
        "differences": [asdict(each) for each in found],
    }
