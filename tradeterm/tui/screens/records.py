"""Why something happened: the chain behind an id, read from the records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tradeterm.errors import UsageError
from tradeterm.tui.ink import Line, clip
from tradeterm.tui.printable import printable

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader


def chain_of(row_id: str) -> Callable[[Reader], list[dict[str, Any]]]:
    """Reads everything that led to an id and followed from it."""

    def read(reader: Reader) -> list[dict[str, Any]]:
        from tradeterm.adapters.store.explain import explain

        return [link.as_dict() for link in explain(reader, row_id)]

    return read


def words_of(agent: str, symbol: str) -> Callable[[Reader], list[dict[str, Any]]]:
    """Reads what led to an agent's last words about a symbol (or the whole portfolio)."""

    def read(reader: Reader) -> list[dict[str, Any]]:
        said = reader.last_words(agent, symbol)
        if said is None:
            raise UsageError(
                f"{agent} has said nothing about {symbol} in this run: there is nothing to explain"
            )
        return chain_of(said)(reader)

    return read


def chain_lines(links: list[dict[str, Any]], width: int) -> Sequence[Line]:
    """Each link in bold, its facts below."""
    from tradeterm.lab.story import story

    return [
        ((printable(clip(text, width)), "quiet" if text.startswith(" ") else "text+bold"),)
        for text in story(links, width)
    ]
