"""Prompts: versioned files, filled with facts; the schema comes from the type that validates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from tradeterm.adapters.advisors.settlement import Settlement
from tradeterm.coordinator.briefing import facts
from tradeterm.model.ports import ArbiterQuestion
from tradeterm.model.text import clean

ARBITER: Final = "arbiter-1"
#: What of a failed answer and of its fault goes back for repair (characters).
_ECHO, _FAULT = 1500, 400
Messages = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked."""

    id: str
    schema: dict[str, Any]
    messages: Messages

    @property
    def name(self) -> str:
        """Id and hash, as the journal keeps them."""
        text = json.dumps(self.messages, ensure_ascii=False)
        return f"{self.id} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def arbiter_prompt(question: ArbiterQuestion) -> Prompt:
    """The arbiter's, about this question; it holds no date."""
    return prompt_of(ARBITER, Settlement, facts(question))


def prompt_of(name: str, kind: type[BaseModel], told: Mapping[str, Any]) -> Prompt:
    """The template ``name`` with the schema of ``kind``, and what is ``told`` as delimited data."""
    schema = schema_of(kind)
    system = _template(name).replace("{schema}", _compact(schema))
    # Inside the delimiters no text of ours or others can close them.
    user = f"<facts>\n{_compact(told).replace('<', '‹').replace('>', '›')}\n</facts>"
    return Prompt(name, schema, (("system", system), ("user", user)))


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


def repairing(messages: Messages, said: str, fault: str) -> Messages:
    """The same question, the answer that was wrong, and what is wrong with it."""
    wrong = clean(said, _ECHO) or "(nothing)"
    request = (
        f"That answer cannot be used: {clean(fault, _FAULT)}. "
        "Answer again with exactly one JSON object and nothing else."
    )
    return (*messages, ("assistant", wrong), ("user", request))


@cache
def _template(name: str) -> str:
    return (Path(__file__).parent / "prompts" / f"{name}.txt").read_text(encoding="utf-8")
