"""A pane: a framed rectangle that repaints only the lines that changed.

Lines are built as comparable tuples from the picture, diffed against what is on screen, and only
differing ones become strips and dirty regions. A pane that fails says so in its own frame.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tradeterm.engine.view import ConsoleView
from tradeterm.logs import without_secrets
from tradeterm.tui import actions
from tradeterm.tui.choice import Choice
from tradeterm.tui.ink import (
    BLANK,
    Ink,
    Line,
    Part,
    cells,
    clip,
    fit,
    grounded,
    trim,
    width_of,
    wrap,
)
from tradeterm.tui.panes.columns import Column, hidden

log = logging.getLogger("tradeterm.tui")

#: Cells that have room for every column.
_ALL_COLUMNS = 240
#: Not focused, focused: corners, then horizontal and vertical.
_CORNERS = {False: tuple("╭╮╰╯─│"), True: tuple("┏┓┗┛━┃")}


class Pane(Widget):
    """Base of everything on the deck."""

    can_focus = True
    NAME: ClassVar[str] = ""
    KEY: ClassVar[str] = ""
    TITLE: ClassVar[str] = ""
    FRAMED: ClassVar[bool] = True
    HINTS: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Names of actions and what the frame calls them: keys worth knowing while focused."""

    def __init__(self, choice: Choice, ink: Ink) -> None:
        super().__init__(id=self.NAME)
        self.choice = choice
        self.ink = ink
        self.view = ConsoleView()
        self.badge = ""
        """The letter that jumps here, while letters are shown."""
        self.placed = False
        """Whether the plan has room for it now."""
        self._shown: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._slice: object = None
        self._next = 0.0
        self._failing = False

    # -- what a pane says ----------------------------------------------------------------------

    def part_of(self, view: ConsoleView) -> object:
        """What this pane depends on; unchanged means nothing to do."""
        return view.version

    def heading(self) -> str:
        """The title with its count."""
        return self.TITLE

    def age(self) -> str:
        """How old the data is, in words; empty for panes without live data."""
        return ""

    def hint(self) -> str:
        """Keys worth knowing while focused, as far as they mean something now."""
        focus = self.choice.focus()
        found = [
            (names.split(), word)
            for names, word in self.HINTS
            if all(actions.possible(name, self.view, focus) for name in names.split())
        ]
        return " · ".join(f"{actions.first_keys(names)} {word}" for names, word in found)

    def legend(self) -> str:
        """The same for the foot of the screen, while this lies over the deck."""
        return self.hint()

    def inside(self, width: int, height: int) -> Sequence[Line]:
        """The lines inside the frame."""
        return ()

    # -- painting ------------------------------------------------------------------------------

    def receive(self, view: ConsoleView, now: float, interval: float) -> None:
        """Take a new picture; repaint what changed, at most once per ``interval`` seconds."""
        if not self.placed or now < self._next:
            return
        part = view.status.known, self.part_of(view)
        if part == self._slice and not self._failing:
            return
        self._slice = part
        self._next = now + interval - 0.01
        self.view = view
        self.rebuild()

    def rebuild(self) -> None:
        """Build all lines anew and repaint those that differ."""
        width, height = self.size
        if width < 4 or height < 1:
            return
        try:
            lines = self._framed(width, height)
            self._failing = False
        except Exception as error:  # one pane's failure stays in its frame
            if not self._failing:
                log.exception("pane %s failed", self.NAME)
            self._failing = True
            lines = self._failure(error, width, height)
        if len(lines) != len(self._shown):
            self._shown = lines
            self._strips.clear()
            self.refresh()
            return
        dirty = [y for y, line in enumerate(lines) if line != self._shown[y]]
        if not dirty:
            return
        self._shown = lines
        for y in dirty:
            self._strips.pop(y, None)
        self.refresh(*_runs(dirty, width))

    def repaint(self) -> None:
        """Forget every strip (new colours, new size) and draw anew."""
        self._shown = []
        self._strips.clear()
        self._slice = None
        self._next = 0.0
        self.rebuild()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            line = self._shown[y] if y < len(self._shown) else BLANK
            strip = self._strips[y] = self.ink.strip(line, self.size.width)
        return strip

    def on_resize(self, event: events.Resize) -> None:
        self.repaint()

    def on_show(self) -> None:
        self._next = 0.0
        self._slice = None

    def watch_has_focus(self, value: bool) -> None:
        super().watch_has_focus(value)
        self.rebuild()

    # -- the frame -----------------------------------------------------------------------------

    def _framed(self, width: int, height: int) -> list[Line]:
        if not self.FRAMED:
            return _exactly(list(self.inside(width, height)), height)
        focused = self.has_focus
        pen = "accent" if focused else "faint"
        top_left, top_right, low_left, low_right, flat, side = _CORNERS[focused]
        inner = width - 4
        body = _exactly(list(self.inside(inner, height - 2)), height - 2)
        age = self.age()
        name = f"{self.KEY} {self.heading()}" if self.KEY else self.heading()
        right: list[Part] = [(f" {age} ", "quiet")] if age else []
        room = max(4, width - 4 - cells(right))
        badge: Line = ((f"[{self.badge}]", "accent+bold|cursor"),) if self.badge else ()
        title: Line = (
            (top_left + flat, pen),
            *badge,
            (clip(f" {name} ", room - cells(badge)), "accent+bold" if focused else "text+bold"),
        )
        gap = width - cells(title) - cells(right) - 2
        top: Line = (*title, (flat * max(0, gap), pen), *right, (flat + top_right, pen))
        rows = [self._row(line, width, side, pen) for line in body]
        hint = _whole(self.hint(), width - 8) if focused else ""
        foot = width - 3 - cells([(hint, "")])
        bottom: Line = (
            (low_left + flat * max(0, foot), pen),
            (hint, "quiet"),
            (flat + low_right, pen),
        )
        return [top, *rows, bottom][:height]

    @staticmethod
    def _row(line: Line, width: int, side: str, pen: str) -> Line:
        ground = line[0][1].partition("|")[2] if line else ""
        inner = width - 4
        cut = line if cells(line) <= inner else trim(line, inner)
        pad = f"text|{ground}" if ground else "text"
        space = " " * (inner - cells(cut))
        return ((side, pen), (" ", pad), *cut, (space + " ", pad), (side, pen))

    def _failure(self, error: Exception, width: int, height: int) -> list[Line]:
        text = without_secrets(f"panel failed: {type(error).__name__}: {error}")
        rows: list[Line] = [
            ((fit(part, width), "error"),) for part in wrap(text, max(8, width - 2))
        ]
        rows.append(((fit("the rest lives on; details are in the log", width), "quiet"),))
        return _exactly(rows, height)


