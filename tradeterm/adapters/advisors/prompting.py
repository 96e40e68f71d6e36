"""Prompts: versioned files, filled with facts; the schema comes from the type that validates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from tradeterm.adapters.advisors.settlement import Settlement
from tradeterm.adapters.advisors.shortening import defused, fitted
from tradeterm.coordinator.briefing import facts
from tradeterm.coordinator.digest import digest
from tradeterm.model.pieces import Piece
from tradeterm.model.ports import ArbiterQuestion
from tradeterm.model.text import clean
from tradeterm.settings.llm import PromptForm

#: Ids and versions: a changed text is a new version.
ARBITER: Final = "arbiter-1"
SHORT_ARBITER: Final = "arbiter-short-1"
#: What of a failed answer and of its fault goes back for repair (characters).
_ECHO, _FAULT = 1500, 400
#: Where the prompt is short: of the fault only, it is as long as a few words.
_SHORT_FAULT: Final = 48
_FRAME: Final = "<facts>\n{}\n</facts>"
Messages = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked."""

    id: str
    schema: dict[str, Any]
    messages: Messages
    is_short: bool = False
    left_out: tuple[str, ...] = ()
    """Facts that a short prompt had no room for."""

    @property
    def name(self) -> str:
        """Id and hash, as the journal keeps them."""
        text = json.dumps(self.messages, ensure_ascii=False)
        return f"{self.id} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def arbiter_prompt(question: ArbiterQuestion, form: PromptForm = "full") -> Prompt:
    """The arbiter's, about this question; it holds no date."""
    if form == "short":
        symbol = question.proposal.symbol
        return short_prompt_of(SHORT_ARBITER, Settlement, symbol, digest(question))
    return prompt_of(ARBITER, Settlement, facts(question))


def prompt_of(name: str, kind: type[BaseModel], told: Mapping[str, Any]) -> Prompt:
    """The template ``name`` with the schema of ``kind``, and what is ``told`` as delimited data."""
    schema = schema_of(kind)
    system = _template(name).replace("{schema}", _compact(schema))
    return Prompt(name, schema, (("system", system), ("user", _delimited(told))))


def short_prompt_of(
    name: str, kind: type[BaseModel], symbol: str, pieces: Iterable[Piece]
) -> Prompt:
    """The same for models that read slowly: the answer in one line, and the facts that fit."""
    schema = schema_of(kind)
    system = _template(name).replace("{answer}", _in_a_line(schema))
    told, left_out = fitted(system, _FRAME, symbol, pieces)
    messages = (("system", system), ("user", _delimited(told)))
    return Prompt(name, schema, messages, is_short=True, left_out=left_out)


def _delimited(told: Mapping[str, Any]) -> str:
    """Inside the delimiters no text of ours or others can close them."""
    return _FRAME.format(defused(_compact(told)))


def schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """What the type takes, without the titles and defaults that only cost tokens."""
    found: dict[str, Any] = _trimmed(kind.model_json_schema())
    return found


def _trimmed(node: Any) -> Any:
    if isinstance(node, list):
        return [_trimmed(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    names = node.get("properties")
    kept = {
        key: _trimmed(inner)
        for key, inner in node.items()
        if key not in ("title", "default", "properties") and not (key == "description" and names)
    }
    if names is not None:
        kept["properties"] = {name: _trimmed(inner) for name, inner in names.items()}
    return kept


def _compact(told: Any) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _in_a_line(schema: Mapping[str, Any]) -> str:
    """The fields of an answer and what each takes; ``?`` where it may be absent."""
    fields = [
        f"{name}{'' if name in schema['required'] else '?'}: {_takes(field, schema)}"
        for name, field in schema["properties"].items()
    ]
    return f"{{{', '.join(fields)}}}"


def _takes(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in field:
        field = schema["$defs"][field["$ref"].rpartition("/")[2]]
    if "anyOf" in field:  # or null
        field = field["anyOf"][0]
    if "enum" in field:
        return "|".join(field["enum"])
    if "minimum" in field and "maximum" in field:
        return f"{field['minimum']:g}..{field['maximum']:g}"
    return "text" if field["type"] == "string" else "number"


def repairing(prompt: Prompt, said: str, fault: str) -> Messages:
    """The same question, the answer that was wrong, and what is wrong with it."""
    if prompt.is_short:
        (system, (role, facts)) = prompt.messages
        return (system, (role, f"{facts}\nNot usable: {clean(fault, _SHORT_FAULT)}. Again."))
    wrong = clean(said, _ECHO) or "(nothing)"
    request = (
        f"That answer cannot be used: {clean(fault, _FAULT)}. "
        "Answer again with exactly one JSON object and nothing else."
    )
    return (*prompt.messages, ("assistant", wrong), ("user", request))


@cache
def _template(name: str) -> str:
    return (Path(__file__).parent / "prompts" / f"{name}.txt").read_text(encoding="utf-8")
