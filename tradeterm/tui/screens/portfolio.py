"""The portfolio in full: what the pane shows, every leg of a plan, and P&L by position."""

from __future__ import annotations

from collections.abc import Sequence

from tradeterm.engine.view import ConsoleView
from tradeterm.tui import figures
from tradeterm.tui.ink import BLANK, Line, clip, fit
from tradeterm.tui.panes.portfolio import portfolio_lines


def portfolio_page(view: ConsoleView, width: int) -> Sequence[Line]:
    """Kept current while it is open."""
    return [*portfolio_lines(view, width), *_legs(view, width), *_positions(view)]


def _legs(view: ConsoleView, width: int) -> list[Line]:
    lines: list[Line] = []
    for plan in view.portfolio.plans:
        lines += [BLANK, ((f"{plan.id} {plan.status.replace('_', ' ')}", "text+bold"),)]
        for leg in plan.legs:
            text = (
                f"{leg.side} {leg.symbol}  {figures.money(leg.filled)} of "
                f"{figures.money(leg.amount)}  {leg.reason}"
            )
            lines.append(((clip("  " + text, width), "text"),))
    return lines


def _positions(view: ConsoleView) -> list[Line]:
    if not view.positions:
        return []
    names = ("price", "fees", "carry", "net")
    head = fit("position", 20) + "".join(fit(name, 11, ">") for name in names)
    lines: list[Line] = [BLANK, ((head, "quiet"),)]
    for each in view.positions:
        amounts = (each.price, -each.fees, -each.carry, each.net)
        figured = "".join(fit(figures.signed(amount), 11, ">") for amount in amounts)
        lines.append(((fit(f"{each.symbol} {each.id}", 20) + figured, "text"),))
    return lines
