"""Text that nobody here wrote, made harmless: the one function every border calls.

Control characters, escape sequences, bidi and zero-width marks, tag characters, surrogates and
unassigned code points become a visible ``·``. What remains may still lie, but it cannot move the
cursor, hide, or reorder itself. It is still data: never build markup from it.
"""

from __future__ import annotations

import unicodedata
from typing import Final

#: Stands where something was taken out.
MARK: Final = "·"
#: Invisible although Unicode calls them letters, symbols or marks: fillers, blanks, selectors.
_HIDDEN: Final = frozenset(
    (
        0x034F,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        0x2800,
        0x3164,
        0xFFA0,
        0xFFFC,
        0xFFFD,
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    )
)
#: Combining marks allowed in a row; real scripts need no more.
_MAX_COMBINING: Final = 3


def clean(text: str, limit: int = 280) -> str:
    """``text`` on one line, at most ``limit`` characters, without anything invisible."""
    part = text[: limit * 4]  # nobody needs to look through a megabyte to show one line
    if not (part.isascii() and part.isprintable()):
        part = _visible(part)
    part = " ".join(part.split())
    cut = len(part) > limit or len(text) > limit * 4
    return part[: limit - 1].rstrip() + "…" if cut and limit > 0 else part[:limit]


def visible(text: str) -> str:
    """``text`` with its lines and columns as they are, without anything invisible."""
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(_visible(line) for line in text.split("\n"))


def _visible(text: str) -> str:
    kept: list[str] = []
    combining = 0
    for char in text:
        if char in "\t\n\r\v\f":
            kept.append(" ")
            continue
        category = unicodedata.category(char)
        combining = combining + 1 if category in ("Mn", "Me") else 0
        if category == "Zs":
            kept.append(" ")
        elif not char.isprintable() or ord(char) in _HIDDEN or combining > _MAX_COMBINING:
            if not kept or kept[-1] != MARK:
                kept.append(MARK)
        else:
            kept.append(char)
    return "".join(kept)
