"""A model that answers every role sensibly, over HTTP, in words that a story chooses."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from tests.adapters.model_server import REQUEST, Act, ModelServer, say

NAME = "openai/test-model"


#: How each role's instructions begin.
BEGINNINGS = {
    "You read charts": "technical_analysis",
    "You name the market regime": "regime_detection",
    "You score what was written": "sentiment_analysis",
    "You decide on one trading pair": "trading_decision",
    "You time a rebalance": "portfolio_rebalance",
    "You settle a contradiction": "arbiter",
}


def everywhere(server: ModelServer, *more: str, model: str = NAME) -> tuple[str, ...]:
    """Settings under which this server answers for every role."""
    told = f"model: {model}, api_base: '{server.base}', input_price: 1, output_price: 2"
    return ("llm.provider=litellm", f"llm.every_role={{{told}}}", "llm.cooldown=0", *more)


def _texts(body: dict[str, Any]) -> tuple[str, str]:
    """Instructions and facts, in either dialect."""
    if "system" in body:
        return body["system"][0]["text"], body["messages"][0]["content"][0]["text"]
    return body["messages"][0]["content"], body["messages"][1]["content"]


def role_of(body: dict[str, Any]) -> str:
    """Whom a request speaks to."""
    instructions, _ = _texts(body)
    return next(role for text, role in BEGINNINGS.items() if instructions.startswith(text))


def facts_of(body: dict[str, Any]) -> dict[str, Any]:
    """What it tells."""
    _, text = _texts(body)
    found: dict[str, Any] = json.loads(text.removeprefix("<facts>").removesuffix("</facts>"))
    return found


def clerk(words: Callable[[], str] = lambda: "So it seems.", *, seconds: float = 0.0) -> Act:
    """Leans long, buys what is allowed, settles by proceeding."""

    async def act(writer: asyncio.StreamWriter) -> None:
        body = REQUEST.get()
        await asyncio.sleep(seconds)
        answer = {"reasoning": words(), "confidence": 0.8, **_particulars(body)}
        await say(answer)(writer)

    return act


def _particulars(body: dict[str, Any]) -> dict[str, Any]:
    match role_of(body):
        case "technical_analysis":
            return {"bias": "long", "trend_strength": 0.7, "trend_alignment": 1.0,
                    "support": 1.0, "resistance": 1e6}  # fmt: skip
        case "regime_detection":
            return {"regime": "trending_bull", "volatility": "normal"}
        case "sentiment_analysis":
            return {"score": -0.6}
        case "trading_decision":
            return _decision(facts_of(body)["allowed"])
        case "portfolio_rebalance":
            return {"timing": "now"}
    return {"action": "proceed"}


#: What a short prompt allows, in words.
_ALLOWED = re.compile(r"BUY\b.*?: price ([0-9.]+), size to ([0-9.]+)")


def _decision(allowed: dict[str, Any] | str) -> dict[str, Any]:
    if isinstance(allowed, str):
        found = _ALLOWED.search(allowed)
        told = {"price": float(found[1]), "max_size": float(found[2])} if found else {}
        allowed = {"BUY": told}
    buying = allowed.get("BUY")
    if not isinstance(buying, dict) or "max_size" not in buying:
        return {"action": "HOLD"}
    price = buying["price"]
    return {
        "action": "BUY", "stop": price * 0.98, "target": price * 1.06,
        "size": buying["max_size"] / 2, "leverage": 1.0,
    }  # fmt: skip
