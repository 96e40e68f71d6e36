"""Every card of the run and what became of it, newest first; the report's / narrows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tradeterm.tui import figures
from tradeterm.tui.guards import number
from tradeterm.tui.ink import BLANK, Line, clip, fit, wrap
from tradeterm.tui.printable import printable

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

_NONE = (
    "no card yet: each comes here with what became of it, the first when analysts contradict "
    "each other"
)
#: Cells for what became of a card, where what it was about stands on the same line.
_OUTCOME = 30
_STATES = {"approved": "up", "pending": "accent", "expired": "warn", "drifted": "warn"}


def read(reader: Reader) -> list[dict[str, Any]]:
    """All cards, newest first."""
    return reader.cards()[::-1]


def lines(found: Sequence[dict[str, Any]], width: int) -> Sequence[Line]:
    """Some lines for each: what it was about, who settled it, who decided, and why."""
    written: list[Line] = []
    for card in found:
        written += [*_card(card, width), BLANK]
    return written or [((part, "quiet"),) for part in wrap(_NONE, width)]


def _card(card: dict[str, Any], width: int) -> list[Line]:
    state, resolution = card["state"], card["resolution"]
    ended = ""
    if card["decided"]:
        ended = f" by {printable(card['decided_by'])} {figures.clock(card['decided'])}"
    types = ", ".join(kind.replace("_", " ") for kind in card["conflict"]["types"])
    model = f" ({printable(resolution['model'])})" if resolution["by"] == "llm" else ""
    settled = f"{resolution['action']} by {resolution['by']}{model}"
    outcome, about = f"{state}{ended}", f"{types or 'no conflict'} · {settled}"
    head: Line = (
        (fit(number(card["id"]), 6), "accent+bold"),
        (fit(printable(card["proposal"]["symbol"]), 10), "text+bold"),
    )
    pen, room = _STATES.get(state, "quiet"), width - 16
    if len(outcome) <= _OUTCOME and len(about) < room - _OUTCOME:
        top = [(*head, (fit(outcome, _OUTCOME), pen), (f" {about}", "text"))]
    else:
        top = [(*head, (clip(outcome, room), pen)), (("  " + clip(about, width - 2), "text"),)]
    said = [
        *card["conflict"]["evidence"],
        resolution["reasoning"],
        *([f"{state}: {card['reason']}"] if card["reason"] else []),
    ]
    told = (wrap(printable(text), max(10, width - 2)) for text in said)
    return [*top, *((("  " + part, "quiet"),) for parts in told for part in parts)]
