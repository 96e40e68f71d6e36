"""Three hundred hostile texts through the whole desk: nothing but words comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.model_clerk import NAME, clerk, role_of
from tests.adapters.model_server import ModelServer
from tests.injections import CORPUS
from tests.wired.stage import EVERY, RISE, START, Record, Stage
from tradeterm.model.timing import SECOND

#: Sentiment reads every minute; the signal of minute 21 is argued about and approved.
READING = (
    EVERY,
    "risk.max_risk=0.2",
    "orchestration.schedule.sentiment_analysis={enabled: true, interval: 60, after: []}",
)


def models(server: ModelServer) -> tuple[str, ...]:
    """For the two roles that strangers' words come near; the decision is the crossing's."""
    told = f"model: {NAME}, api_base: '{server.base}', input_price: 1, output_price: 2"
    roles = ("arbiter", "sentiment_analysis")
    return (
        "llm.provider=litellm", "llm.cooldown=0",
        *(f"llm.roles.{role}={{{told}, fallback: []}}" for role in roles),
    )  # fmt: skip


def hostile(stage: Stage, texts: Sequence[str]) -> None:
    """Each text as a headline, as its source, and as what an exchange has to say."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 26 * 60, 60_010.0)
    for number, text in enumerate(texts):
        ts = START + (5 + 4 * number) * SECOND
        stage.tape.lines += [
            {"ts": ts, "s": "", "t": "news", "source": text, "text": text, "assets": ["BTC"]},
            {"ts": ts + 1, "s": "", "t": "notice", "code": "rejected", "text": text},
            {"ts": ts + 2, "s": text, "t": "trade", "p": "1", "q": "1", "side": "buy", "id": "x"},
        ]


async def told(folder: Path, texts: list[str]) -> tuple[Record, list[dict[str, Any]]]:
    """The run in which strangers and models say this, and what the models were asked."""
    stage, words = Stage(folder), cycle(texts)
    hostile(stage, texts)
    with ModelServer.running(clerk(lambda: next(words)[:300])) as server:
        record = await stage.play(*models(server), *READING, approve="all")
        return record.sound(), server.asked


def moved(record: Record) -> list[tuple[Any, ...]]:
    """Everything that trades or bounds trading, without a word of prose."""
    fields = ("symbol", "side", "type", "purpose", "size", "price", "stop", "status", "leverage")
    orders = [tuple(order.get(name) for name in fields) for order in record.orders()]
    return [*orders, *((fill["symbol"], fill["size"]) for fill in record.fills())]


async def test_no_limit_symbol_mode_or_setting_moves(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    plain, _ = await told(
        tmp_path_factory.mktemp("plain"), [f"Words number {n}." for n in range(len(CORPUS))]
    )
    record, asked = await told(tmp_path_factory.mktemp("hostile"), [text for _, text in CORPUS])
    assert {role_of(body) for body in asked} == {"sentiment_analysis", "arbiter"}
    assert record.orders("entry")
    assert moved(record) == moved(plain)
    (began,), (began_plain,) = record.bodies("run_started"), plain.bodies("run_started")
    same = ("symbols", "mode", "instruments", "approve")
    assert [began.get(name) for name in same] == [began_plain.get(name) for name in same]
    settings, settings_plain = began["settings"], began_plain["settings"]
    assert settings["risk"] == settings_plain["risk"]
    for key in ("equity", "state", "degradation", "verdicts", "conflicts", "plans"):
        assert record.summary[key] == plain.summary[key], key
    # What is kept is fit to be shown.
    for row in record.rows():
        if row.kind != "run_started":
            assert row.body.decode().replace("\n", "").isprintable(), row.id
