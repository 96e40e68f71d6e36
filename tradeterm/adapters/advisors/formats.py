"""Which models can be held to a JSON schema: a table of our own; litellm's is not to be trusted.

From the providers' API references (2025-11). A wrong line costs a refused request, never a wrong
answer: every answer is checked against the schema here, whoever promised to keep it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tradeterm.settings.llm import EndpointSettings

SCHEMA: Final = "json_schema"
OBJECT: Final = "json_object"
TEXT: Final = "text"

#: Provider, name of the model (from its beginning), what it takes. The first line that fits counts.
_FAMILIES: Final = tuple(
    (provider, re.compile(pattern), form)
    for provider, pattern, form in (
        ("openai", r"gpt-4o-2024-05-13", OBJECT),  # the one before schemas
        ("openai", r"gpt-4o|gpt-4\.1|gpt-[5-9]|o[1-9](?!-mini-2024|-preview)", SCHEMA),
        ("openai", r"gpt-4-turbo|gpt-3\.5-turbo", OBJECT),
        ("openai", r"", TEXT),
        ("deepseek", r"deepseek-reasoner", TEXT),
        ("deepseek", r"", OBJECT),
        ("openrouter", r"openai/(gpt-4o|gpt-4\.1|gpt-[5-9]|o[1-9])", SCHEMA),
        ("openrouter", r"google/gemini-[2-9]|x-ai/grok-[3-9]|mistralai/", SCHEMA),
        ("openrouter", r"deepseek/", OBJECT),
        ("openrouter", r"", TEXT),
        ("anthropic", r"", TEXT),  # asks for a tool call instead; the prompt is enough
        ("ollama", r"", SCHEMA),
    )
)
#: What a compatible server does with it is up to the server: llama.cpp, vLLM, LM Studio and Ollama
#: keep to a schema, others ignore it.
_ELSEWHERE: Final = SCHEMA


def answer_format(endpoint: EndpointSettings) -> str:
    """How this endpoint is held to the schema."""
    if endpoint.answer_format != "auto":
        return endpoint.answer_format
    provider, _, name = endpoint.model.partition("/")
    if provider == "openai" and endpoint.api_base:
        return _ELSEWHERE
    for known, pattern, form in _FAMILIES:
        if known == provider and pattern.match(name):
            return form
    return TEXT


def response_format(form: str, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into the request beside the messages."""
    if form == SCHEMA:
        # Not strict: OpenAI's strict mode knows no optional fields and no bounds.
        told = {"name": name, "schema": schema, "strict": False}
        return {"response_format": {"type": SCHEMA, "json_schema": told}}
    return {"response_format": {"type": OBJECT}} if form == OBJECT else {}
