"""YAML as settings need it: a small, strict subset, every value with the place it came from.

Scalars follow a JSON-like core schema instead of YAML 1.1: ``NO`` is the text "NO", ``12:30:45`` and
``0777`` are text, ``.nan`` is text; numbers are kept as written (exact decimals). Tags, anchors,
aliases and duplicate keys are refused. Nothing is ever constructed from a tag.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import yaml

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 12
#: JSON's grammar of numbers, with at most 40 characters: no octal, no sexagesimal, no underscores.
NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,2})?")
MAX_NUMBER: Final = 40
WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}

#: libyaml where PyYAML was built with it: 9 ms instead of 37 for all settings, at every start.
_QUICK: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

Scalar = str | bool | Decimal | None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, which key, what, and what to do about it."""

    where: str
    key: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        subject = f"{self.where}: {self.key}: " if self.key else f"{self.where}: "
        return subject + self.what + (f"; {self.remedy}" if self.remedy else "")


@dataclass(slots=True)
class Leaf:
    """A scalar and how it was written."""

    value: Scalar
    text: str
    origin: str


@dataclass(slots=True)
class Sequence:
    """A list."""

    items: list[Node]
    origin: str


@dataclass(slots=True)
class Branch:
    """A mapping; ``origins`` says where each key was written."""

    items: dict[str, Node]
    origin: str
    origins: dict[str, str] = field(default_factory=dict)


Node = Leaf | Sequence | Branch
Complain = Callable[[Problem], None]


def interpret(text: str) -> Scalar:
    """A plain (unquoted) scalar by the core schema."""
    if text in WORDS:
        return WORDS[text]
    if len(text) <= MAX_NUMBER and NUMBER.fullmatch(text):
        return Decimal(text)
    return text


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def parse(
    text: str, locate: Callable[[int], str], complain: Complain, key: str = ""
) -> Node | None:
    """The tree of one document, or None when it is empty or could not be read.

    ``locate`` turns a line number (from 1) into the words that name the place; ``key`` is the dotted
    name of the whole document.
    """
    if len(text) > MAX_BYTES:
        complain(Problem(locate(1), "", f"{len(text)} characters are not a settings file"))
        return None
    told: list[Problem] = []
    # What libyaml cannot read the other one explains; on tabs and byte order marks they differ.
    if "\t" not in text and "\ufeff" not in text:
        with contextlib.suppress(yaml.YAMLError, UnicodeEncodeError, _TooDeepError):
            node = _Builder(text, locate, told.append, _QUICK).document(key)
            for problem in told:
                complain(problem)
            return node
    try:
        return _Builder(text, locate, complain, yaml.BaseLoader).document(key)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"unreadable character {error.character!r}"
        complain(Problem(locate(line), "", what, "remove it; settings are plain UTF-8 text"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        complain(_syntax(text, line, locate(line), str(error.problem or error.context)))
    except _TooDeepError as error:
        what = f"nested deeper than {MAX_DEPTH} levels"
        complain(Problem(locate(error.line), "", what, "no setting lies that deep"))
    return None


def _syntax(text: str, line: int, where: str, problem: str) -> Problem:
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if "\t" in written:
        return Problem(where, "", "a tab", "indent with spaces")
    look = f"look at {written.strip()[:60]!r}" if written.strip() else "look at the lines above"
    return Problem(where, "", f"not YAML: {problem}", look)


class _TooDeepError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _Builder:
    """Turns YAML's event stream into a tree, refusing what settings have no use for."""

    def __init__(
        self, text: str, locate: Callable[[int], str], complain: Complain, loader: type
    ) -> None:
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=loader))
        self._locate = locate
        self._complain = complain

    def document(self, key: str) -> Node | None:
        next(self._events)  # stream start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        node = self._node(next(self._events), key, 0)
        next(self._events)  # document end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse(after, "", "a second document (---)", "keep one document per file")
        return node

    def _place(self, event: yaml.Event) -> str:
        return self._locate(_line(event))

    def _refuse(self, event: yaml.Event, key: str, what: str, remedy: str) -> None:
        self._complain(Problem(self._place(event), key, what, remedy))

    def _node(self, event: yaml.Event, key: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _TooDeepError(_line(event))
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, key, f"an alias (*{event.anchor})", "write the value out")
            return Leaf(None, f"*{event.anchor}", self._place(event))
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            self._refuse(
                event, key, f"an anchor (&{event.anchor})", "write the value out each time"
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._refuse(event, key, f"a tag ({tag})", "write the value without it")
        if isinstance(event, yaml.MappingStartEvent):
            return self._branch(event, key, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, key, depth)
        assert isinstance(event, yaml.ScalarEvent)
        plain = not event.style  # libyaml says "", the other None
        value = interpret(event.value) if plain else event.value
        return Leaf(value, event.value, self._place(event))

    def _sequence(self, start: yaml.Event, key: str, depth: int) -> Sequence:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, f"{key}[{len(items)}]", depth + 1))
        return Sequence(items, self._place(start))

    def _branch(self, start: yaml.Event, key: str, depth: int) -> Branch:
        branch = Branch({}, self._place(start))
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = self._node(event, key, depth + 1)
            inner = ".".join(filter(None, (key, name.text if isinstance(name, Leaf) else "")))
            value = self._node(next(self._events), inner, depth + 1)
            if not isinstance(name, Leaf):
                self._refuse(event, key, "a list or mapping as a key", "keys are plain words")
            elif name.text in branch.items:
                first = branch.origins[name.text].removeprefix("file ")
                self._refuse(
                    event, inner, f"is written twice (first at {first})", "keep one of them"
                )
            else:
                branch.items[name.text] = value
                branch.origins[name.text] = name.origin
        return branch
