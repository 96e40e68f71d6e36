"""Pages over the records: why something happened, the journal itself, the settings in force."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tradeterm.model.text import clean
from tradeterm.tui.ink import Line, clip
from tradeterm.tui.printable import printable

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

#: Rows of the journal on its page; the command shows them all.
ROWS = 1000
_LONG = 400
_ROOMY = 100
#: The head of the line says it already.
_ITSELF = re.compile(r'^\{"id":"[^"]*",(?:"ts":\d+,)?')


def chain_of(row_id: str) -> Callable[[Reader], list[dict[str, Any]]]:
    """Reads everything that led to an id and followed from it."""

    def read(reader: Reader) -> list[dict[str, Any]]:
        from tradeterm.adapters.store.explain import explain

        return [link.as_dict() for link in explain(reader, row_id)]

    return read


def chain_lines(links: list[dict[str, Any]], width: int) -> Sequence[Line]:
    """Each link in bold, its facts below."""
    from tradeterm.lab.story import story

    return [
        ((printable(clip(text, width)), "quiet" if text.startswith(" ") else "text+bold"),)
        for text in story(links, width)
    ]


def read_journal(reader: Reader) -> list[Any]:
    """The newest rows, newest first."""
    return reader.journal(limit=ROWS)[::-1]


def journal_lines(rows: list[Any], width: int) -> Sequence[Line]:
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
        facts = clean(body, _LONG)
        found.append(((clip(head, width), "text"), (clip(facts, width - len(head)), "quiet")))
    return found
