"""What if: a typed order that nobody sends, and what risk would say of it now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future
from decimal import Decimal, InvalidOperation
from typing import Any

from tradeterm.engine.view import ConsoleView
from tradeterm.model.units import with_unit
from tradeterm.tui.ink import BLANK, Line, clip, fit, wrap
from tradeterm.tui.screens.text import Builder

EXAMPLE = "long 0.1 stop 64000 target 70000 x3"
_WORDS = ("stop", "target", "entry", "confidence")
_ROLES = {"pass": "text", "reduced": "warn", "fail": "error"}


def parsed(text: str, symbol: str) -> str:
    """The question in JSON; ValueError says in words what is wrong with the text."""
    words = text.replace(",", "").split()
    if words and "/" in words[0]:
        symbol = words.pop(0).upper()
    if not words or words[0].lower() not in {"long", "short"}:
        raise ValueError(f"write for example: {EXAMPLE}")
    asked: dict[str, str] = {"symbol": symbol, "side": words.pop(0).lower()}
    while words:
        word = words.pop(0).lower()
        if word in _WORDS:
            asked[word] = _number(words.pop(0) if words else "")
        elif word.startswith("x"):
            asked["leverage"] = _number(word[1:])
        else:
            asked["size"] = _number(word)
    return json.dumps(asked)


def _number(text: str) -> str:
    try:
        return str(Decimal(text))
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number; write for example: {EXAMPLE}") from None


def what_if_page(text: str, asked: str, answer: Future[dict[str, Any]]) -> Builder:
    """The verdict on the question ``asked`` (in JSON), once the engine has answered."""
    symbol = str(json.loads(asked)["symbol"])

    def build(view: ConsoleView, width: int) -> Sequence[Line]:
        head: list[Line] = [((clip(text, width), "text+bold"),), BLANK]
        if not answer.done():
            return [*head, (("asking the engine …", "quiet"),)]
        error = answer.exception()
        if error is not None:
            return [*head, *(((part, "error"),) for part in wrap(str(error), width))]
        return [*head, *verdict_lines(answer.result(), width, symbol, view.status.currency)]

    return build


def verdict_lines(
    verdict: dict[str, Any], width: int, symbol: str = "", currency: str = ""
) -> list[Line]:
    """Status, what would be sent, and every rule with its figure."""
    allowed = verdict["size"] is not None
    codes = ", ".join(code.replace("_", " ") for code in verdict["codes"])
    said = f"{verdict['status'].upper()}{': ' if codes else ''}{codes}"
    lines: list[Line] = [
        ((part, "up+bold" if allowed else "error+bold"),) for part in wrap(said, width)
    ]
    if allowed:
        sent = f"size {verdict['size']}, leverage {verdict['leverage']}, stop {verdict['stop']}"
        lines.append(((clip(sent, width), "text"),))
    lines += [(("Nothing was sent and nothing changed.", "quiet"),), BLANK]
    room = max(10, (width - 22 - 9) // 2)
    for rule in verdict["rules"]:
        role = _ROLES.get(rule["outcome"], "text")
        value, limit = (
            with_unit(rule["rule"], rule[name], symbol, currency) for name in ("value", "limit")
        )
        lines.append(
            (
                (fit(rule["rule"].replace("_", " "), 22), "quiet"),
                (fit(clip(value, room - 1), room), "text"),
                (fit(clip(limit, room - 1), room), "quiet"),
                (rule["outcome"], role),
            )
        )
    return lines
