"""What each journal row changes in the tables; the writer and ``verify`` share this."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple

from tradeterm.adapters.store.rows import decode_body
from tradeterm.adapters.store.schema import TABLES
from tradeterm.errors import StoreError
from tradeterm.model.money import total
from tradeterm.model.vocabulary import PlanStatus

Body = dict[str, Any]
Values = tuple[Any, ...]


class Change(NamedTuple):
    """One table row to insert, or to replace by its key."""

    table: str
    values: Values


class Source(NamedTuple):
    """The journal row a change comes from."""

    run: int
    seq: int
    kind: str
    id: str
    ts: int
    parent: str


class Projector(NamedTuple):
    """How rows of a kind are read, and what they change."""

    read: Callable[[bytes], Any]
    changes: Callable[[Source, Any], list[Change]]


def project(source: Source, body: bytes) -> list[Change]:
    """The changes of one row; raises StoreError when the body lacks what its kind has."""
    read, changes = PROJECTORS[source.kind]
    try:
        return changes(source, read(body))
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.DecodeError) as error:
        raise StoreError(
            f"journal row {source.seq} ({source.kind} {source.id}): "
            f"its body does not fit: {type(error).__name__} {error}"
        ) from error


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


#: What rows said that were written before they could say anything else.
_ADDED: Body = {
    "post_only": False,
    "unknown": "",
    "carry": "0",
    "stop_kind": "stop",
    "trailing": False,
}


#: What may stand in a body where a column has this SQL type.
_TYPES: dict[str, Any] = {"TEXT": str, "INTEGER": int | bool}


def _shape(
    table: str, columns: slice, renamed: dict[str, str] | None = None, **nested: type[Any]
) -> type[Any]:
    """Some columns of a table as a structure: whatever else a body has is never decoded."""
    fields: list[Any] = list(nested.items())
    for column, kind in list(TABLES[table].columns.items())[columns]:
        name, sql_type = (renamed or {}).get(column, column), _TYPES[kind.split()[0]]
        kept = sql_type if kind.endswith("NOT NULL") else sql_type | None
        fields.append((name, kept, _ADDED[name]) if name in _ADDED else (name, kept))
    return msgspec.defstruct(table, fields, kw_only=True, gc=False)


_Request = _shape("orders", slice(1, -9), {"limit_price": "limit", "trigger_price": "trigger"})
_Order = _shape("orders", slice(-9, -1), request=_Request)
_Position = _shape("positions", slice(1, -2))
_Positioned = _shape("positions", slice(-2, -1), position=_Position)
_Fill = _shape("fills", slice(1, -1))
_Difference = _shape("differences", slice(1, -1))


def _order(source: Source, order: Any) -> list[Change]:
    values = source.run, *astuple(order.request), *astuple(order)[1:], source.seq
    return [Change("orders", values)]


def _filled(source: Source, fill: Any) -> list[Change]:
    return [Change("fills", (source.run, *astuple(fill), source.seq))]


def _positioned(source: Source, told: Any) -> list[Change]:
    values = source.run, *astuple(told.position), told.what, source.seq
    return [Change("positions", values)]


def _planned(source: Source, body: Body) -> list[Change]:
    plan = body["plan"]
    legs, slots, batch = plan["legs"], plan["slots"], plan["batch"]
    amounts = (Decimal(part) for leg in legs for part in leg["batches"])
    filled = (Decimal(leg["filled"]) for leg in legs)
    goes_on = plan["status"] in {PlanStatus.OPEN, PlanStatus.PAUSED}
    return [
        Change(
            "plans",
            (
                source.run,
                plan["id"],
                plan["created"],
                plan["parent"],
                plan["purpose"],
                plan["status"],
                plan["reason"],
                batch,
                len(legs[0]["batches"]),
                slots[batch] if goes_on and batch < len(slots) else None,
                slots[-1] + plan["interval"],
                str(total(amounts)),
                str(total(filled)),
                _json(legs),
                body["what"],
                source.seq,
            ),
        )
    ]


def _differed(source: Source, difference: Any) -> list[Change]:
    return [Change("differences", (source.run, *astuple(difference), source.seq))]


def _card(source: Source, body: Body) -> list[Change]:
    return [
        Change(
            "approvals",
            (
                source.run,
                body["id"],
                body["ts"],
                body["expires"],
                body["parent"],
                body["proposal"]["id"],
                body["conflict"]["id"],
                body["resolution"]["id"],
                body["proposal"]["symbol"],
                body["content_hash"],
                body["state"],
                body["price"],
                body["drift_limit"],
                body["decided"],
                body["decided_by"],
                body["reason"],
                body["verdict_id"],
                source.seq,
            ),
        )
    ]


def _state(source: Source, body: Body) -> list[Change]:
    return [_coordinator(source, body["state"], body["reason"])]


def _level(source: Source, body: Body) -> list[Change]:
    return [_coordinator(source, body["level"], body["cause"])]


def _coordinator(source: Source, value: str, reason: str) -> Change:
    return Change(
        "coordinator_state", (source.run, source.kind, value, source.ts, reason, source.seq)
    )


def _session(source: Source, body: Body) -> list[Change]:
    del body
    changes = [Change("sessions", (source.run, source.seq, source.ts, source.kind))]
    if source.kind == RUN_STARTED:
        changes.insert(0, Change("runs", (source.run, source.seq, source.ts)))
    return changes


RUN_STARTED, RUN_RESUMED, RUN_FINISHED = "run_started", "run_resumed", "run_finished"

#: Kinds whose rows say everything about one thing: of a slice's rows with an id the last counts.
SUPERSEDED = frozenset({"order", "position", "card"})

_STRUCTURED: dict[str, tuple[type[Any], Callable[[Source, Any], list[Change]]]] = {
    "order": (_Order, _order),
    "fill": (_Fill, _filled),
    "position": (_Positioned, _positioned),
    "difference": (_Difference, _differed),
}
_LOOSE: dict[str, Callable[[Source, Body], list[Change]]] = {
    RUN_STARTED: _session,
    RUN_RESUMED: _session,
    RUN_FINISHED: _session,
    "plan": _planned,
    "rebalance": _planned,
    "card": _card,
    "state": _state,
    "level": _level,
}
PROJECTORS = {
    **{
        kind: Projector(msgspec.json.Decoder(shape).decode, changes)
        for kind, (shape, changes) in _STRUCTURED.items()
    },
    **{kind: Projector(decode_body, changes) for kind, changes in _LOOSE.items()},
}
