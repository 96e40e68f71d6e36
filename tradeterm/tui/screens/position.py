"""Everything about a position: exit plan, chart, P&L by cause, orders and fills, entry evidence."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradeterm.engine.view import ConsoleView, PositionView
from tradeterm.model.timing import SECOND
from tradeterm.tui import figures
from tradeterm.tui.ink import BLANK, Line, fit, wrap
from tradeterm.tui.panes.cardlines import pairs
from tradeterm.tui.screens.lifechart import life_chart
from tradeterm.tui.screens.storylines import evidence, fills, head, steps, verdicts

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

_KINDS = {"stop": "fixed", "break_even": "break-even"}


class PositionDetail:
    """One position, kept current; what it was when it closed stays readable."""

    def __init__(self, position_id: str) -> None:
        self._id = position_id

    def read(self, reader: Reader) -> Any:
        """Its story."""
        from tradeterm.lab import trade

        return trade.trade_story(reader, self._id)

    def mark(self, view: ConsoleView) -> object:
        """Its size, its protection, and its orders."""
        position = self._of(view)
        own = [each for each in view.orders if each.position == self._id]
        return (
            position and (position.size, position.stop, position.target),
            [(each.id, each.status, each.filled) for each in own],
        )

    def _of(self, view: ConsoleView) -> PositionView | None:
        return next((each for each in view.positions if each.id == self._id), None)

    def lines(self, view: ConsoleView, story: Any, width: int) -> Sequence[Line]:
        """What follows the market first, then its story."""
        position = self._of(view)
        if position is None:
            told = f"{self._id} is closed; `tradeterm explain {self._id}` tells its story."
            now: list[Line] = [((part, "text"),) for part in wrap(told, width)]
        else:
            now = [
                *_facts(position, view, width),
                BLANK,
                *life_chart(position, view, width),
                BLANK,
                *_earned(position, view.status.currency, story),
                BLANK,
                *_exits(position, view, story, width),
            ]
        if story is None:
            return now
        return [
            *now,
            *head("Its orders"),
            *(line for order in story["orders"] for line in steps(order, width)),
            *head("Fills"),
            *fills(story["fills"], width),
            *head("Why it was entered"),
            *evidence(story, width),
            *verdicts(story["verdicts"], width),
        ]


def _facts(position: PositionView, view: ConsoleView, width: int) -> list[Line]:
    tick = _tick(position, view)
    facts = [
        ("side", position.side),
        ("size", figures.size(position.size)),
        ("entry", figures.price(position.entry, tick)),
        ("mark", figures.price(position.mark, tick)),
        ("leverage", f"{position.leverage.normalize():f}×"),
        ("collateral", f"{figures.percent(position.percent_equity)} % of equity"),
        ("collateral left", f"{figures.percent(position.collateral_left)} %"),
        ("agent", figures.agent(position.agent)),
        ("opened", figures.moment(position.opened)),
    ]
    state = "closing: the exit order is out" if position.closing else "open and protected"
    return [((f"{position.symbol} {position.id} · {state}", "text+bold"),), *pairs(facts, width)]


def _tick(position: PositionView, view: ConsoleView) -> Decimal | None:
    book = view.books.get(position.symbol)
    return book.tick if book else None


def _earned(position: PositionView, currency: str, story: Any) -> list[Line]:
    """Its P&L by cause; each line adds up to the last one."""
    open_part, closed_part = figures.signed(position.unrealised), figures.signed(position.realised)
    rows = [
        (
            "price",
            position.price,
            f"open part {open_part} at what closing would fetch, closed {closed_part}",
        ),
        ("fees", -position.fees, "of its fills so far; closing costs another"),
        ("rollover", -position.carry, "for opening and holding what it borrows"),
    ]
    models = None if story is None else Decimal(story["models"])
    total = f"{figures.signed(position.net)} {currency}, before the fee of closing"
    lines: list[Line] = [((f"Earned so far, {currency}", "accent+bold"),)]
    for name, value, about in rows:
        lines.append(_row(name, figures.signed(value), about, value))
    lines.append(((fit("net", 18), "text+bold"), (total, "text+bold")))
    if models is not None:
        about = "USD for the models' answers that led to it; booked apart from the position"
        cost = f"-{models:.4f}" if models else "0.00"
        lines.append(_row("language models", cost, about, -models))
    return lines


def _row(name: str, value: str, about: str, worth: Decimal) -> Line:
    role = "up" if worth > 0 else "down" if worth < 0 else "text"
    return ((fit(name, 18), "quiet"), (fit(value, 12, ">"), role), (f"  {about}", "quiet"))


def _exits(position: PositionView, view: ConsoleView, story: Any, width: int) -> list[Line]:
    """What will end it."""
    tick = _tick(position, view)
    kind = _KINDS.get(position.stop_kind, position.stop_kind.replace("_", " "))
    follows = "follows the price" if position.trailing else "does not follow the price"
    if position.trailing and position.stop_kind == "stop":
        follows = "will follow the price (not yet active)"
    stop = f"{figures.price(position.stop, tick)} ({_away(position.stop, position.mark)})"
    facts = [("stop", stop), ("kind of stop", kind), ("trailing", follows)]
    target = "none" if position.target is None else (
        f"{figures.price(position.target, tick)} ({_away(position.target, position.mark)})"
    )  # fmt: skip
    facts.append(("target", target))
    if story is not None:
        facts.append(
            ("at the latest", figures.moment(position.opened + story["time_exit"] * SECOND))
        )
    if position.liquidation is not None:
        facts.append(("liquidation at", figures.price(position.liquidation, tick)))
    return [(("What will end it", "accent+bold"),), *pairs(facts, width)]


def _away(price: Decimal, mark: Decimal) -> str:
    return f"{(price / mark - 1) * 100:+.2f} %" if mark > 0 else "–"
