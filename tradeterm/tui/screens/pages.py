"""What the pages say: every fact about one row, and what a question is about."""

from __future__ import annotations

from collections.abc import Sequence

from tradeterm.engine.view import ConsoleView, EventView, PositionView
from tradeterm.tui import figures, moments
from tradeterm.tui.guards import number
from tradeterm.tui.ink import BLANK, Line, wrap
from tradeterm.tui.panes.cardlines import card_lines
from tradeterm.tui.panes.safety import MEANING
from tradeterm.tui.printable import printable
from tradeterm.tui.screens.text import Builder
from tradeterm.tui.screens.votes import agent_lines

_WORKING = frozenset({"pending", "open", "partially_filled"})


def away_lines(view: ConsoleView, width: int) -> Sequence[Line]:
    """What became of what was left open while the program was off, and what is open now."""
    away = view.away
    if away is None:
        return [(("the market was never left alone in this run", "quiet"),)]
    since, until = figures.moment(away.since), figures.moment(away.until)
    lines = _text(f"Nobody listened from {since} to {until}.", width)
    lines += _text(
        f"{away.events} market events of that time were fetched and settled: {away.fills} fills."
        if away.events or not away.lines
        else "What the market did could not be fetched: nothing is assumed, filled or unfilled.",
        width,
    )
    lines += [BLANK, (("What it did to yours", "accent+bold"),)]
    for line in away.lines or ("nothing: no order was reached, no position ended",):
        lines += _text(printable(line), width)
    working = sum(order.status in _WORKING for order in view.orders)
    status = view.status
    lines += [BLANK, (("Now", "accent+bold"),)]
    lines += _text(
        f"{len(view.positions)} positions, {working} working orders, equity "
        f"{figures.money(status.equity)} {status.currency}. `tradeterm journal` has every row.",
        width,
    )
    return lines


def card_page(card_id: str) -> Builder:
    """A card with all its evidence and rules."""

    def build(view: ConsoleView, width: int) -> Sequence[Line]:
        card = next((each for each in view.cards if each.id == card_id), None)
        if card is None:
            return _text(
                f"{number(card_id)} is no longer listed; `tradeterm explain {card_id}` "
                "tells its story.",
                width,
            )
        left = figures.countdown(card.expires, view.status.market_time)
        until = f"expires in {left} of market time, at {figures.when(card.expires)}"
        state = until if card.state == "pending" else f"{card.state} {figures.when(card.decided)}"
        head: list[Line] = [
            ((part, "text+bold"),) for part in wrap(f"{card.symbol}: {card.headline}", width)
        ]
        types = ", ".join(kind.replace("_", " ") for kind in card.types)
        codes = f" ({', '.join(card.codes)}, severity {card.severity:.2f})" if card.codes else ""
        return [
            *head,
            *(((part, "quiet"),) for part in wrap(f"{types}{codes} · {state}", width)),
            BLANK,
            *card_lines(card, view, width),
        ]

    return build


def agent_page(name: str) -> Builder:
    """What an agent says about each symbol, and why."""

    def build(view: ConsoleView, width: int) -> Sequence[Line]:
        agent = next((each for each in view.agents if each.name == name), None)
        return agent_lines(agent, view, width) if agent else _text(f"{name} is gone", width)

    return build


def event_page(event: EventView) -> Builder:
    """One event, unclipped."""

    def build(view: ConsoleView, width: int) -> Sequence[Line]:
        return [
            ((f"{figures.moment(event.ts)}  {event.kind}  {event.severity}", "quiet"),),
            BLANK,
            *_text(event.text, width),
        ]

    return build


def flatten_facts(view: ConsoleView) -> list[str]:
    """What flattening will do, with the worst price the visible book would give."""
    facts = ["Closes every margin position at market, cancels entries, then halts.", ""]
    for position in view.positions:
        side = "sell" if position.side == "long" else "buy"
        facts.append(
            f"{side} {figures.size(position.size)} {position.symbol}, worst price "
            f"{worst_price(position, view)}"
        )
    if not view.positions:
        facts.append("no open positions; working entries only")
    return [*facts, *_stays_in_the_market(view)]


