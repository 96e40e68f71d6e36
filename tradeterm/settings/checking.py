"""Holds a settings tree against its typed sections: names, kinds of value, bounds, in words."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tradeterm.settings.parsing import Branch, Complain, Leaf, Node, Problem, Sequence

#: pydantic's error types whose context says the bound.
BOUNDS = {
    "greater_than": ("gt", "must be above {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be below {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "too_short": ("min_length", "needs at least {} item(s)"),
    "too_long": ("max_length", "may have at most {} item(s)"),
    "string_too_short": ("min_length", "needs at least {} character(s)"),
}


def dotted(loc: Iterable[str | int]) -> str:
    """``("market", "symbols", 0)`` → ``market.symbols[0]``."""
    key = ""
    for part in loc:
        if isinstance(part, int):
            key += f"[{part}]"
        else:
            key += f".{part}" if key else part
    return key


def nearest(name: str, valid: Iterable[str]) -> str:
    """A remedy: the valid name that looks most like ``name``, or all of them."""
    names = list(valid)
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"valid: {', '.join(names)}" if names else "nothing can be set here"


class Checker:
    """One walk over a tree; ``refused`` are the keys already complained about."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self.refused: set[str] = set()

    def section(self, model: type[BaseModel], branch: Branch, key: str = "") -> dict[str, Any]:
        """The plain data of a section, without its unknown keys."""
        data: dict[str, Any] = {}
        for name, node in branch.items.items():
            inner = f"{key}.{name}" if key else name
            info = model.model_fields.get(name)
            if info is None:
                where = branch.origins.get(name, node.origin)
                self._refuse(where, inner, "unknown key", nearest(name, model.model_fields))
                continue
            data[name] = self._value(info.annotation, node, inner)
        return data

    def _value(self, kind: Any, node: Node, key: str) -> Any:
        kind = _bare(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if isinstance(node, Branch):
                return self.section(kind, node, key)
            wanted = f"a group of keys ({', '.join(kind.model_fields)})"
            return self._wrong(node, key, wanted)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (dict, Mapping):
            if isinstance(node, Branch):
                return {
                    name: self._value(arguments[1], inner, f"{key}.{name}")
                    for name, inner in node.items.items()
                }
            return self._wrong(node, key, "a mapping (name: value)")
        if origin in (tuple, list):
            if isinstance(node, Sequence):
                return [
                    self._value(arguments[0], item, f"{key}[{index}]")
                    for index, item in enumerate(node.items)
                ]
            return self._wrong(node, key, "a list ([a, b])")
        return self._scalar(kind, node, key)

    def _scalar(self, kind: Any, node: Node, key: str) -> Any:
        if not isinstance(node, Leaf):
            return self._wrong(node, key, "one value")
        if node.value is None and kind is not None and not _optional(kind):
            return self._wrong(node, key, "a value")
        wanted, accepted = _wanted(kind)
        if node.value is not None and not isinstance(node.value, accepted):
            return self._wrong(node, key, wanted)
        return node.value

    def _wrong(self, node: Node, key: str, wanted: str) -> None:
        self._refuse(node.origin, key, f"{written(node)} is not {wanted}", _hint(node, wanted))

    def _refuse(self, where: str, key: str, what: str, remedy: str) -> None:
        self.refused.add(key)
        self._complain(Problem(where, key, what, remedy))

    def already(self, key: str) -> bool:
        """Whether ``key`` or something above or below it was refused."""
        return any(
            key == bad
            or bad.startswith((f"{key}.", f"{key}["))
            or key.startswith((f"{bad}.", f"{bad}["))
            for bad in self.refused
        )


def _bare(kind: Any) -> Any:
    """An annotation without Annotated and without the None of an Optional of sections."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        rest = [part for part in get_args(kind) if part is not type(None)]
        if len(rest) == 1 and not _is_plain(rest[0]):
            return _bare(rest[0])
    return kind


def _is_plain(kind: Any) -> bool:
    return kind in (str, int, float, bool, Decimal) or (
        isinstance(kind, type) and issubclass(kind, Enum)
    )


def _optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def _wanted(kind: Any) -> tuple[str, tuple[type, ...]]:
    """What a scalar annotation takes, in words and as parsed types."""
    if get_origin(kind) in (Union, types.UnionType):
        both = [_wanted(part) for part in get_args(kind) if part is not type(None)]
        return " or ".join(words for words, _ in both), tuple(t for _, ts in both for t in ts)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}", (str,)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(member.value) for member in kind)}", (str,)
    if kind is bool:
        return "true or false", (bool,)
    if kind is int:
        return "a whole number", (Decimal,)
    if kind in (float, Decimal):
        return "a number", (Decimal,)
    if kind is str:
        return "text", (str,)
    return "a value", (str, bool, Decimal)


def written(node: Node | None) -> str:
    """A value as its author wrote it, shortened."""
    if isinstance(node, Leaf):
        return repr(node.text[:60]) if isinstance(node.value, str) else node.text[:60] or "nothing"
    if isinstance(node, Branch):
        return "a mapping"
    return "a list" if isinstance(node, Sequence) else "nothing"


def _hint(node: Node, wanted: str) -> str:
    """What to write instead."""
    text = node.text if isinstance(node, Leaf) else ""
    if "true or false" in wanted:
        return "write true or false"
    if "number" in wanted:
        if text[:1] == "0" and text.isdigit():
            return f"write {text.lstrip('0') or '0'} (no octal, no leading zero)"
        if text.count(":"):
            return "write seconds as one number"
        if isinstance(node, Leaf) and isinstance(node.value, str) and text[:1].isdigit():
            return "write digits only, without quotes, unit or separators"
        return "write a finite number such as 2 or 0.5"
    if wanted == "text":
        return f'put it in quotes: "{text}"' if text else "write a word"
    return f"write {wanted}"


def find(tree: Node, loc: tuple[str | int, ...]) -> Node | None:
    """The node at ``loc``; None when the tree does not reach that far."""
    node: Node | None = tree
    for part in loc:
        if isinstance(node, Branch) and isinstance(part, str):
            node = node.items.get(part)
        elif isinstance(node, Sequence) and isinstance(part, int):
            node = node.items[part] if part < len(node.items) else None
        else:
            return None
    return node


def place(tree: Branch, loc: tuple[str | int, ...], latest: Callable[[Node], str]) -> str:
    """The origin of the deepest thing on the way to ``loc`` that was written at all."""
    for length in range(len(loc), 0, -1):
        node = find(tree, loc[:length])
        if node is not None:
            return latest(node)
    return tree.origin


def problems(
    error: ValidationError, tree: Branch, checker: Checker, latest: Callable[[Node], str]
) -> list[Problem]:
    """What pydantic found, in the words of this program."""
    found: list[Problem] = []
    for detail in error.errors(include_url=False):
        loc = tuple(part for part in detail["loc"] if part != "[key]")
        key = dotted(loc)
        if not checker.already(key):
            node = find(tree, loc)
            where = place(tree, loc, latest)
            words = _misnamed(detail, loc) or _explain(detail, node)
            found.append(Problem(where, key, *words))
    return found


def _misnamed(detail: Any, loc: tuple[str | int, ...]) -> tuple[str, str] | None:
    """Words for a mapping's key that is not one of the names it may have."""
    if (
        not detail["loc"]
        or detail["loc"][-1] != "[key]"
        or detail["type"] not in ("literal_error", "enum")
    ):
        return None
    return "unknown key", nearest(str(loc[-1]), _names(detail["ctx"]["expected"]))


def _names(expected: str) -> list[str]:
    """Pydantic's ``'a', 'b' or 'c'`` as a list."""
    return [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]


def _explain(detail: Any, node: Node | None) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    value = written(node)
    if kind == "missing":
        return "is missing", "add it"
    if kind in BOUNDS:
        name, words = BOUNDS[kind]
        return f"{value} is out of range", words.format(context[name])
    if kind == "int_from_float":
        return f"{value} is not a whole number", "write an integer"
    if kind == "value_error":
        return str(context.get("error", detail["msg"])), ""
    if kind in ("literal_error", "enum"):
        names = _names(str(context["expected"]))
        text = node.text if isinstance(node, Leaf) else ""
        return f"{value} is not one of {', '.join(names)}", nearest(text, names)
    return f"{value}: {detail['msg'][:1].lower()}{detail['msg'][1:]}", ""
