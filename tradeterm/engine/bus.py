"""The bus: ten topics, ordered synchronous delivery, latest values by symbol and source."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from tradeterm.model.messages import Message
from tradeterm.model.outputs import Published
from tradeterm.model.vocabulary import Priority, Topic

NORMAL = Priority.NORMAL
Handler = Callable[[Message], None]
#: Told when a handler raised: (message, handler name, error).
FailureSink = Callable[[Message, str, Exception], None]


class TopicCounts(msgspec.Struct):
    """What happened on one topic."""

    published: int = 0
    delivered: int = 0
    expired: int = 0
    failed: int = 0


class StoredMessage(msgspec.Struct, frozen=True):
    """A live message as a snapshot keeps it: agent outputs are what look-ups read.

    The fields of ``Message``, in its order, with the payload's type a decoder needs.
    """

    id: str
    ts: int
    topic: Topic
    source: str
    symbol: str
    priority: Priority
    payload: Published
    correlation: str
    ttl: int


class BusState(msgspec.Struct):
    """Everything of the bus that a later decision can depend on."""

    sequence: int
    latest: list[StoredMessage]
    counts: dict[str, TopicCounts]


@dataclass(slots=True)
class _Channel:
    """One topic: who listens, and the newest message by (symbol, source)."""

    ttl: int
    handlers: list[tuple[str, Handler]] = field(default_factory=list)
    latest: dict[tuple[str, str], Message] = field(default_factory=dict)


class Bus:
    """Delivers by priority, then by sequence; a message published by a handler is queued."""

    def __init__(self, ttl: Mapping[Topic, int], on_failure: FailureSink) -> None:
        """``ttl``: nanoseconds per topic."""
        self.counts = {topic: TopicCounts() for topic in Topic}
        self._on_failure = on_failure
        self._channels = {topic: _Channel(ttl[topic]) for topic in Topic}
        self._queue: list[tuple[int, int, Message]] = []
        self._sequence = 0
        self._delivering = False

    def subscribe(self, topic: Topic, name: str, handler: Handler) -> None:
        """Call ``handler`` for every message of ``topic``; ``name`` appears in failures."""
        self._channels[topic].handlers.append((name, handler))

    def publish(
        self,
        topic: Topic,
        source: str,
        symbol: str,
        payload: object,
        now: int,
        *,
        priority: Priority = NORMAL,
        correlation: str = "",
        age: int = 0,
    ) -> None:
        """Send a message; delivered before this returns unless a delivery is under way.

        ``age`` (ns) is how old the payload already is: one past its TTL is never delivered.
        """
        self._sequence += 1
        counts, channel = self.counts[topic], self._channels[topic]
        counts.published += 1
        if age > channel.ttl:
            counts.expired += 1
            return
        message = Message(
            f"msg-{self._sequence}",
            now - age,
            topic,
            source,
            symbol,
            priority,
            payload,
            correlation,
            channel.ttl,
        )
        channel.latest[symbol, source] = message
        if not channel.handlers:
            return
        if self._delivering:
            heapq.heappush(self._queue, (-priority, self._sequence, message))
            return
        self._delivering = True
        try:
            self._hand_over(message, channel, counts)
            while self._queue:
                self._hand_over_next(now)
        finally:
            self._delivering = False

    def _hand_over_next(self, now: int) -> None:
        """What a handler published meanwhile, unless it grew too old in the queue."""
        _, _, message = heapq.heappop(self._queue)
        counts = self.counts[message.topic]
        if message.alive(now):
            self._hand_over(message, self._channels[message.topic], counts)
        else:
            counts.expired += 1

    def _hand_over(self, message: Message, channel: _Channel, counts: TopicCounts) -> None:
        for name, handler in channel.handlers:
            try:
                handler(message)
                counts.delivered += 1
            except Exception as error:  # noqa: BLE001 - one bad handler never stops the others
                counts.failed += 1
                self._on_failure(message, name, error)

    def refresh(self, topic: Topic, symbol: str, source: str, now: int) -> None:
        """The source confirmed its last output: same payload, new time stamp, no delivery."""
        latest = self._channels[topic].latest
        old = latest.get((symbol, source))
        if old is not None:
            self.counts[topic].published += 1
            latest[symbol, source] = msgspec.structs.replace(old, ts=now)

    def latest(
        self, topic: Topic, symbol: str, source: str, now: int, max_age: int
    ) -> Message | None:
        """The newest message of exactly this symbol and source, if alive and young enough."""
        message = self._channels[topic].latest.get((symbol, source))
        if message is None or not message.alive(now) or now - message.ts > max_age:
            return None
        return message

    def dump(self) -> BusState:
        """For a snapshot; called between inputs, when the queue is empty."""
        live = [
            StoredMessage(*msgspec.structs.astuple(m))
            for channel in self._channels.values()
            for m in channel.latest.values()
            if isinstance(m.payload, Published)
        ]
        counts = {t.value: msgspec.structs.replace(c) for t, c in self.counts.items()}
        return BusState(self._sequence, live, counts)

    def load(self, state: BusState) -> None:
        """Continue as the dumped bus would."""
        self._sequence = state.sequence
        self.counts = {Topic(name): counts for name, counts in state.counts.items()}
        for channel in self._channels.values():
            channel.latest.clear()
        for m in state.latest:
            message = Message(*msgspec.structs.astuple(m))
            self._channels[m.topic].latest[m.symbol, m.source] = message
