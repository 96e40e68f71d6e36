"""The screen's own guard against text that is more than text.

``printable`` is used wherever a pane writes a word; ``ControlFilter`` is the last line, applied
by the app to every segment of every widget just before it becomes bytes.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

#: C0 and C1 controls, DEL, zero-width and bidi formatting, separators, BOM, private use, tags.
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff\U000e0000-\U0010ffff]"
)
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """``text`` without anything that moves a cursor, reorders or hides: tabs become spaces."""
    if text.isascii() and text.isprintable():
        return text
    return _cleaned(text)


@lru_cache(maxsize=2048)
def _cleaned(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if char in "\t\n\r":
            kept.append(" ")
        elif category in {"Mn", "Me"}:
            marks += 1
            if marks <= 2 and char not in "\ufe0e\ufe0f":  # no towers of accents
                kept.append(char)
            continue
        elif category not in _DROPPED:
            kept.append(char)
        marks = 0
    return "".join(kept)


class ControlFilter(LineFilter):
    """Drops control characters from every segment; each has no width, so nothing shifts."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        for text, _, control in segments:
            if control or (not text.isascii() or not text.isprintable()):
                break
        else:
            return segments
        return [
            Segment(_HOSTILE.sub("", text), style)
            for text, style, control in segments
            if not control
        ]


class PlainFilter(LineFilter):
    """NO_COLOR: no colour leaves, but bold, dim and underline stay, and a ground turns reverse."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        ground = background.rich_color
        return [Segment(text, _plain(style, ground)) for text, style, _ in segments]


@lru_cache(maxsize=1024)
def _plain(style: Style | None, ground: RichColor) -> Style | None:
    if style is None:
        return None
    raised = bool(style.meta.get("raised"))
    return Style(
        bold=style.bold,
        dim=style.dim,
        italic=style.italic,
        underline=style.underline,
        strike=style.strike,
        reverse=bool(style.reverse) or raised,
    )
