"""The journal: a row a line, Enter opens the whole row, v tells its story. Nothing executes here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events

from tradeterm.engine.view import ConsoleView
from tradeterm.model.text import clean
from tradeterm.tui.ink import BLANK, Ink, Line, wrap
from tradeterm.tui.printable import printable
from tradeterm.tui.screens import records
from tradeterm.tui.screens.cursor import CursorPane
from tradeterm.tui.screens.report import ReportScreen
from tradeterm.tui.screens.text import PagePane, PageScreen

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.adapters.store.rows import StoredRow

#: Rows of the journal on its page; the command shows them all.
ROWS = 1000
#: Characters of a row that its line, and the filter, go through.
_LONG = 400
_ROOMY = 100
#: The head of the line says it already.
_ITSELF = re.compile(r'^\{"id":"[^"]*",(?:"ts":\d+,)?')


def read(reader: Reader) -> list[StoredRow]:
    """The newest rows, newest first."""
    return reader.journal(limit=ROWS)[::-1]


def lines(rows: Sequence[StoredRow], width: int) -> Sequence[Line]:
    """A row a line: number, time, kind, id, what it names as its parent, its facts.

    Where there is little room the year and the parent give way to the facts.
    """
    from tradeterm.model.timing import iso

    found: list[Line] = []
    for row in rows:
        parent = f" {row.parent:<12}" if width >= _ROOMY else ""
        stamp = iso(row.ts)[0 if parent else 5 : 19].replace("T", " ")
        head = f"{row.seq:>7} {stamp} {row.kind:<12} {row.id:<12}{parent} "
        body = _ITSELF.sub("{", row.body[:_LONG].decode(errors="replace"), count=1)
        found.append(((printable(head), "text"), (clean(body, _LONG), "quiet")))
    return found


def row_lines(row: StoredRow, _: ConsoleView, width: int) -> Sequence[Line]:
    """All of a row: what the line says first, then its body, a fact a line."""
    from tradeterm.model.timing import iso

    because = f"  <- {row.parent}" if row.parent else ""
    head = f"{row.seq}  {iso(row.ts)}  {row.kind} {row.id}{because}"
    body = json.dumps(row.data, indent=2, ensure_ascii=False)
    told: list[Line] = [((part, "text+bold"),) for part in wrap(head, width)]
    return [*told, BLANK, *(line for fact in body.split("\n") for line in _fact(fact, width))]


def _fact(fact: str, width: int) -> list[Line]:
    """Indented as it is, wrapped where it is long."""
    text = fact.lstrip(" ")
    space = " " * (len(fact) - len(text))
    first, *rest = wrap(text, max(8, width - len(space) - 2))
    return [((space + first, "text"),), *(((f"{space}  {part}", "text"),) for part in rest)]


class JournalPane(CursorPane):
    """A row is under the cursor."""

    NAME: ClassVar[str] = "journal"

    def hint(self) -> str:
        if self.typing:
            return super().hint()
        return "enter whole row · v why · / filter · esc closes · r reads again · j/k choose"

    def number(self) -> int:
        """Of the row under the cursor; 0 while there is none."""
        first = self.chosen().split(maxsplit=1)[:1]
        return int(first[0]) if first and first[0].isdecimal() else 0


class JournalScreen(ReportScreen):
    """Enter looks at a row; esc goes back."""

    PANE: ClassVar[type[PagePane]] = JournalPane

    def __init__(self, store: Path, ink: Ink, view: ConsoleView) -> None:
        super().__init__("Journal", store, read, lines, ink, view)
        self._ink = ink
        self._picture = view

    def pressed(self, event: events.Key) -> None:
        pane = self.pane
        assert isinstance(pane, JournalPane)
        if pane.typing or not (pane.step(event.key) or self._opened(event.key)):
            super().pressed(event)

    def _opened(self, key: str) -> bool:
        """Whether the key looks into the row under the cursor."""
        if key not in {"enter", "v"}:
            return False
        row = self._row()
        if row is None:
            self._tell("there is no row here")
        elif key == "enter":
            title = f"Row {row.seq}: {row.kind} {row.id}"
            build = partial(row_lines, row)
            self.app.push_screen(PageScreen(printable(title), build, self._ink, self._picture))
        elif row.id:
            title, story = printable(f"Why {row.id}"), records.chain_of(row.id)
            self.app.push_screen(
                ReportScreen(
                    title, self._store, story, records.chain_lines, self._ink, self._picture
                )
            )
        else:
            self._tell("nothing refers to this row: it has no id")
        return True

    def _row(self) -> StoredRow | None:
        assert isinstance(self.pane, JournalPane)
        number, found = self.pane.number(), self._found
        rows: Sequence[Any] = found if isinstance(found, list) else ()
        return next((row for row in rows if row.seq == number), None)

    def _tell(self, text: str) -> None:
        self.pane.told = text
        self.pane.rebuild()
