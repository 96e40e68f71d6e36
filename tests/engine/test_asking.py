"""Who may answer a question at which level, and in which order a model hears the analysts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.coordinator.test_briefing import question
from tests.wired.stage import request
from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.engine.engine import Engine
from tradeterm.model.ports import ArbiterQuestion
from tradeterm.model.vocabulary import ConflictType, Route
from tradeterm.sessions import new_engine

OTHERS, REGIME = (ConflictType.TA_SENTIMENT,), (ConflictType.REGIME_CHOPPY,)


def engine(provider: str) -> Engine:
    asked = request("sim", None, f"llm.provider={provider}")  # type: ignore[arg-type]
    feed = open_feed("sim", asked.settings.market, seed=7, symbols=None, on_bad="skip")
    return new_engine(asked, feed)


def about(types: tuple[ConflictType, ...], name: str = "question-1") -> ArbiterQuestion:
    asked = replace(question(), id=name, order=())
    return replace(asked, conflict=replace(asked.conflict, types=types))


@pytest.mark.parametrize(
    ("failures", "types", "route"),
    [
        (0, OTHERS, Route.ADVISOR),
        (3, OTHERS, Route.ADVISOR),
        (6, REGIME, Route.ADVISOR),
        (6, OTHERS, Route.WAIT),
        (6, (*REGIME, *OTHERS), Route.WAIT),
        (6, (), Route.WAIT),
        (9, REGIME, Route.RULES),
        (9, OTHERS, Route.RULES),
    ],
)
def test_the_level_decides_who_is_asked(
    failures: int, types: tuple[ConflictType, ...], route: Route
) -> None:
    one = engine("litellm")
    for _ in range(failures):
        one.trading.coordinator.degradation.failed("arbiter")
    one.trading.asking.ask(about(types))
    assert one.effects[-1].route is route


def test_rules_are_asked_at_every_level() -> None:
    one = engine("rules")
    for _ in range(9):
        one.trading.coordinator.degradation.failed("arbiter")
    one.trading.asking.ask(about(OTHERS))
    assert one.effects[-1].route is Route.ADVISOR


def test_analysts_are_shuffled_by_seed_and_question_and_always_the_same_way() -> None:
    def orders() -> list[tuple[str, ...]]:
        one = engine("litellm")
        for number in range(40):
            one.trading.asking.ask(about(OTHERS, f"question-{number}"))
        return [asked.order for asked in one.effects if isinstance(asked, ArbiterQuestion)]

    first = orders()
    assert first == orders()
    assert {order[0] for order in first} == set(first[0])
    assert {frozenset(order) for order in first} == {frozenset(first[0])}


def test_a_question_that_is_out_survives_a_snapshot() -> None:
    one, other = engine("litellm"), engine("litellm")
    one.trading.asking.ask(about(OTHERS))
    other.load(one.dump())
    assert list(other.effects) == list(one.effects)
    assert other.trading.asking.symbols() == {"BTC/USDT"}
