"""Terminals that can show ASCII only: how that is noticed, and what every other sign becomes.

One filter at the very end, so that no pane needs to know, nor any widget of Textual's. A sign
keeps its width in cells; nothing shifts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

#: Terminals by TERM whose fonts or character sets lack the frames and bars drawn here.
_POOR = ("linux", "vt", "ansi", "cons25", "sun", "dumb")
#: What Python 3.7 and later sets itself when the locale was C (PEP 538): not the user's word.
_COERCED = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛╔╗╚╝", "+"),
        **dict.fromkeys("─╌┄", "-"),
        **dict.fromkeys("━═", "="),
        **dict.fromkeys("│┃║▏▎▍╷╵╎┆▕", "|"),
        **dict.fromkeys("█▀▄▌▋▊▉▐▅▆▇▓", "#"),
        **dict.fromkeys("▒░▃", ":"),
        **dict.fromkeys("▂▁", "_"),
        **dict.fromkeys("·•", "-"),
        **dict.fromkeys("–—−‐‑", "-"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’‚", "'"),
        **dict.fromkeys("▲↑△▴", "^"),
        **dict.fromkeys("▼↓▽▾", "v"),
        **dict.fromkeys("→›▸▶▷≥⭘❯", ">"),
        **dict.fromkeys("←‹◂◀≤", "<"),
        **dict.fromkeys("●◆■★✓", "*"),
        **dict.fromkeys("○◇□", "o"),
        "∙": ".",
        "…": "~",
        "×": "x",
        "÷": "/",
        "±": "~",
        "µ": "u",
        "§": "S",
        "‖": "|",
    }
)
#: Dots of a braille cell above and below its middle.
_BRAILLE, _UPPER, _LOWER = range(0x2800, 0x2900), 0b00011011, 0b11100100


def ascii_terminal(environ: Mapping[str, str]) -> bool:
    """Whether TERM or the locale says that only ASCII arrives; a locale not set says nothing."""
    if environ.get("TERM", "").startswith(_POOR):
        return True
    everything, kind, language = (environ.get(n, "") for n in ("LC_ALL", "LC_CTYPE", "LANG"))
    if not everything and kind in _COERCED and language in {"C", "POSIX"}:
        kind = ""
    locale = everything or kind or language
    return bool(locale) and "utf" not in locale.lower()


@lru_cache(maxsize=4096)
def in_ascii(text: str) -> str:
    """``text`` in ASCII, in as many cells."""
    return "".join(map(_sign, text.translate(_SIGNS)))


def _sign(char: str) -> str:
    if char.isascii():
        return char
    if ord(char) in _BRAILLE:
        dots = ord(char) - _BRAILLE.start
        return " '.:"[bool(dots & _UPPER) + 2 * bool(dots & _LOWER)]
    width = cell_len(char)
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return plain if width and len(plain) == width else "?" * width


class AsciiFilter(LineFilter):
    """Nothing but ASCII leaves."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.text.isascii() else Segment(in_ascii(segment.text), segment.style)
            for segment in segments
        ]
