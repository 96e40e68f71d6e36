"""One trade as the book of record has it: why it was entered, its orders and fills, its costs."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradeterm.model.money import plain
from tradeterm.model.text import clean

if TYPE_CHECKING:
    from tradeterm.adapters.store.explain import Link
    from tradeterm.adapters.store.reader import Reader

Story = dict[str, Any]

#: What somebody decided on the way, and the words for it.
_DECIDED = ("conflict", "resolution", "card")
_LONG = 600


def trade_story(reader: Reader, row_id: str) -> Story:
    """The story of a position or an order; UsageError for an id the book does not know.

    ``models`` is what the answers on the way here cost, in USD: an answer that served several
    trades counts in each.
    """
    from tradeterm.adapters.store.explain import explain
    from tradeterm.holding import settings_in_force

    links = explain(reader, row_id)
    orders = [link for link in links if link.kind == "order" and _belongs(link, row_id)]
    verdict_ids = {link.data["verdict_id"] for link in orders}
    return {
        "evidence": [_said(link) for link in links if link.kind == "agent_output"],
        "decided": [_decided(link) for link in links if link.kind in _DECIDED],
        "verdicts": [_verdict(link) for link in links if link.id in verdict_ids],
        "orders": [_order(reader, link) for link in orders],
        "fills": [_fill(link) for link in _fills(links, {link.id for link in orders})],
        "followed": [_followed(link) for link in links if link.kind == "fidelity"
                     and set(link.parents) & {order.id for order in orders}],
        "models": plain(_model_costs(links)),
        "time_exit": settings_in_force(reader).execution.time_exit,
    }  # fmt: skip


def _belongs(link: Link, row_id: str) -> bool:
    return row_id in {link.id, link.data["request"]["position_id"]}


def _said(link: Link) -> dict[str, Any]:
    output = link.data["output"]
    return {
        "ts": link.ts,
        "id": link.id,
        "agent": link.data["agent"],
        "by": link.data["by"],
        "confidence": output.get("confidence"),
        "text": clean(str(output.get("reasoning", "")), _LONG),
    }


def _decided(link: Link) -> dict[str, Any]:
    data = link.data
    if link.kind == "conflict":
        text = f"{', '.join(data['types'])}: {'; '.join(data['evidence'])}"
    elif link.kind == "resolution":
        text = f"{data['action']} by {data['by']}: {data['reasoning']}"
    else:
        text = f"{data['state']}{', ' + data['reason'] if data['reason'] else ''}"
    return {"ts": link.ts, "kind": link.kind, "id": link.id, "text": clean(text, _LONG)}


def _verdict(link: Link) -> dict[str, Any]:
    return {
        "ts": link.ts,
        "id": link.id,
        "status": link.data["status"],
        "codes": link.data["codes"],
        "rules": [
            {name: clean(str(rule[name])) for name in ("rule", "value", "limit", "outcome")}
            for rule in link.data["rules"]
        ],
    }


def _order(reader: Reader, link: Link) -> dict[str, Any]:
    request = link.data["request"]
    rows = [row for row in reader.rows_of(link.id) if row.kind == "order"]
    return {
        "id": link.id,
        "side": request["side"],
        "type": request["type"],
        "purpose": request["purpose"],
        "size": request["size"],
        "price": request["limit"] or request["trigger"],
        "steps": [
            {
                "ts": row.ts,
                "status": row.data["status"],
                "filled": row.data["filled"],
                "text": clean(row.data["reason"] or row.data["unknown"]),
            }
            for row in rows
        ],
    }


def _fills(links: Iterable[Link], orders: set[str]) -> list[Link]:
    return [link for link in links if link.kind == "fill" and link.data["order_id"] in orders]


def _fill(link: Link) -> dict[str, Any]:
    names = ("ts", "order_id", "side", "size", "price", "fee", "fee_asset", "liquidity", "evidence")
    return {"id": link.id, **{name: link.data[name] for name in names}}


def _followed(link: Link) -> dict[str, Any]:
    """Where the market went after a fill: seconds → mid."""
    samples = link.data["samples"]
    return {
        "id": link.id,
        "mid": link.data["mid"],
        "later": [[one["seconds"], one["mid"]] for one in samples if one["mid"] is not None],
    }


def _model_costs(links: Iterable[Link]) -> Decimal:
    answers = (link for link in links if link.kind in {"answer", "agent_answer"})
    tries = (one for link in answers for one in link.data.get("tries") or ())
    return sum((Decimal(str(one.get("cost", 0))) for one in tries), Decimal(0))
