"""How a run did: returns, drawdowns, ratios and trades, from equity marks and closed positions.

Formulas, once:
- A day's return is the change of equity from one 00:00 UTC to the next over the equity it began
  with; what was deposited or put aside for good (hodl) on that day is left out of the change.
- Sharpe ratio: mean daily return over its standard deviation, times √365 (crypto trades every
  day), without a riskless rate. W. F. Sharpe, "The Sharpe Ratio" (1994).
- Sortino ratio: mean daily return over the root mean square of the negative ones, times √365.
  F. A. Sortino, L. N. Price, "Performance Measurement in a Downside Risk Framework" (1994).
- Calmar ratio: yearly compounded return over the largest drawdown. T. W. Young (1991), who took
  three years; here the whole run.
- Profit factor: what winners earned over what losers lost, all costs paid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tradeterm.model.timing import DAY, day_start, iso

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

#: A ratio of fewer daily returns says more about chance than about the trader (our choice).
ENOUGH_DAYS: Final = 30
YEAR_DAYS: Final = 365
ZERO: Final = Decimal(0)
Mark = tuple[int, Decimal]


@dataclass(frozen=True, slots=True)
class Trades:
    """Closed positions of one group; money in account currency, all costs paid."""

    group: str
    """``all``, ``symbol``, ``side``, ``hour`` (UTC, of opening), ``agent`` or ``exit``."""
    name: str
    count: int
    wins: int
    pnl: Decimal
    costs: Decimal
    """Fees and what borrowing cost; ``pnl`` is after them."""
    profit_factor: float | None
    """None without a losing trade."""
    mean_win: Decimal | None
    mean_loss: Decimal | None
    hours: float
    """Mean time held."""


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The largest fall from a peak."""

    percent: float
    peak: int
    trough: int
    recovered: int | None
    """When the old peak was reached again; None while it was not."""


def drawdown(marks: Sequence[Mark]) -> Drawdown | None:
    """The largest one of the equity curve; None without a fall."""
    found: Drawdown | None = None
    top_ts, top, deepest = 0, ZERO, 0.0
    for ts, equity in marks:
        if equity >= top:
            if found is not None and found.recovered is None and found.peak == top_ts:
                found = Drawdown(found.percent, found.peak, found.trough, ts)
            top_ts, top = ts, equity
            continue
        fallen = float((top - equity) / top * 100)
        if fallen > deepest:
            deepest, found = fallen, Drawdown(fallen, top_ts, ts, None)
    return found


def daily_returns(marks: Sequence[Mark], flows: Sequence[Mark] = ()) -> list[tuple[int, float]]:
    """(Day, return) of every whole UTC day; ``flows`` are deposits (above 0) and what left since."""
    if not marks:
        return []
    at_midnight = _at_midnights(marks)
    moved: dict[int, Decimal] = {}
    for ts, amount in flows:
        moved[day_start(ts)] = moved.get(day_start(ts), ZERO) + amount
    found = []
    for (day, before), (_, after) in pairwise(at_midnight):
        if before > 0:
            found.append((day, float((after - moved.get(day, ZERO) - before) / before)))
    return found


def without(marks: Sequence[Mark], flows: Sequence[Mark]) -> list[Mark]:
    """The equity curve as trading alone made it: what came or left since is taken out."""
    found, index, moved = [], 0, ZERO
    for ts, equity in marks:
        while index < len(flows) and flows[index][0] <= ts:
            moved += flows[index][1]
            index += 1
        found.append((ts, equity - moved))
    return found


def _at_midnights(marks: Sequence[Mark]) -> list[Mark]:
    """The equity in force at every 00:00 UTC from the first mark's day on (its own: first mark)."""
    found: list[Mark] = []
    index, equity = 0, marks[0][1]
    day = day_start(marks[0][0])
    while day <= marks[-1][0]:
        while index < len(marks) and marks[index][0] <= day:
            equity = marks[index][1]
            index += 1
        found.append((day, equity))
        day += DAY
    return found


def ratios(returns: Sequence[float], fallen: float) -> dict[str, float | None]:
    """Sharpe, Sortino, Calmar; ``fallen`` is the largest drawdown in percent."""
    found: dict[str, float | None] = {"sharpe": None, "sortino": None, "calmar": None}
    if len(returns) < ENOUGH_DAYS:
        return found
    mean, yearly = fmean(returns), sqrt(YEAR_DAYS)
    if (spread := stdev(returns)) > 0:
        found["sharpe"] = mean / spread * yearly
    if (below := sqrt(fmean(min(one, 0.0) ** 2 for one in returns))) > 0:
        found["sortino"] = mean / below * yearly
    grown = 1.0
    for one in returns:
        grown *= 1 + one
    if fallen > 0 and grown > 0:
        found["calmar"] = 100 * (grown ** (YEAR_DAYS / len(returns)) - 1) / fallen
    return found


def months(returns: Iterable[tuple[int, float]]) -> dict[str, float]:
    """Month → compounded return in percent."""
    found: dict[str, float] = {}
    for day, one in returns:
        month = iso(day)[:7]
        found[month] = found.get(month, 1.0) * (1 + one)
    return {month: 100 * (grown - 1) for month, grown in found.items()}


# -- trades --------------------------------------------------------------------------------

