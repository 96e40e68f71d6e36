"""Prompts: versioned files, filled with facts; the schema comes from the type that validates."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

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
    schema = Settlement.model_json_schema()
    told = json.dumps(facts(question), ensure_ascii=False, indent=1)
    system = _template(ARBITER).replace("{schema}", json.dumps(schema))
    # Inside the delimiters no text of ours or others can close them.
    user = f"<facts>\n{told.replace('<', '‹').replace('>', '›')}\n</facts>"
    return Prompt(ARBITER, schema, (("system", system), ("user", user)))


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
