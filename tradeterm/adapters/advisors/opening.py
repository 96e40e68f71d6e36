"""From the settings to the advisor behind language models, and what to say about it at the start."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from tradeterm.adapters.advisors.cassette import CassetteModels, RecordingModels, lines_of
from tradeterm.adapters.advisors.keys import find_key
from tradeterm.adapters.advisors.litellm_models import LitellmModels
from tradeterm.adapters.advisors.model_advisor import ModelAdvisor
from tradeterm.adapters.store.reader import Reader
from tradeterm.engine.gateway import Budget
from tradeterm.errors import ConfigError
from tradeterm.model.ports import ArbiterAnswer, Models
from tradeterm.settings.llm import LlmSettings

ENV_FILE = Path(".env")

_answer = msgspec.json.Decoder(ArbiterAnswer).decode


def open_advisor(settings: LlmSettings, db: Path, *, begin: bool) -> ModelAdvisor:
    """The advisor for a run in ``db``; ``begin`` says that it is a new one.

    Raises CassetteError.
    """
    with Reader(db) as reader:
        first, _ = reader.span()
        answers = [(row.seq, _answer(row.body)) for row in reader.all_answers()]
    models: Models
    if settings.provider == "cassette":
        mine = [] if begin else [answer for seq, answer in answers if seq >= first]
        models = CassetteModels(Path(settings.cassette), sum(map(lines_of, mine)))
        return ModelAdvisor(settings, models, Budget(settings))
    models = LitellmModels(ENV_FILE)
    if settings.cassette:
        models = RecordingModels(models, Path(settings.cassette), begin=begin)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    spent = sum((answer.cost for _, answer in answers if answer.day == day), Decimal(0))
    return ModelAdvisor(settings, models, Budget(settings, day, spent))


def remarks(settings: LlmSettings) -> Iterator[str]:
    """What an operator should know before models are asked."""
    if settings.provider != "litellm":
        return
    for endpoint in settings.roles.arbiter.endpoints:
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