#: Group → what a closed position counts under.
GROUPS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "symbol": lambda position: str(position["symbol"]),
    "side": lambda position: str(position["side"]),
    "hour": lambda position: iso(position["opened"])[11:13],
    "agent": lambda position: str(position["agent"]),
    "exit": lambda position: str(position["exit_reason"] or "unknown"),
}


def trades(closed: Sequence[Mapping[str, Any]]) -> list[Trades]:
    """All closed positions, then by each group."""
    found = [_trades("all", "all trades", closed)]
    for group, named in GROUPS.items():
        for name in sorted({named(one) for one in closed}):
            chosen = [one for one in closed if named(one) == name]
            found.append(_trades(group, name, chosen))
    return found


def _trades(group: str, name: str, closed: Sequence[Mapping[str, Any]]) -> Trades:
    costs = [Decimal(one["fees"]) + Decimal(one["carry"]) for one in closed]
    earned = [Decimal(one["realised"]) - cost for one, cost in zip(closed, costs, strict=True)]
    won = [one for one in earned if one > 0]
    lost = [one for one in earned if one < 0]
    held = [(one["closed"] - one["opened"]) / (DAY / 24) for one in closed]
    return Trades(
        group=group, name=name, count=len(closed), wins=len(won),
        pnl=sum(earned, ZERO), costs=sum(costs, ZERO),
        profit_factor=float(sum(won, ZERO) / -sum(lost, ZERO)) if lost else None,
        mean_win=sum(won, ZERO) / len(won) if won else None,
        mean_loss=sum(lost, ZERO) / len(lost) if lost else None,
        hours=fmean(held) if held else 0.0,
    )  # fmt: skip


def longest_losing_streak(closed: Iterable[Mapping[str, Any]]) -> int:
    """Losing trades in a row, in the order of their closes."""
    longest = streak = 0
    for one in sorted(closed, key=lambda position: position["closed"]):
        net = Decimal(one["realised"]) - Decimal(one["fees"]) - Decimal(one["carry"])
        streak = streak + 1 if net < 0 else 0
        longest = max(longest, streak)
    return longest


def run_report(reader: Reader) -> dict[str, Any]:
    """The whole report on the run in a book of record."""
    paid = sum(reader.balances().get("llm", {}).values(), ZERO)
    return report(curve(reader), reader.flows(), reader.positions(everything=True), paid)


class _Marking(msgspec.Struct):
    unwritten: list[Mark]


class _Books(msgspec.Struct):
    marking: _Marking


class _Written(msgspec.Struct):
    """Of an engine that was written down, the marks that wait for a row of their own."""

    books: _Books


def curve(reader: Reader) -> list[Mark]:
    """Every equity mark: those in the journal, then those of the newest snapshot.

    They reach the journal sixty at a time; without the last ones a run of half an hour earned
    nothing.
    """
    marks, found = reader.equity(), reader.snapshot()
    if found is None:
        return marks
    waiting = msgspec.msgpack.decode(found[1].body, type=_Written).books.marking.unwritten
    last = marks[-1][0] if marks else -1
    return [*marks, *(mark for mark in waiting if mark[0] > last)]


def underwater(reader: Reader) -> list[tuple[int, float]]:
    """(Time, percent below the peak so far) at every mark."""
    marks, top, found = curve(reader), ZERO, []
    for ts, equity in without(marks, _since(marks, reader.flows())):
        top = max(top, equity)
        found.append((ts, float((equity - top) / top * 100)))
    return found


def _since(marks: Sequence[Mark], flows: Sequence[Mark]) -> list[Mark]:
    """Those after the first mark, which holds the others already."""
    return [flow for flow in flows if flow[0] > marks[0][0]] if marks else []


def report(
    marks: Sequence[Mark],
    flows: Sequence[Mark],
    positions: Sequence[Mapping[str, Any]],
    llm_cost: Decimal,
) -> dict[str, Any]:
    """The whole report; ``positions`` with their closes, oldest first."""
    closed = [one for one in positions if one["closed"] is not None]
    first, last = (marks[0], marks[-1]) if marks else ((0, ZERO), (0, ZERO))
    later = _since(marks, flows)
    returns, fallen = daily_returns(marks, later), drawdown(without(marks, later))
    moved = sum((amount for _, amount in later), ZERO)
    earned = last[1] - first[1] - moved
    return {
        "from": iso(first[0]) if marks else None,
        "to": iso(last[0]) if marks else None,
        "equity": {"start": first[1], "end": last[1], "moved": moved, "earned": earned},
        "percent": float(earned / first[1] * 100) if first[1] else 0.0,
        "net_of_llm": earned - llm_cost,
        "days": len(returns),
        "enough_days": ENOUGH_DAYS,
        **ratios([one for _, one in returns], fallen.percent if fallen else 0.0),
        "drawdown": None if fallen is None else _told(fallen),
        "losing_streak": longest_losing_streak(closed),
        "open": len(positions) - len(closed),
        "months": months(returns),
        "trades": [asdict(one) for one in trades(closed)],
    }


def _told(fallen: Drawdown) -> dict[str, Any]:
    back = None if fallen.recovered is None else iso(fallen.recovered)
    return {
        "percent": fallen.percent,
        "peak": iso(fallen.peak),
        "trough": iso(fallen.trough),
        "recovered": back,
    }
