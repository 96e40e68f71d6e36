"""Portfolio: allocation against its targets, what was put aside, plans, and what was earned."""

from __future__ import annotations

from typing import ClassVar

from tradeterm.engine.view import (
    AllocationLine,
    BagView,
    ConsoleView,
    EarningsView,
    PlanView,
    PortfolioView,
    cents,
)
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, Part, clip, fit, wrap
from tradeterm.tui.panes.base import Pane

_NAMES = 7
_ENDS = {"completed": "up", "paused": "warn", "open": "accent"}


class PortfolioPane(Pane):
    """One line per asset, then one per subject: as many as fit, the most urgent first."""

    NAME: ClassVar[str] = "portfolio"
    KEY: ClassVar[str] = "9"
    TITLE: ClassVar[str] = "Portfolio"
    HINTS = (
        ("cancel_plan", "cancel plan"),
        ("reconcile", "compare with venue"),
        ("detail", "all of it"),
    )

    def part_of(self, view: ConsoleView) -> object:
        status = view.status
        return view.portfolio, status.market_time // 10**9, figures.age(status.data_age)

    def age(self) -> str:
        return f"age {figures.age(self.view.status.data_age)}"

    def inside(self, width: int, height: int) -> list[Line]:
        if not self.view.status.known:
            return [(("connecting to the engine …", "quiet"),)]
        return portfolio_lines(self.view, width)[:height]


def portfolio_lines(view: ConsoleView, width: int) -> list[Line]:
    """Everything, most important first."""
    portfolio, now = view.portfolio, view.status.market_time
    lines: list[Line] = []
    for each in portfolio.differences:
        text = f"DIFFERS {each.id}: {each.text}; settle it with `tradeterm adopt {each.id}`"
        lines += [((part, "error"),) for part in wrap(text, width)]
    lines += allocation_lines(portfolio, width)
    lines.append(bag_line(portfolio.bags, width))
    going = [plan for plan in portfolio.plans if plan.next_due is not None]
    lines += [plan_line(plan, now, width) for plan in going]
    lines.append(earnings_line(portfolio.earnings, width))
    lines += venue_lines(portfolio, width)
    ended = [plan for plan in portfolio.plans if plan.next_due is None]
    return [*lines, *(plan_line(plan, now, width) for plan in ended)]


def allocation_lines(portfolio: PortfolioView, width: int) -> list[Line]:
    """Weight / target, how far off, and a bar on which the target is a mark."""
    if not portfolio.allocation:
        return [(("no allocation while a holding has no price", "quiet"),)]
    return [_allocated(line, portfolio.threshold, width) for line in portfolio.allocation]


def _allocated(line: AllocationLine, threshold: float, width: int) -> Line:
    off = line.weight - line.target
    role = "warn" if abs(off) >= threshold else "accent"
    amounts = f"{line.weight:5.1f} /{line.target:5.1f} %{off:+6.1f} "
    worth = f" {figures.money(line.value):>12}"
    room = max(5, min(40, width - _NAMES - len(amounts) - len(worth)))
    full, empty = figures.bar(line.weight / 100, room)
    at = min(room - 1, round(line.target / 100 * room))
    marked = (full + empty)[:at] + "┃" + (full + empty)[at + 1 :]
    return (
        (fit(line.asset, _NAMES), "text+bold"),
        (amounts, role),
        (marked[: len(full)], role),
        (marked[len(full) :], "faint"),
        (worth, "quiet"),
    )


def bag_line(bags: tuple[BagView, ...], width: int) -> Line:
    """What is put aside: not in the weights, not in the equity."""
    parts = []
    for bag in bags:
        worth = "no price" if bag.worth is None else figures.money(bag.worth)
        parts.append(f"{bag.asset} {figures.size(bag.amount)} ({worth}{_earmark(bag)})")
    text = " · ".join(parts) or "nothing is put aside"
    return (fit("hodl", _NAMES), "quiet"), (clip(text, width - _NAMES), "text")


def _earmark(bag: BagView) -> str:
    """What waits to be bought, or what a purchase cost more than waited; none of it under a cent."""
    waiting = cents(bag.earmarked)
    if waiting > 0:
        return f", {figures.money(waiting)} waits"
    return f", {figures.money(-waiting)} off the next share" if waiting else ""


def plan_line(plan: PlanView, now: int, width: int) -> Line:
    """A plan with its progress; what is still to come in market time."""
    share = float(plan.filled / plan.amount) if plan.amount else 0.0
    full, empty = figures.bar(share, 10)
    done = f" {figures.money(plan.filled)} of {figures.money(plan.amount)}"
    batch = f" {min(plan.batch, plan.batches)}/{plan.batches}"
    following = (
        "" if plan.next_due is None else f", next in {figures.countdown(plan.next_due, now)}"
    )
    reason = f": {plan.reason}" if plan.reason else ""
    state = f"{plan.status.replace('_', ' ')}{batch}{following}"
    used = _NAMES + len(state) + 1 + 10 + len(done)
    return (
        (fit(plan.id, _NAMES), "quiet"),
        (state + " ", _ENDS.get(plan.status, "warn")),
        (full, "accent"),
        (empty, "faint"),
        (done, "text"),
        (clip(reason, max(0, width - used)), "quiet"),
    )


def earnings_line(earned: EarningsView, width: int) -> Line:
    """What prices brought and costs took; net of everything."""
    role = "up+bold" if earned.net > 0 else "down+bold" if earned.net < 0 else "text"
    parts: list[Part] = [
        (fit("P&L", _NAMES), "quiet"),
        (f"price {figures.signed(earned.price)}", "text"),
        (f" · fees {figures.signed(-earned.fees)}", "text"),
        (f" · carry {figures.signed(-earned.carry)}", "text"),
    ]
    if earned.llm or width >= 80:
        parts.append((f" · LLM {figures.signed(-earned.llm)}", "text"))
    return (*parts, (" = ", "quiet"), (figures.signed(earned.net), role))


def venue_lines(portfolio: PortfolioView, width: int) -> list[Line]:
    """The step of the fee ladder, and what the rate limits still let through."""
    lines: list[Line] = []
    tier = portfolio.tier
    if tier is not None:
        following = "" if tier.next_volume is None else f", next at {tier.next_volume:,.0f}"
        text = (
            f"maker {tier.maker:f} % taker {tier.taker:f} % at {figures.money(tier.volume)} "
            f"in 30 days{following}"
        )
        lines.append(((fit("fees", _NAMES), "quiet"), (clip(text, width - _NAMES), "text")))
    if portfolio.headroom:
        tight = any(room.left < room.of * 0.2 for room in portfolio.headroom)
        text = " · ".join(
            f"{room.name} {room.left:g} of {room.of:g} left" for room in portfolio.headroom
        )
        role = "warn" if tight else "text"
        lines.append(((fit("limits", _NAMES), "quiet"), (clip(text, width - _NAMES), role)))
    return lines


__all__ = ["PortfolioPane", "portfolio_lines"]