def _whole(hint: str, width: int) -> str:
    """As many keys as fit with their words."""
    while width_of(hint) > width and " · " in hint:
        hint = hint.rpartition(" · ")[0]
    return clip(f" {hint} ", width + 2) if hint else ""


def _exactly(lines: list[Line], height: int) -> list[Line]:
    return lines[:height] + [BLANK] * (height - len(lines))


def _runs(dirty: list[int], width: int) -> list[Region]:
    """Neighbouring dirty lines as one region each."""
    regions: list[Region] = []
    start = last = dirty[0]
    for y in dirty[1:]:
        if y != last + 1:
            regions.append(Region(0, start, width, last - start + 1))
            start = y
        last = y
    return [*regions, Region(0, start, width, last - start + 1)]


def placeholder(*texts: str, width: int, height: int = 99) -> list[Line]:
    """What an empty pane says: what will appear here, and when; the sentences that fit whole."""
    lines: list[Line] = []
    for text in texts:
        parts = wrap(text, width)
        if lines and len(lines) + len(parts) > height:
            break
        lines += [((part, "quiet"),) for part in parts]
    return lines


class ListPane(Pane):
    """A pane with rows and a cursor that stays on its row when others come and go."""

    HEADER_ROWS: ClassVar[int] = 1

    def __init__(self, choice: Choice, ink: Ink) -> None:
        super().__init__(choice, ink)
        self.selected = ""
        """Id of the row under the cursor."""
        self.filter = ""
        self.search = ""
        """The last filter: what n and N look for when every row is shown again."""
        self.sideways = 0
        """Columns scrolled out to the left."""
        self._offset = 0
        self._place = 0

    def ids(self) -> list[str]:
        """Ids of the rows after the filter, in order."""
        return []

    def header(self, width: int) -> list[Line]:
        """The column heads."""
        return []

    def row(self, row_id: str, width: int) -> Line:
        """One row."""
        return BLANK

    def empty(self) -> tuple[str, ...]:
        """What stands here while there is nothing, most important first."""
        return ()

    def after(self, width: int, height: int) -> list[Line]:
        """Lines below the rows, at most ``height``: detail of the selected row."""
        return []

    def selection_changed(self) -> None:
        """The cursor moved to another row."""

    def rows_wanted(self, height: int) -> int:
        """How many of ``height`` lines the rows get; the rest is for ``after``."""
        return height

    def inside(self, width: int, height: int) -> list[Line]:
        ids = self.ids()
        self._settle(ids)
        if not ids:
            if self.filter:
                return placeholder(f"nothing contains “{self.filter}” · esc clears", width=width)
            known = self.view.status.known
            texts = self.empty() if known else ("connecting to the engine …",)
            return placeholder(*texts, width=width, height=height)
        head = self.header(width)
        room = max(1, self.rows_wanted(height - len(head)))
        self._scroll(room, len(ids))
        rows = [
            self._cursor(self.row(row_id, width), row_id, width)
            for row_id in ids[self._offset : self._offset + room]
        ]
        lines = [*head, *rows]
        return [*lines, *self.after(width, height - len(lines))]

    def _cursor(self, line: Line, row_id: str, width: int) -> Line:
        return grounded(line, "cursor", width) if row_id == self.selected else line

    def _settle(self, ids: list[str]) -> None:
        if self.selected in ids:
            self._place = ids.index(self.selected)
        elif ids:
            self._place = min(self._place, len(ids) - 1)
            self.selected = ids[self._place]
        else:
            self.selected = ""

    def _scroll(self, room: int, count: int) -> None:
        self._offset = min(self._offset, max(0, count - room))
        if self._place < self._offset:
            self._offset = self._place
        elif self._place >= self._offset + room:
            self._offset = self._place - room + 1

    def move(self, by: int) -> None:
        """Move the cursor by rows, stopping at the ends."""
        ids = self.ids()
        if ids:
            self._settle(ids)
            self.move_to(ids[min(len(ids) - 1, max(0, self._place + by))])

    def move_to(self, row_id: str) -> None:
        """Put the cursor on a row."""
        self.selected = row_id
        self.selection_changed()
        self.rebuild()

    def move_end(self, last: bool) -> None:
        """First or last row."""
        ids = self.ids()
        if ids:
            self.move_to(ids[-1 if last else 0])

    @property
    def page(self) -> int:
        """Half a page, in rows."""
        return max(1, (self.size.height - 2 - self.HEADER_ROWS) // 2)

    def set_filter(self, text: str) -> None:
        """Show only rows that contain ``text`` (``!text``: that do not)."""
        self.filter = text
        self.search = text or self.search
        self.rebuild()

    def seek(self, by: int) -> tuple[int, int]:
        """To the next row (previous: -1) with the text, round and round; its place among how many."""
        shown, self.filter = self.filter, self.search
        hits = set(self.ids())
        self.filter = shown
        ids = self.ids()
        self._settle(ids)
        found = [row_id for row_id in ids if row_id in hits]
        if not found:
            return 0, 0
        here = self._place
        after = [row_id for row_id in found if (ids.index(row_id) - here) * by > 0]
        wanted = (after or found)[0 if by > 0 else -1]
        self.move_to(wanted)
        return found.index(wanted) + 1, len(found)

    def copied(self, whole: bool) -> str:
        """The id of the row under the cursor, or all its columns."""
        if not whole:
            return self.selected
        aside, self.sideways = self.sideways, 0
        line = self.row(self.selected, _ALL_COLUMNS)
        self.sideways = aside
        return " ".join("".join(text for text, _ in line).split())

    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows; none when a row is a sentence."""
        return ()

    def scroll_sideways(self, by: int) -> None:
        """Other columns, until the last one is seen; the pinned ones stay."""
        furthest = hidden(self.columns(), self.size.width - 4)
        self.sideways = max(0, min(self.sideways + by, furthest))
        self.rebuild()

    def passes(self, *texts: str) -> bool:
        """Whether a row with these words stays under the filter."""
        if not self.filter or self.filter == "!":
            return True
        wanted = self.filter.removeprefix("!").casefold()
        found = any(wanted in text.casefold() for text in texts)
        return found != self.filter.startswith("!")

    def counted(self, shown: int, total: int) -> str:
        """``(3)``, or ``(1 of 3, filter)`` while filtered."""
        if not self.view.status.known:
            return "(–)"
        return f"({shown} of {total}, “{self.filter}”)" if self.filter else f"({total})"

    def on_click(self, event: events.Click) -> None:
        ids = self.ids()
        at = event.y - 1 - len(self.header(self.size.width - 4)) + self._offset
        if ids and self._offset <= at < len(ids):
            self.move_to(ids[at])

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-1)
