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


@dataclass(slots=True)
class _Channel:
    """One topic: who listens, and the newest message by (symbol, source)."""

    ttl: int
    handlers: list[tuple[str, Handler, type]] = field(default_factory=list)
    wanted: tuple[type, ...] = (Published,)
    """Payloads somebody hears or may look up: of most others (orders) no message is made."""
    latest: dict[tuple[str, str], Message] = field(default_factory=dict)


class Bus:
    """Delivers by priority, then by sequence; a message published by a handler is queued."""

    def __init__(self, ttl: Mapping[Topic, int], on_failure: FailureSink) -> None:
        """``ttl``: nanoseconds per topic."""
        self._on_failure = on_failure
        self._channels = {topic: _Channel(ttl[topic]) for topic in Topic}
        self._queue: list[tuple[int, int, Message]] = []
        self._sequence = 0
        self._delivering = False

    def subscribe(self, topic: Topic, name: str, handler: Handler, of: type = object) -> None:
        """Call ``handler`` for every message of ``topic`` with a payload ``of`` this type.

        ``name`` appears in failures.
        """
        channel = self._channels[topic]
        channel.handlers.append((name, handler, of))
        channel.wanted = (*channel.wanted, of)

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
    ) -> None:
        """Send a message; delivered before this returns unless a delivery is under way.

        Only agents' outputs can be looked up later.
        """
        self._sequence += 1
        channel = self._channels[topic]
        if not isinstance(payload, channel.wanted):
            return
        message = Message(
            f"msg-{self._sequence}",
            now,
            topic,
            source,
            symbol,
            priority,
            payload,
            correlation,
            channel.ttl,
        )
        if isinstance(payload, Published):
            channel.latest[symbol, source] = message
        if self._delivering:
            heapq.heappush(self._queue, (-priority, self._sequence, message))
            return
        self._delivering = True
        try:
            self._hand_over(message, channel)
            while self._queue:
                _, _, message = heapq.heappop(self._queue)  # what a handler published meanwhile
                self._hand_over(message, self._channels[message.topic])
        finally:
            self._delivering = False

    def hears_alone(self, topic: Topic, name: str) -> bool:
        """Whether nobody but ``name`` listens to a topic."""
        handlers = self._channels[topic].handlers
        return len(handlers) == 1 and handlers[0][0] == name

    def number(self) -> int:
        """Number a message nobody has to hear: ``note`` the newest of a source afterwards."""
        self._sequence += 1
        return self._sequence

    def note(
        self, number: int, topic: Topic, source: str, symbol: str, payload: object, ts: int
    ) -> None:
        """A numbered message is its source's newest on the symbol; it is not delivered."""
        channel = self._channels[topic]
        channel.latest[symbol, source] = Message(
            f"msg-{number}", ts, topic, source, symbol, NORMAL, payload, "", channel.ttl
        )

    def _hand_over(self, message: Message, channel: _Channel) -> None:
        for name, handler, of in channel.handlers:
            if not isinstance(message.payload, of):
                continue
            try:
                handler(message)
            except Exception as error:  # noqa: BLE001 - one bad handler never stops the others
                self._on_failure(message, name, error)

    def refresh(self, topic: Topic, symbol: str, source: str, now: int) -> None:
        """The source confirmed its last output: same payload, new time stamp, no delivery."""
        latest = self._channels[topic].latest
        old = latest.get((symbol, source))
        if old is not None:
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
        ]
        return BusState(self._sequence, live)

    def load(self, state: BusState) -> None:
        """Continue as the dumped bus would."""
        self._sequence = state.sequence
        for channel in self._channels.values():
            channel.latest.clear()
        for m in state.latest:
            message = Message(*msgspec.structs.astuple(m))
            self._channels[m.topic].latest[m.symbol, m.source] = message
