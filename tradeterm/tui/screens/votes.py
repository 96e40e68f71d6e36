"""What was said: every agent about every symbol, and everybody about one card."""

from __future__ import annotations

from collections.abc import Sequence

from tradeterm.engine.cardview import CardView
from tradeterm.engine.view import AgentView, ConsoleView
from tradeterm.tui import figures
from tradeterm.tui.guards import number
from tradeterm.tui.ink import BLANK, Line, fit, wrap
from tradeterm.tui.panes.agents import WHOLE
from tradeterm.tui.panes.cardlines import pairs, quotation, sides
from tradeterm.tui.screens.text import Builder

#: Why an agent has nothing to say, and what changes that.
_SILENT = {
    "off": "It is switched off; p in its pane or `tradeterm task enable {name}` switches it on.",
    "warming": "It waits until enough bars have closed or headlines have come.",
}


def votes_page(view: ConsoleView, width: int) -> Sequence[Line]:
    """All agents, symbol by symbol, with their reasoning as quotation."""
    lines: list[Line] = []
    for agent in view.agents:
        lines += [*agent_lines(agent, view, width), BLANK]
    return lines or [(("the agents have not spoken yet", "quiet"),)]


def agent_lines(agent: AgentView, view: ConsoleView, width: int) -> list[Line]:
    """Its standing, then what it says about each symbol, and why."""
    lines: list[Line] = [((figures.agent(agent.name), "accent+bold"), (f"  {agent.state}", "text"))]
    lines += pairs(_standing(agent), width)
    if agent.state in _SILENT:
        said = _SILENT[agent.state].format(name=agent.name)
        lines += [((part, "quiet"),) for part in wrap(said, width)]
    if agent.why:
        lines += [((part, "warn"),) for part in wrap(f"rules speak: {agent.why}", width)]
    about = (WHOLE,) if WHOLE in agent.votes else (*view.symbols, *agent.votes)
    for symbol in dict.fromkeys(about):
        lines += _said(agent, symbol, view, width)
    return lines


def _standing(agent: AgentView) -> list[tuple[str, str]]:
    facts = [
        ("answers by", agent.by),
        ("runs", str(agent.runs)),
        ("errors", str(agent.errors)),
        ("last run", figures.when(agent.last_run)),
        ("next run", figures.when(agent.next_run)),
    ]
    if agent.model:
        late = "–" if agent.latency is None else f"{agent.latency:.1f} s"
        facts += [
            ("model", agent.model),
            ("latency", late),
            ("cost", f"${agent.cost.normalize():f}"),
            ("invalid", str(agent.invalid)),
        ]
    return facts


def _said(agent: AgentView, symbol: str, view: ConsoleView, width: int) -> list[Line]:
    confidence = agent.confidences.get(symbol)
    sure = "" if confidence is None else f"  {confidence:.2f} sure"
    by, ts = agent.spoke.get(symbol, ("", 0))
    age = (view.status.market_time - ts) / 10**9 if ts else None
    when = f"  {by}, {figures.age(max(0.0, age))} ago" if age is not None else ""
    lines: list[Line] = [
        (
            (fit("portfolio" if symbol == WHOLE else symbol, 10), "text+bold"),
            (agent.votes.get(symbol, "–"), "text"),
            (sure + when, "quiet"),
        )
    ]
    reasoning = agent.reasoning.get(symbol)
    if not reasoning:
        return lines
    said = wrap(reasoning, max(10, width - 2))
    return [*lines, *((("▏ ", "faint"), (part, "quiet+italic")) for part in said)]


def said_page(card_id: str) -> Builder:
    """Everything that was said about a card, unclipped: no figure of the order among it."""

    def build(view: ConsoleView, width: int) -> Sequence[Line]:
        card = next((each for each in view.cards if each.id == card_id), None)
        if card is None:
            return [((f"{number(card_id)} is no longer listed", "quiet"),)]
        return [*_evidence(card, width), *sides(card, width), BLANK, *quotation(card, width)]

    return build


def _evidence(card: CardView, width: int) -> list[Line]:
    lines: list[Line] = []
    for code, sentence in zip(card.codes, card.evidence, strict=False):
        lines.append(((code, "accent+bold"),))
        lines += [((part, "text"),) for part in wrap(sentence, width)]
    return lines or [((part, "text"),) for text in card.evidence for part in wrap(text, width)]