def _stays_in_the_market(view: ConsoleView) -> list[str]:
    """What flattening leaves alone: it ends margin positions, and pauses a plan."""
    currency, facts = view.status.currency, []
    held = [
        f"{line.asset} {figures.money(line.value)}"
        for line in view.portfolio.allocation
        if line.asset != currency and line.value > 0
    ]
    if held:
        facts += ["", f"Spot holdings stay: {', '.join(held)} {currency}."]
    if (plan := moments.plan_under_way(view)) is not None:
        left = figures.money(plan.amount - plan.filled)
        facts.append(f"{plan.id} pauses, goes on after RESUME: {left} {currency} undone.")
    return facts


def worst_price(position: PositionView, view: ConsoleView) -> str:
    """The last level a market close would touch in the book on screen."""
    book = view.books.get(position.symbol)
    levels = (book.bids if position.side == "long" else book.asks) if book else ()
    left = float(position.size)
    for price, depth in levels:
        left -= depth
        if left <= 0 and book:
            return figures.price(price, book.tick)
    return "beyond the visible book" if levels else "unknown (no book)"


def resume_facts(view: ConsoleView) -> list[str]:
    """What resuming means now."""
    status = view.status
    reason = f": {status.state_reason}" if status.state_reason else ""
    return [
        f"Trading is {status.state}{reason}.",
        (
            f"Level {status.level}. Equity {figures.money(status.equity)} {status.currency}, "
            f"day {status.day_pnl:+.2f} %, drawdown {status.drawdown:.1f} of "
            f"{status.drawdown_limit:.0f} %."
        ),
        "After resuming, agents may propose and entries may be sent again. Limits still apply.",
        *(
            f"Breaker {breaker.name} is tripped: B resets it, with a reason; until then this is "
            "refused."
            for breaker in view.risk.breakers
            if breaker.tripped is not None
        ),
    ]


def loosen_facts(view: ConsoleView, level: str) -> list[str]:
    """What a looser level allows again, and what will hold it all the same."""
    return [
        f"Level {view.status.level}: {view.status.level_cause or 'no cause'}.",
        f"{level}: {MEANING.get(level, '')}. Failures counted so far are forgiven.",
        "A condition that lasts (stale data, clock, journal, budget) goes on holding its level.",
    ]


_POLICIES = {
    "keep": "keeps everything as it is",
    "cancel_entries": "cancels entries",
    "halt": "halts: entries cancelled, stops stay",
}


def quit_facts(view: ConsoleView, working: int, pending: int, policy: str) -> list[str]:
    """What stays behind, and what that means in this market."""
    away = (
        "The market goes on without you. Nothing watches it then: stops and targets are settled at "
        "the next start, against what the market did meanwhile."
        if view.status.mode == "LIVE"
        else "The market is held while the program is off, and goes on at this very point with the "
        "next start; nothing is triggered in between."
    )
    unwritten = [
        "The journal cannot be written: what was ordered since then is lost when you leave now."
        + (" Exits are kept in emergency.jsonl." if view.status.mode == "LIVE" else "")
    ]
    unsent = []
    if (plan := moments.plan_under_way(view)) is not None:
        taken = min(plan.batch, plan.batches)
        unsent.append(
            f"A rebalance is under way: {taken} of {plan.batches} batches of {plan.id} taken."
        )
    return [
        *(unwritten if view.fault else ()),
        f"Open positions: {len(view.positions)}. Working orders: {working}. Cards that wait: {pending}.",
        *unsent,
        away,
        f"A signal {_POLICIES[policy]} (console.on_signal).",
    ]


def quit_choices(view: ConsoleView, *, entries: bool) -> dict[str, str]:
    """Key → what it does before leaving; those that would do nothing are left out."""
    choices = {"y": "keep everything as it is, and quit"}
    if view.fault:  # an order given now would be lost with the end
        return choices
    if entries:
        choices["c"] = "cancel the working entries, then quit; stops and targets stay"
    if entries or view.positions:
        choices["f"] = "flatten, then quit: close all, halt (asks for the word FLATTEN)"
    return choices


def _text(text: str, width: int) -> list[Line]:
    return [((part, "text"),) for part in wrap(text, width)]
