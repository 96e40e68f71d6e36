"""The bus: ordered, never re-entrant, forgetful on time, and deaf to other symbols."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tradeterm.engine.bus import Bus, BusState
from tradeterm.model.messages import Message
from tradeterm.model.outputs import Published, SentimentView
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, Bias, Priority, Topic

TTL = 60 * SECOND
TA, MOOD, SIGNALS = Topic.TA_SIGNALS, Topic.SENTIMENT_UPDATES, Topic.TRADING_SIGNALS


class Stage:
    """A bus that writes down what it delivers and what fails."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.failures: list[tuple[str, str]] = []
        self.bus = Bus(dict.fromkeys(Topic, TTL), self._failed)

    def _failed(self, message: Message, name: str, error: Exception) -> None:
        self.failures.append((name, f"{message.topic} {error}"))

    def listen(self, topic: Topic, name: str) -> None:
        self.bus.subscribe(topic, name, lambda message: self.seen.append((name, message.payload)))


@pytest.fixture
def stage() -> Stage:
    return Stage()


def view(symbol: str = "BTC/USDT", number: int = 1) -> Published:
    output = SentimentView(symbol, 0.5, Bias.LONG, 0.6, 3, {"score": 0.5}, "because")
    return Published(f"out-{number}", 0, AgentName.SENTIMENT, "RULES", (), output)


def test_ten_topics_are_told_apart(stage: Stage) -> None:
    for topic in Topic:
        stage.listen(topic, topic.value)
    for topic in Topic:
        stage.bus.publish(topic, "x", "*", topic.value, 0)
    assert len(Topic) == 10
    assert stage.seen == [(topic.value, topic.value) for topic in Topic]


def test_a_subscriber_may_want_one_kind_of_payload_only(stage: Stage) -> None:
    heard: list[Any] = []
    stage.bus.subscribe(TA, "outputs", lambda message: heard.append(message.payload), Published)
    stage.bus.publish(TA, "x", "*", "not an output", 0)
    stage.listen(TA, "anything")
    stage.bus.publish(TA, "x", "*", "nor this", 0)
    stage.bus.publish(TA, "x", "*", view(), 0)
    assert heard == [view()]
    assert stage.seen == [("anything", "nor this"), ("anything", view())]


def test_every_subscriber_hears_it_in_the_order_they_came(stage: Stage) -> None:
    stage.listen(TA, "first")
    stage.listen(TA, "second")
    stage.bus.publish(TA, "x", "*", 1, 0)
    assert stage.seen == [("first", 1), ("second", 1)]


def test_what_a_handler_publishes_is_queued_and_goes_by_priority_then_sequence(
    stage: Stage,
) -> None:
    bus = stage.bus
    stage.listen(TA, "ta")
    inside: list[list[tuple[str, Any]]] = []

    def handler(message: Message) -> None:
        for payload, priority in (("low", Priority.LOW), ("a", Priority.NORMAL),
                                  ("urgent", Priority.URGENT), ("b", Priority.NORMAL),
                                  ("high", Priority.HIGH)):  # fmt: skip
            bus.publish(TA, "handler", "*", payload, 0, priority=priority)
        inside.append(list(stage.seen))

    bus.subscribe(SIGNALS, "handler", handler)
    bus.publish(SIGNALS, "x", "*", "go", 0)
    assert inside == [[]]  # nothing was delivered while the handler ran
    assert [payload for _, payload in stage.seen] == ["urgent", "high", "a", "b", "low"]


def test_a_handler_may_publish_on_its_own_topic_without_recursion(stage: Stage) -> None:
    depth = 0
    deepest = 0
    heard = 0

    def handler(message: Message) -> None:
        nonlocal depth, deepest, heard
        heard += 1
        depth += 1
        deepest = max(deepest, depth)
        if message.payload < 50:  # type: ignore[operator]
            stage.bus.publish(TA, "x", "*", message.payload + 1, 0)  # type: ignore[operator]
        depth -= 1

    stage.bus.subscribe(TA, "again", handler)
    stage.bus.publish(TA, "x", "*", 0, 0)
    assert deepest == 1
    assert heard == 51


