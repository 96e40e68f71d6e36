"""Who was right, on the screen: the same sections as ``tradeterm scores``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tradeterm.tui.ink import BLANK, Line, clip, wrap
from tradeterm.tui.printable import printable

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.lab.scorecard import Section


def read(reader: Reader) -> dict[str, Any]:
    """The report on the run so far."""
    from tradeterm.lab.scores import report

    return report(reader)


def lines(found: dict[str, Any], width: int) -> Sequence[Line]:
    """Section by section, then what the figures rest on and cannot know."""
    from tradeterm.lab.scorecard import sections

    written: list[Line] = []
    for section in sections(found):
        written += [*_section(section, width), BLANK]
    written += [((f"Exit policy of every ghost, {found['policy']}", "accent+bold"),)]
    for text in (found["policy_text"], *found["caveats"]):
        written += [((part, "quiet"),) for part in wrap(text, width)]
    return written


def _section(section: Section, width: int) -> list[Line]:
    found: list[Line] = [((clip(printable(section.title), width), "accent+bold"),)]
    for block in section.blocks(width):
        for number, line in enumerate(block):
            role = "quiet" if number == 0 else "text"
            found.append(((clip(printable(line), width), role),))
    return [*found, *(((part, "quiet"),) for part in wrap(section.note, width))]
