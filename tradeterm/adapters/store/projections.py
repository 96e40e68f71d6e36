"""What each journal row changes in the tables; the writer and ``verify`` share this."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

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


Projector = Callable[[Source, Body], list[Change]]


def project(source: Source, body: bytes) -> list[Change]:
    """The changes of one row; raises StoreError when the body lacks what its kind has."""
    try:
        return PROJECTORS[source.kind](source, decode_body(body))
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.DecodeError) as error:
        raise StoreError(
            f"journal row {source.seq} ({source.kind} {source.id}): "
            f"its body does not fit: {type(error).__name__} {error}"
        ) from error


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


#: What rows said that were written before they could say anything else.
_ADDED: Body = {"post_only": False, "carry": "0", "stop_kind": "stop", "trailing": False}


def _picker(table: str, renamed: dict[str, str], left: int) -> Callable[[Body], Values]:
    """Reads a table's columns, without key prefix ``run`` and the ``left`` last ones."""
    columns = tuple(TABLES[table].columns)[1:]
    names = [renamed.get(name, name) for name in columns[: len(columns) - left]]
    return lambda body: tuple(body[name] if name in body else _ADDED[name] for name in names)


_request = _picker("orders", {"limit_price": "limit", "trigger_price": "trigger"}, 9)
_fill = _picker("fills", {}, 1)
_position = _picker("positions", {}, 2)
_difference = _picker("differences", {}, 1)


def _order(source: Source, body: Body) -> list[Change]:
    return [
        Change(
            "orders",
            (
                source.run,
                *_request(body["request"]),
                body["verdict_id"],
                body["status"],
                body.get("unknown", ""),
                body["filled"],
                body["average"],
                body["reason"],
                body["created"],
                body["updated"],
                source.seq,
            ),
        )
    ]


def _filled(source: Source, body: Body) -> list[Change]:
    return [Change("fills", (source.run, *_fill(body), source.seq))]


def _positioned(source: Source, body: Body) -> list[Change]:
    return [
        Change(
            "positions",
            (
                source.run,
                *_position(body["position"]),
                body["what"],
                source.seq,
            ),
        )
    ]


def _entry(source: Source, body: Body) -> list[Change]:
    return [
        Change(
            "postings",
            (
                source.run,
                body["id"],
                n,
                leg["account"],
                leg["asset"],
                leg["amount"],
                body["ts"],
                body["kind"],
                body["parent"],
                source.seq,
            ),
        )
        for n, leg in enumerate(body["postings"])
    ]


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


def _differed(source: Source, body: Body) -> list[Change]:
    return [Change("differences", (source.run, *_difference(body), source.seq))]


def _conflict(source: Source, body: Body) -> list[Change]:
    return [
        Change(
            "conflicts",
            (
                source.run,
                body["id"],
                body["ts"],
                body["parent"],
                body["symbol"],
                _json(body["types"]),
                body["severity"],
                _json(body["evidence"]),
                source.seq,
            ),
        )
    ]


def _resolution(source: Source, body: Body) -> list[Change]:
    return [
        Change(
            "resolutions",
            (
                source.run,
                body["id"],
                body["ts"],
                body["parent"],
                body["action"],
                body["by"],
                body["model"],
                body["confidence"],
                body["reasoning"],
                source.seq,
            ),
        )
    ]


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

PROJECTORS: dict[str, Projector] = {
    RUN_STARTED: _session,
    RUN_RESUMED: _session,
    RUN_FINISHED: _session,
    "order": _order,
    "fill": _filled,
    "position": _positioned,
    "entry": _entry,
    "plan": _planned,
    "rebalance": _planned,
    "difference": _differed,
    "conflict": _conflict,
    "resolution": _resolution,
    "card": _card,
    "state": _state,
    "level": _level,
}
