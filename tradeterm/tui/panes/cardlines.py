"""A card in words: facts first, then evidence, what the keys do, quotation, and the rules."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.engine.cardview import CardView, RuleView, SideView
from tradeterm.engine.view import ConsoleView
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, cells, clip, fit, wrap


def card_lines(card: CardView, view: ConsoleView, width: int) -> list[Line]:
    """A card in full: facts, evidence, what the keys do, an arbiter's prose as a quotation, rules."""
    lines = [
        *_head(card, width),
        *pairs(stake(card, view.status.currency) + _terms(card, view), width),
        *sides(card, width),
        *_evidence(card, width),
    ]
    if card.state == "pending" and not view.status.watched:
        verb = (
            f"sends: {card.action}"
            if card.closing
            else "sends exactly this order, once risk has checked it again"
        )
        lines += _hanging("a ", f"approves: {verb}", width, "quiet")
        lines += _hanging(
            "r ", "refuses: no trade; so does the countdown when it ends", width, "quiet"
        )
    elif card.reason:
        lines += _hanging(f"{card.state} ", card.reason, width, "quiet")
    return [*lines, *quotation(card, width), *_passed(card, width)]


def reasons(card: CardView, view: ConsoleView, width: int) -> list[Line]:
    """The card under its question: all that the question does not say itself."""
    return [
        *pairs(_terms(card, view), width),
        *sides(card, width),
        *_evidence(card, width),
        *quotation(card, width),
        *_passed(card, width),
    ]


def _evidence(card: CardView, width: int) -> list[Line]:
    """Each contradiction, and the rules that changed or refused something."""
    lines: list[Line] = []
    for sentence in card.evidence:
        lines += _hanging("· ", sentence, width, "text")
    return lines + [_rule(rule, width) for rule in card.rules if rule.outcome != "pass"]


def _passed(card: CardView, width: int) -> list[Line]:
    """The rules that had nothing to say: last, there are two dozen of them."""
    return [_rule(rule, width) for rule in card.rules if rule.outcome == "pass"]


def sides(card: CardView, width: int) -> list[Line]:
    """Who is for it, who is against it, and how old that is."""
    lines: list[Line] = []
    for word, role, agrees in (("for", "up", True), ("against", "down", False)):
        said = [_side(side) for side in card.sides if side.agrees is agrees]
        if said:
            lines += _hanging(fit(word, 8), " · ".join(said), width, role)
    return lines


def _side(side: SideView) -> str:
    by = "" if side.by == "RULES" else f" ({clip(side.by, 24)})"
    name = figures.agent(side.name)
    return f"{name} {side.leans} {side.confidence:.2f}, {figures.age(side.age)} old{by}"


def quotation(card: CardView, width: int) -> list[Line]:
    """What the arbiter wrote: marked as its words, below the facts."""
    if not card.reasoning:
        return []
    said = wrap(card.reasoning, max(10, width - 2))
    return [
        ((f"{_author(card)} wrote, {card.confidence:.2f} sure{_price(card)}:", "quiet"),),
        *((("▏ ", "faint"), (part, "quiet+italic")) for part in said),
        *_misquoted(card, width),
    ]


def _price(card: CardView) -> str:
    """What asking took, where somebody was asked."""
    if card.by == "rules" and not card.cost:
        return ""
    return f", in {card.latency:.1f} s for ${card.cost.normalize():f}"


def _author(card: CardView) -> str:
    """A model by its name, the rule arbiter as such."""
    return clip(card.model, 40) if card.by == "llm" else card.by


def _misquoted(card: CardView, width: int) -> list[Line]:
    if not card.misquoted:
        return []
    figures_named = ", ".join(card.misquoted)
    return _hanging("! ", f"not among the facts it was told: {figures_named}", width, "warn")


def _head(card: CardView, width: int) -> list[Line]:
    lines: list[Line] = [
        (
            (card.resolution, "accent+bold"),
            (f" by {clip(card.by, 12)}  ", "quiet"),
            (clip(card.action, max(8, width - 24)), "text+bold"),
        ),
    ]
    if card.verdict:
        pending = card.state == "pending"
        role = "warn" if card.verdict != "approved" else "up" if pending else "quiet"
        lines += _hanging("risk " if pending else "risk had said ", card.verdict, width, role)
    if card.follows:
        lines += _hanging("→ ", card.follows, width, "warn")
    return lines


def _terms(card: CardView, view: ConsoleView) -> list[tuple[str, str]]:
    """At which prices; a close has none of an entry's."""
    book = view.books.get(card.symbol)
    tick = book.tick if book else None
    facts: list[tuple[str, str]] = []
    if not card.closing:
        facts += [
            ("entry", figures.price(card.entry, tick)),
            ("stop", figures.price(card.stop, tick)),
            ("target", figures.price(card.target, tick)),
            ("reward/risk", "–" if card.reward_risk is None else f"{card.reward_risk:.2f}"),
            ("leverage", f"{card.leverage.normalize():f}×"),
        ]
    if card.price_now is not None:
        moved = _moved(card.price, card.price_now)
        facts.append(("now", f"{figures.price(card.price_now, tick)} ({moved})"))
    else:
        facts.append(("price then", figures.price(card.price, tick)))
    return facts


def stake(card: CardView, currency: str) -> list[tuple[str, str]]:
    """How much is at stake; figures that nobody knows any more are left out."""
    facts: list[tuple[str, str]] = []
    if card.size is not None:
        facts.append(("closes" if card.closing else "size", figures.size(card.size)))
    if card.notional is not None:
        facts.append(("notional", f"{figures.money(card.notional)} {currency}"))
    if card.risk_at_stop is not None and not card.closing:
        facts.append(("risk at stop", f"{figures.money(card.risk_at_stop)} {currency}"))
    if card.exposure_after is not None:
        facts.append(("exposure after", f"{figures.percent(card.exposure_after)} %"))
    return facts


def _moved(before: Decimal, now: Decimal) -> str:
    return f"{(now / before - 1) * 100:+.2f} %" if before > 0 else "–"


def pairs(facts: list[tuple[str, str]], width: int) -> list[Line]:
    """``label value   label value`` filling lines."""
    lines: list[Line] = []
    current: Line = ()
    for label, value in facts:
        piece: Line = ((label + " ", "quiet"), (value, "text"))
        if current and cells(current) + 3 + cells(piece) > width:
            lines.append(current)
            current = ()
        current = (*current, ("   ", "text"), *piece) if current else piece
    return [*lines, current] if current else lines


def _rule(rule: RuleView, width: int) -> Line:
    role = {"pass": "quiet", "fail": "error", "reduced": "warn"}.get(rule.outcome, "text")
    value = f"{rule.value} / {rule.limit}" if rule.limit else rule.value
    return (
        ("  ", "text"),
        (fit(rule.outcome, 8), role),
        (fit(rule.rule, 24) + " ", "quiet"),
        (clip(value, max(8, width - 36)), "text" if rule.outcome != "pass" else "quiet"),
    )


def _hanging(mark: str, text: str, width: int, role: str) -> list[Line]:
    parts = wrap(text, max(10, width - len(mark)))
    return [
        ((mark if at == 0 else " " * len(mark), "accent"), (part, role))
        for at, part in enumerate(parts)
    ]
