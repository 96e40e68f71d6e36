"""The measures of who was right, once: hit rates with intervals, Brier scores, reliability.

- Interval of a hit rate: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
  Inference" (1927), 95 %. It takes the cases for independent; where they overlap it is too narrow.
- Brier score: mean of (confidence − outcome)², 0 is perfect. G. W. Brier, "Verification of
  Forecasts Expressed in Terms of Probability" (1950). Its reference is the score of who always
  says the rate that came out, p·(1 − p); skill = 1 − score / reference, 0 or less: the
  confidences tell nothing beyond that rate.
- Reliability: confidences in bins against how often they came true (A. H. Murphy, "A New Vector
  Partition of the Probability Score", 1973).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Final

#: Below so many cases a rate is not worth a judgement.
ENOUGH: Final = 50
#: The normal quantile of a 95 % interval.
_Z: Final = 1.959964
BINS: Final = 10
#: (confidence 0–1, whether it came true)
Forecast = tuple[float, bool]


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something was right; fractions, None without a case."""

    count: int
    hits: int
    rate: float | None
    low: float | None
    high: float | None
    enough: bool


def rate(outcomes: Sequence[bool]) -> Rate:
    """Hits among outcomes, with Wilson's interval."""
    count, hits = len(outcomes), sum(outcomes)
    if not count:
        return Rate(0, 0, None, None, None, enough=False)
    low, high = wilson(hits, count)
    return Rate(count, hits, hits / count, low, high, enough=count >= ENOUGH)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The interval of ``hits`` in ``count`` (above 0)."""
    share, square = hits / count, _Z * _Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = _Z / (1 + square / count)
    reach *= sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(0.0, middle - reach), min(1.0, middle + reach)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What confidences were worth; None without a forecast (skill: also when all came out alike)."""

    brier: float | None
    reference: float | None
    skill: float | None


def calibration(forecasts: Sequence[Forecast]) -> Calibration:
    """Brier score, its reference and the skill against it."""
    if not forecasts:
        return Calibration(None, None, None)
    brier = fmean((said - came) ** 2 for said, came in forecasts)
    base = fmean(float(came) for _, came in forecasts)
    reference = base * (1 - base)
    return Calibration(brier, reference, 1 - brier / reference if reference > 0 else None)


@dataclass(frozen=True, slots=True)
class Bin:
    """Confidences between ``above`` and ``to`` and how often they came true."""

    above: float
    to: float
    confidence: float
    """Their mean."""
    came: Rate


def reliability(forecasts: Sequence[Forecast]) -> list[Bin]:
    """The bins that hold anything, lowest first."""
    bins: dict[int, list[Forecast]] = {}
    for said, came in forecasts:
        bins.setdefault(min(int(said * BINS), BINS - 1), []).append((said, came))
    return [
        Bin(
            index / BINS,
            (index + 1) / BINS,
            fmean(said for said, _ in found),
            rate([came for _, came in found]),
        )
        for index, found in sorted(bins.items())
    ]
