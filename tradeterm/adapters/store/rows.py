"""Numbered, chained journal rows, the slices they arrive in, and the chain itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from tradeterm.model.hashing import digest_of
from tradeterm.model.messages import Row
from tradeterm.model.proposals import RuleOutcome

#: What the first row's hash is chained to.
GENESIS = sha256(b"tradeterm journal 1").digest()

_pack = msgspec.msgpack.Encoder().encode
decode_body = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the engine needs to go on after ``input`` inputs; ``feed`` is a packed mark."""

    input: int
    body: bytes
    feed: bytes = b""

    def digest(self) -> bytes:
        """Makes rot in a snapshot visible; an older one is used then."""
        return sha256(_pack((self.input, self.body, self.feed))).digest()


@dataclass(frozen=True, slots=True)
class Slice:
    """Whole inputs with all their consequences: written in one transaction or not at all."""

    rows: list[Row] = field(default_factory=list)
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A journal row as the file has it."""

    seq: int
    ts: int
    kind: str
    id: str
    parent: str
    input: int
    body: bytes
    hash: bytes

    @property
    def data(self) -> dict[str, Any]:
        """The decoded body; amounts are strings."""
        body = decode_body(self.body)
        if self.kind == "verdict":
            names = RuleOutcome.__struct_fields__
            body["rules"] = [dict(zip(names, rule, strict=True)) for rule in body["rules"]]
        return body


class Tail(NamedTuple):
    """The end of the journal: last row's number and hash, and the run it belongs to."""

    seq: int = 0
    hash: bytes = GENESIS
    run: int = 0


def chain(previous: bytes, fields: tuple[int, int, str, str, str, int, bytes]) -> bytes:
    """sha256(previous hash ‖ canonical row).

    ``fields``: seq, ts, kind, id, parent, input, body; msgpack keeps them apart.
    """
    return digest_of(previous + _pack(fields))


def chained(row: StoredRow, previous: bytes) -> bool:
    """Whether a stored row is what was written after ``previous``."""
    return row.hash == chain(
        previous, (row.seq, row.ts, row.kind, row.id, row.parent, row.input, row.body)
    )
