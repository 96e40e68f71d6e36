"""The chain behind an id in words: each link with what led to it, its facts below.

Observations are rounded here to six digits; ``--json`` and the journal have all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from textwrap import wrap
from typing import Any

from tradeterm.lab.cells import cell
from tradeterm.model.money import plain

#: In the story of an id these stand in the heading already.
_HEADING = {"id", "ts", "parent", "inputs", "question_id"}
#: What is in there needs no other name than its own.
_SPEAKS_FOR_ITSELF = {"output", "figures", "request"}
WIDTH = 100


def story(links: Iterable[dict[str, Any]], width: int = WIDTH) -> Iterator[str]:
    """Each link with its facts below it, without what the heading says."""
    for link in links:
        because = f"  <- {', '.join(link['parents'])}" if link["parents"] else ""
        yield f"{link['ts']} {link['kind']} {link['id']}{because}"
        facts = "  ".join(_facts(link["data"], ""))
        yield from wrap(
            facts,
            width,
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _facts(value: Any, name: str) -> Iterator[str]:
    """``name=value`` for everything that says something; times readable, long lists counted."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in _HEADING:
                named = name in _SPEAKS_FOR_ITSELF or not name
                yield from _facts(inner, key if named else f"{name}.{key}")
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        yield f"{name}=({len(value)})"
        rules = (inner for inner in value if isinstance(inner, dict) and "rule" in inner)
        yield from (_finding(rule) for rule in rules if rule["outcome"] != "pass")
    elif isinstance(value, float):
        yield f"{name}={_six(value)}"
    elif value not in (None, "", []):
        yield f"{name}={cell(name.rpartition('.')[2], value)}"


def _six(value: float) -> str:
    """Six digits that count, without an exponent; infinite and no number as they are."""
    text = f"{value:.6g}"
    return plain(Decimal(text)) if "e" in text else text


def _finding(rule: dict[str, Any]) -> str:
    """A rule that cut or refused something, with its figures; those that passed are counted."""
    from tradeterm.model.units import with_unit

    value, limit = (with_unit(rule["rule"], str(rule[name])) for name in ("value", "limit"))
    return f"{rule['rule']}: {value}, limit {limit}, {rule['outcome']}"
