"""Colours and lines. A line is a tuple of (text, role): comparable, so only changes repaint."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.theme import Theme

from tradeterm.tui.printable import printable

#: (text, role); a role is ``name``, ``name+bold``, ``name|ground`` or ``name+bold|ground``.
Part = tuple[str, str]
Line = tuple[Part, ...]

BLANK: Line = ()
_HATCHED = str.maketrans(dict.fromkeys("█▀▄", "▒"))


class Palette(msgspec.Struct, frozen=True):
    """The colours of one theme by what they mean; every text colour ≥ 4.5:1 on its ground."""

    name: str
    about: str
    """For who chooses one."""
    dark: bool
    safe: bool
    """Up and down, too, are told apart by eyes that confuse red and green, or blue and yellow."""
    ground: str
    text: str
    quiet: str
    """Labels, units, headers."""
    faint: str
    """Frames and empty space; never words."""
    up: str
    down: str
    warn: str
    error: str
    accent: str
    cursor: str
    """Ground of the selected row."""
    alarm: str
    """Ground of banners."""
    ask: str
    """Ground of depth bars, sell side."""
    bid: str


PALETTES = (
    Palette(
        "dusk",
        "dark, quiet",
        True,
        False,
        "#12151b",
        "#d5dae3",
        "#929cae",
        "#3b4454",
        "#62c29b",
        "#ee8277",
        "#e3b261",
        "#ff8f87",
        "#86b5f4",
        "#26303f",
        "#8c1d24",
        "#472a30",
        "#20443a",
    ),
    Palette(
        "paper",
        "light",
        False,
        False,
        "#f7f5f0",
        "#262a31",
        "#5c636f",
        "#bfbcb2",
        "#0e6b4d",
        "#a8322a",
        "#7d5306",
        "#a1121c",
        "#1f57a8",
        "#dfe6f0",
        "#9c1a20",
        "#f0cfca",
        "#c5e3d6",
    ),
    Palette(
        "tide",
        "dark, blue up and orange down: colour-blind safe",
        True,
        True,
        "#10151f",
        "#d8dee9",
        "#97a3b6",
        "#3a465a",
        "#6cb4f5",
        "#f0a04b",
        "#f2d45c",
        "#ff9a76",
        "#8fe3dc",
        "#233247",
        "#8c1d24",
        "#553a17",
        "#1d3f63",
    ),
    Palette(
        "contrast",
        "black, every word at 7:1 or more; colour-blind safe",
        True,
        True,
        "#000000",
        "#ffffff",
        "#c4c9d1",
        "#7d8594",
        "#7cc0ff",
        "#ffb454",
        "#ffe066",
        "#ff9e9e",
        "#7fe0ff",
        "#1a2a44",
        "#a30d16",
        "#5a3a10",
        "#173a66",
    ),
)


def palette(name: str) -> Palette:
    """The palette called ``name``, or the first."""
    return next((each for each in PALETTES if each.name == name), PALETTES[0])


def textual_theme(colours: Palette) -> Theme:
    """The same colours for Textual's own widgets (palette, toasts)."""
    return Theme(
        name=colours.name,
        primary=colours.accent,
        secondary=colours.quiet,
        warning=colours.warn,
        error=colours.error,
        success=colours.up,
        accent=colours.accent,
        foreground=colours.text,
        background=colours.ground,
        surface=colours.ground,
        panel=colours.cursor,
        dark=colours.dark,
    )


class Ink:
    """Turns lines into strips in the colours of one palette."""

    def __init__(self, colours: Palette, shapes: bool = False) -> None:
        self.palette = colours
        self.shapes = shapes
        """Whether signs must say by their shape what colours say elsewhere."""
        self._styles: dict[str, Style] = {}

    def style(self, role: str) -> Style:
        """The style of a role; ``+bold``, ``+dim``, ``+italic`` add, ``|name`` sets the ground."""
        known = self._styles.get(role)
        if known is None:
            known = self._styles[role] = self._mixed(role)
        return known

    def _mixed(self, role: str) -> Style:
        words, _, ground = role.partition("|")
        name, *extras = words.split("+")
        colours = self.palette
        return Style(
            color="#ffffff" if name == "white" else getattr(colours, name or "text"),
            bgcolor=getattr(colours, ground or "ground"),
            bold="bold" in extras or None,
            italic="italic" in extras or None,
            dim="dim" in extras or None,
            meta={"raised": True} if ground in {"cursor", "alarm"} else None,
        )

    def strip(self, line: Line, width: int) -> Strip:
        """``line`` as exactly ``width`` cells."""
        if self.shapes:
            line = tuple((_shaped(text, role), role) for text, role in line)
        segments = [Segment(printable(text), self.style(role)) for text, role in line if text]
        return Strip(segments).adjust_cell_length(width, self.style(""))


def _shaped(text: str, role: str) -> str:
    """Without colours a candle that fell is hatched."""
    return text.translate(_HATCHED) if role.startswith("down") else text


def grounded(line: Iterable[Part], ground: str, width: int) -> Line:
    """``line`` on another ground, filled to ``width``."""
    parts = tuple((text, f"{role.partition('|')[0]}|{ground}") for text, role in line)
    return (*parts, (" " * max(0, width - cells(parts)), f"text|{ground}"))


def cells(line: Iterable[Part]) -> int:
    """The width of a line on screen."""
    return sum(width_of(text) for text, _ in line)


def width_of(text: str) -> int:
    """Cells ``text`` takes."""
    if text.isascii():
        return len(text)
    return Segment(printable(text)).cell_length


def clip(text: str, width: int) -> str:
    """``text`` on one line of at most ``width`` cells, with … when something is missing."""
    text = printable(text)
    if width_of(text) <= width:
        return text
    if width <= 1:
        return "…"[: max(0, width)]
    kept = text[: width - 1]
    while width_of(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def fit(text: str, width: int, align: str = "<") -> str:
    """``text`` clipped and padded to exactly ``width`` cells."""
    text = clip(text, width)
    space = " " * (width - width_of(text))
    return space + text if align == ">" else text + space


def spread(left: Line, right: Line, width: int) -> Line:
    """``left`` and ``right`` at the two ends of a line; the right end wins when short."""
    room = width - cells(right)
    used = cells(left)
    if used > room:
        left = trim(left, max(0, room - 1))
        used = cells(left)
    return (*left, (" " * max(0, room - used), "text"), *right)


def trim(line: Line, width: int) -> Line:
    """The first ``width`` cells of a line."""
    kept: list[Part] = []
    for text, role in line:
        room = width - cells(kept)
        if room <= 0:
            break
        kept.append((clip(text, room), role))
    return tuple(kept)


def wrap(text: str, width: int) -> list[str]:
    """Words of ``text`` in lines of at most ``width`` cells."""
    lines: list[str] = []
    current = ""
    for word in printable(text).split():
        piece = word
        while width_of(piece) > width > 0:
            head = clip(piece, width + 1)[:-1] or piece[:1]
            if current:
                lines.append(current)
                current = ""
            lines.append(head)
            piece = piece[len(head) :]
        joined = f"{current} {piece}" if current else piece
        if width_of(joined) > width and current:
            lines.append(current)
            current = piece
        else:
            current = joined
    return [*lines, current] if current or not lines else lines