def test_a_failing_handler_is_isolated_and_told(stage: Stage) -> None:
    def broken(_: Message) -> None:
        raise ValueError("no")

    stage.bus.subscribe(TA, "broken", broken)
    stage.listen(TA, "well")
    stage.bus.publish(TA, "x", "*", 1, 0)
    stage.bus.publish(TA, "x", "*", 2, 0)
    assert stage.seen == [("well", 1), ("well", 2)]
    assert stage.failures == [("broken", "ta_signals no")] * 2


def test_a_fatal_error_leaves_the_bus_usable(stage: Stage) -> None:
    class Stop(BaseException):
        pass

    def fatal(message: Message) -> None:
        if message.payload == "stop":
            raise Stop

    stage.bus.subscribe(TA, "fatal", fatal)
    with pytest.raises(Stop):
        stage.bus.publish(TA, "x", "*", "stop", 0)
    stage.listen(TA, "after")
    stage.bus.publish(TA, "x", "*", "go", 0)
    assert stage.seen == [("after", "go")]


def test_look_ups_never_mix_symbols_sources_or_topics(stage: Stage) -> None:
    bus = stage.bus
    btc, xrp, other = view(), view("XRP/USDT"), view(number=2)
    bus.publish(TA, "technical", "BTC/USDT", btc, 0)
    bus.publish(TA, "technical", "XRP/USDT", xrp, 0)
    bus.publish(TA, "other", "BTC/USDT", other, 0)

    def found(topic: Topic, symbol: str, source: str) -> Any:
        message = bus.latest(topic, symbol, source, 0, TTL)
        return None if message is None else message.payload

    assert found(TA, "BTC/USDT", "technical") is btc
    assert found(TA, "XRP/USDT", "technical") is xrp
    assert found(TA, "BTC/USDT", "other") is other
    assert found(TA, "ETH/USDT", "technical") is None
    assert found(MOOD, "BTC/USDT", "technical") is None


def test_look_ups_obey_both_the_ttl_and_the_callers_patience(stage: Stage) -> None:
    bus = stage.bus
    bus.publish(TA, "x", "BTC/USDT", view(), 0)
    assert bus.latest(TA, "BTC/USDT", "x", 30 * SECOND, 30 * SECOND) is not None
    assert bus.latest(TA, "BTC/USDT", "x", 30 * SECOND + 1, 30 * SECOND) is None
    assert bus.latest(TA, "BTC/USDT", "x", TTL, 10 * TTL) is not None
    assert bus.latest(TA, "BTC/USDT", "x", TTL + 1, 10 * TTL) is None


def test_a_confirmed_output_lives_on_without_a_new_delivery(stage: Stage) -> None:
    stage.listen(TA, "ta")
    same = view()
    stage.bus.publish(TA, "x", "BTC/USDT", same, 0)
    stage.bus.refresh(TA, "BTC/USDT", "x", TTL)
    stage.bus.refresh(TA, "XRP/USDT", "x", TTL)  # nobody ever spoke about it
    latest = stage.bus.latest(TA, "BTC/USDT", "x", 2 * TTL, TTL)
    assert latest is not None
    assert (latest.payload, latest.id) == (same, "msg-1")
    assert stage.seen == [("ta", same)]
    assert stage.bus.latest(TA, "XRP/USDT", "x", TTL, TTL) is None


def test_live_messages_survive_a_restart(stage: Stage) -> None:
    stage.bus.publish(MOOD, "sentiment", "BTC/USDT", view(), 5, priority=Priority.HIGH)
    stage.bus.publish(TA, "x", "BTC/USDT", "not an output", 5)
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(stage.bus.dump()), type=BusState)
    other = Stage()
    other.bus.load(state)
    kept = other.bus.latest(MOOD, "BTC/USDT", "sentiment", TTL, TTL)
    assert kept is not None
    assert (kept.payload, kept.ts, kept.priority) == (view(), 5, Priority.HIGH)
    assert other.bus.dump() == stage.bus.dump()
    other.bus.publish(TA, "x", "*", view("*"), 6)
    newest = other.bus.latest(TA, "*", "x", 6, TTL)
    assert newest is not None
    assert newest.id == "msg-3"  # ids go on, none is used twice
