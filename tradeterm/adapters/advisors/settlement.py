"""The border for a model's answer: text in, a checked settlement out, or the reason why not."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tradeterm.coordinator.resolution import flaw
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.text import clean
from tradeterm.model.vocabulary import ResolutionAction, ResolvedBy

REASONING_LIMIT: Final = 1200
_FENCED: Final = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)


#: How every answer of a model is read: nothing coerced, nothing besides, docstrings to the prompt.
STRICT: Final = ConfigDict(
    extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
)


class Settlement(BaseModel):
    """What the arbiter may say. The schema in the prompt is generated from here."""

    model_config = STRICT

    action: Literal["proceed", "wait", "abort", "modify"]
    confidence: float = Field(ge=0, le=1)
    reasoning: str = Field(min_length=1, max_length=REASONING_LIMIT)
    """Two or three sentences."""
    size_reduction: float = Field(default=0.0, ge=0, le=1)
    """Fraction of the size to take away."""
    leverage: float | None = Field(default=None, ge=1, le=5)
    """A lower leverage."""
    entry: float | None = Field(default=None, gt=0.0001)
    """A better entry price."""


M = TypeVar("M", bound=BaseModel)


class Unusable(ValueError):
    """An answer that is none; says why, in words for the model and the record."""


def settlement(text: str) -> Settlement:
    """The arbiter's word in ``text``; raises Unusable."""
    return checked(text, Settlement)


def checked(text: str, kind: type[M]) -> M:
    """The one JSON object in ``text``; raises Unusable. Nothing is guessed, cut or clamped."""
    fenced = _FENCED.fullmatch(text)
    try:
        found = json.loads(
            fenced[1] if fenced else text,
            object_pairs_hook=_once,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise Unusable("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Unusable(_why_no_json(text, error)) from None
    except ValueError as error:  # a number too long for an int
        raise Unusable(str(error)) from None
    if not isinstance(found, dict):
        raise Unusable("the answer is no JSON object")
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        raise Unusable(_complaints(error)) from None


def arbiter_answer(text: str, question: ArbiterQuestion) -> ArbiterAnswer:
    """The answer inside the coordinator's own bounds, still unsigned; raises Unusable."""
    said = settlement(text)
    answer = ArbiterAnswer(
        question_id=question.id,
        action=ResolutionAction(said.action),
        by=ResolvedBy.LLM,
        model="",
        confidence=said.confidence,
        reasoning=clean(said.reasoning, REASONING_LIMIT),
        size_reduction=said.size_reduction,
        leverage=said.leverage,
        entry=said.entry,
        latency=0,
    )
    wrong = flaw(answer, question)
    if wrong:
        raise Unusable(wrong)
    return answer


def _why_no_json(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "the answer is empty"
    if error.msg == "Extra data":
        return f"more than one JSON object, or text after it (character {error.pos})"
    if "{" in text and not text.lstrip().startswith("{"):
        return "text before the JSON object"
    return f"not JSON: {error.msg} (character {error.pos})"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unusable("a key is written twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Unusable(f"{name} is no number")


def _complaints(error: ValidationError) -> str:
    """Field and reason of each mistake, without the value: it may be a megabyte of anything."""
    parts = [
        f"{clean('.'.join(map(str, detail['loc'])), 40)}: {detail['msg']}"
        for detail in error.errors(include_url=False, include_input=False)[:5]
    ]
    return clean("; ".join(parts), 400)
