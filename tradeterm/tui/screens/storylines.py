"""A trade's story line by line: an order's life, fills, verdicts, and what was said before."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tradeterm.tui import figures
from tradeterm.tui.ink import BLANK, Line, clip, fit, wrap
from tradeterm.tui.panes.columns import Column, heads, row

_FILLS = (
    Column("TIME", 10, "<"),
    Column("ORDER", 10, "<"),
    Column("SIDE", 5, "<", 3),
    Column("SIZE", 12, ">"),
    Column("PRICE", 12, ">"),
    Column("FEE", 14, ">", 1),
    Column("AS", 6, "<", 2),
    Column("EVIDENCE", 12, "<", 4),
)
#: Roles of what a rule came to.
_OUTCOMES = {"fail": "error", "reduced": "warn"}


def head(title: str) -> list[Line]:
    """A title with air above it."""
    return [BLANK, ((title, "accent+bold"),)]


def steps(order: dict[str, Any], width: int) -> list[Line]:
    """An order and every status it had, with its time."""
    price = figures.price(None if order["price"] is None else Decimal(order["price"]))
    kind = f"{order['type']} for {order['purpose']}".replace("_", " ")
    size = figures.size(Decimal(order["size"]))
    title = f"{order['id']} {order['side']} {size} {kind}, price {price}"
    lines: list[Line] = [((clip(title, width), "text+bold"),)]
    before = None
    for step in order["steps"]:
        filled = figures.size(Decimal(step["filled"]))
        facts = (step["status"].replace("_", " "), filled, step["text"])
        if facts == before:
            continue
        before = facts
        told = f"filled {filled}" + (f", {step['text']}" if step["text"] else "")
        lines.append(
            (
                (f"  {figures.clock(step['ts'])}Z ", "quiet"),
                (fit(facts[0], 17), "text"),
                (clip(told, max(8, width - 29)), "quiet"),
            )
        )
    return lines


def fills(found: Sequence[dict[str, Any]], width: int) -> list[Line]:
    """A fill a line, with what it is believed on."""
    if not found:
        return [(("none yet", "quiet"),)]
    lines = [heads(_FILLS, width)]
    for one in found:
        told = (
            f"{figures.clock(one['ts'])}Z", one["order_id"], one["side"],
            figures.size(Decimal(one["size"])), figures.price(Decimal(one["price"])),
            f"{figures.money(Decimal(one['fee']))} {one['fee_asset']}", one["liquidity"],
            one["evidence"].replace("_", " "),
        )  # fmt: skip
        lines.append(row(_FILLS, [(cell, "text") for cell in told], width))
    return lines


def evidence(story: dict[str, Any], width: int) -> list[Line]:
    """What agents said and who decided, in the order it happened."""
    lines: list[Line] = []
    for one in story["evidence"]:
        sure = one["confidence"]
        who = figures.agent(one["agent"]) + ("" if sure is None else f" {sure:.2f}")
        lines += _hanging(f"{figures.clock(one['ts'])}Z {who} ({one['by']})", one["text"], width)
    for one in story["decided"]:
        lines += _hanging(f"{figures.clock(one['ts'])}Z {one['id']}", one["text"], width)
    return lines or [(("nobody proposed it: it follows from a command or a plan", "quiet"),)]


def _hanging(title: str, text: str, width: int) -> list[Line]:
    """What was said looks like quotation, below who said it."""
    told: list[Line] = [((f"  │ {part}", "quiet"),) for part in wrap(text, width - 4)]
    return [((clip(title, width), "text"),), *told]


def verdicts(found: Sequence[dict[str, Any]], width: int) -> list[Line]:
    """What risk said, with every rule that cut or refused."""
    lines: list[Line] = []
    for one in found:
        rules = one["rules"]
        passed = sum(rule["outcome"] == "pass" for rule in rules)
        codes = f" ({', '.join(one['codes'])})" if one["codes"] else ""
        title = f"{figures.clock(one['ts'])}Z {one['id']} {one['status']}{codes}"
        lines.append(((clip(title, width), "text"),))
        lines.append(((f"  {passed} of {len(rules)} rules passed as asked", "quiet"),))
        for rule in rules:
            if rule["outcome"] != "pass":
                told = f"  {rule['rule']}: {rule['value']}, limit {rule['limit']}"
                role = _OUTCOMES.get(rule["outcome"], "text")
                lines.append(((clip(told, width - 10), "text"), (f" {rule['outcome']}", role)))
    return lines
