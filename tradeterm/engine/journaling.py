"""What the engine writes down: rows with deterministic ids, and a digest of the trading."""

from __future__ import annotations

from collections.abc import Callable, Container

import msgspec

from tradeterm.engine.stamp import Stamp
from tradeterm.model.hashing import digest_of
from tradeterm.model.messages import Row

_encode = msgspec.json.Encoder().encode
ROWS_PER_SLICE = 1000
#: Rows put into bytes together: the encoder takes twice as long when between any two of them a
#: trade is decided, and everything does once they no longer fit into the processor's cache.
ROWS_AT_ONCE = 50
#: Trading rows that enter the digest together: a hash object costs more than what it hashes.
ROWS_PER_HASH = 32
#: Kinds whose rows make up ``state_hash`` (what traded, never how the process lived).
TRADING_KINDS = frozenset(
    {
        "proposal",
        "conflict",
        "resolution",
        "card",
        "verdict",
        "order",
        "fill",
        "position",
        "entry",
        "settled",
        "plan",
        "rebalance",
        "hodl",
        "difference",
        "breaker",
        "instrument",
        "restriction",
        "setting",
        "state",
        "level",
    }
)


class JournalState(msgspec.Struct):
    """Counters and the running digest."""

    counters: dict[str, int]
    digest: bytes
    unhashed: list[bytes]


class _Said(msgspec.Struct, frozen=True, gc=False):
    """A row before its body (which never changes) is put into bytes: nothing the collector counts."""

    ts: int
    kind: str
    id: str
    parent: str
    input: int
    body: object


class Journal:
    """Collects the rows of a slice. ``listen`` sees their objects, for the event log."""

    def __init__(
        self, stamp: Stamp, listen: Callable[[str, str, object, int], None], kinds: Container[str]
    ) -> None:
        """``listen(kind, id, body, now)`` is told of rows of these ``kinds``."""
        self._said: list[_Said] = []
        self._rows: list[Row] = []
        self.full = False
        """Whether the slice should end here: enough rows, or something to show at once."""
        self.attended = True
        """Whether an operator looks on, who must see a card before the market goes on."""
        self._stamp = stamp
        self._counters: dict[str, int] = {}
        self._digest = b""
        self._unhashed: list[bytes] = []
        """Trading rows that are not in the digest yet."""
        self._listen, self._heard = listen, kinds

    def new_id(self, prefix: str) -> str:
        """``prefix-1``, ``prefix-2`` …: a pure function of what happened before."""
        number = self._counters.get(prefix, 0) + 1
        self._counters[prefix] = number
        return f"{prefix}-{number}"

    def last_id(self, prefix: str) -> str:
        """The newest id with this prefix; ``""`` before the first."""
        number = self._counters.get(prefix)
        return f"{prefix}-{number}" if number else ""

    def write(self, kind: str, row_id: str, parent: str, body: object) -> None:
        """Add a row that follows from ``parent`` (``""`` for roots)."""
        stamp = self._stamp
        now = stamp.now
        said = self._said
        said.append(_Said(now, kind, row_id, parent, stamp.input, body))
        if kind in self._heard:
            self._listen(kind, row_id, body, now)
        if len(said) == ROWS_AT_ONCE:
            self._put_down()
            self.full |= len(self._rows) >= ROWS_PER_SLICE

    def _put_down(self) -> None:
        """Put what was said into bytes, and what traded into the digest."""
        rows, unhashed = self._rows, self._unhashed
        for one in self._said:
            data = _encode(one.body)
            rows.append(Row(one.ts, one.kind, one.id, one.parent, one.input, data))
            if one.kind in TRADING_KINDS:
                unhashed.append(data)
                if len(unhashed) == ROWS_PER_HASH:
                    self._digest = self._hashed()
                    unhashed.clear()
        self._said.clear()

    def show(self) -> None:
        """What was just written is for the operator: show it at once."""
        self.full |= self.attended

    def take(self) -> list[Row]:
        """The rows since the last call."""
        self._put_down()
        rows, self._rows = self._rows, []
        self.full = False
        return rows

    @property
    def digest(self) -> str:
        """Hash over every trading row so far, in order."""
        self._put_down()
        return (self._hashed() if self._unhashed else self._digest).hex()

    def _hashed(self) -> bytes:
        return digest_of(self._digest + b"".join(self._unhashed))

    def dump(self) -> JournalState:
        """For a snapshot."""
        self._put_down()
        return JournalState(dict(self._counters), self._digest, list(self._unhashed))

    def load(self, state: JournalState) -> None:
        """Continue as the dumped journal would."""
        self._counters = dict(state.counters)
        self._digest, self._unhashed = state.digest, list(state.unhashed)
