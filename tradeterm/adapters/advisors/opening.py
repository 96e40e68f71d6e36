"""From the settings to the advisor behind language models, and what to say about it at the start."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from tradeterm.adapters.advisors.cassette import CassetteGate, RecordingGate
from tradeterm.adapters.advisors.gate import Gate, OpenGate
from tradeterm.adapters.advisors.keys import find_key
from tradeterm.adapters.advisors.litellm_models import LitellmModels
from tradeterm.adapters.advisors.model_advisor import ARBITER, ModelAdvisor
from tradeterm.adapters.store.reader import Reader
from tradeterm.engine.gateway import Budget
from tradeterm.errors import ConfigError
from tradeterm.model.money import ZERO
from tradeterm.model.ports import AgentAnswer, Answer
from tradeterm.settings.llm import LlmSettings

ENV_FILE = Path(".env")
#: They would move requests elsewhere in other programs; here they move nothing.
OVERRIDES: Final = (
    "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_PROXY", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_BASE",
    "DEEPSEEK_API_BASE", "OPENROUTER_API_BASE", "OLLAMA_API_BASE", "LITELLM_PROXY_API_BASE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
)  # fmt: skip

_answer = msgspec.json.Decoder(Answer).decode


def open_advisor(settings: LlmSettings, db: Path, *, begin: bool) -> ModelAdvisor:
    """The advisor for a run in ``db``; ``begin`` says that it is a new one.

    Raises CassetteError.
    """
    gate: Gate
    if settings.provider == "cassette":
        with Reader(db) as reader:
            answered = [] if begin else reader.answered()
        return ModelAdvisor(settings, CassetteGate(Path(settings.cassette), answered))
    day = time.strftime("%Y-%m-%d", time.gmtime())
    with Reader(db) as reader:
        spent = _spent([_answer(row.body) for row in reader.answers_of_day(day)])
    gate = OpenGate(LitellmModels(ENV_FILE), Budget(settings, day, spent))
    if settings.cassette:
        gate = RecordingGate(gate, Path(settings.cassette), begin=begin)
    return ModelAdvisor(settings, gate)


def _spent(answers: list[Answer]) -> dict[str, Decimal]:
    """USD by role."""
    spent: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for answer in answers:
        role = answer.agent.value if isinstance(answer, AgentAnswer) else ARBITER
        spent[role] += answer.cost
    return dict(spent)


def remarks(settings: LlmSettings) -> Iterator[str]:
    """What an operator should know before models are asked."""
    if settings.provider != "litellm":
        return
    roles = [settings.role(name) for name in settings.role_names()]
    endpoints = {(one.model, one.address): one for role in roles for one in role.endpoints}
    for endpoint in endpoints.values():
        name = endpoint.api_key_env
        try:
            known = not name or find_key(name, os.environ, ENV_FILE) is not None
        except ConfigError as error:
            yield str(error)
            continue
        if not (known or endpoint.is_local):
            yield (
                f"{endpoint.model} has no key: put {name} into the environment, .env (chmod 600) "
                "or the keyring; until then it is not asked"
            )
    alone, panel = settings.every_role.model, settings.roles.trading_decision.members
    if alone and panel:
        yield (
            f"llm.every_role stands alone: the {len(panel)} of llm.roles.trading_decision.members "
            "are not asked; for a panel name the models by role"
        )
    if endpoints:
        yield (
            "models are asked through litellm, which takes some seconds to load: it does so beside "
            "the market, and the first question waits for it"
        )
    found = [name for name in OVERRIDES if os.environ.get(name) or os.environ.get(name.lower())]
    if found:
        yield (
            f"{', '.join(found)} in the environment: ignored here, models are asked at the "
            "addresses in the settings only"
        )
