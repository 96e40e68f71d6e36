"""The what-if key and the risk page: what is asked, what is shown, and that nothing is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.tui.conftest import Open
from tests.tui.pictures import NOW, busy
from tradeterm.engine.riskview import BreakerView, CooldownView, LimitView, RiskView, VerdictView
from tradeterm.errors import UsageError
from tradeterm.model.commands import ResetBreaker
from tradeterm.model.timing import SECOND
from tradeterm.tui.screens.whatif import parsed

VERDICT: dict[str, Any] = {
    "status": "modified", "codes": ["position_size"], "size": "0.04", "leverage": "3",
    "stop": "64000", "market_time": "2025-06-02T14:02:07.000Z",
    "rules": [
        {"rule": "position_size", "code": "position_size", "value": "20.0000", "limit": "<= 20",
         "outcome": "reduced"},
        {"rule": "collar", "code": "price_collar", "value": "0.0100", "limit": "<= 1.0",
         "outcome": "pass"},
    ],
}  # fmt: skip


async def test_w_asks_about_an_order_and_sends_none(console: Open) -> None:
    async with console() as desk:
        assert "what if, BTC/USDT" in await desk.press("w")
        text = await desk.press(*"long 0.1 stop 64000 x3", "enter")
        assert [json.loads(each) for each in desk.session.questions] == [
            {"symbol": "BTC/USDT", "side": "long", "size": "0.1", "stop": "64000", "leverage": "3"}
        ]
        assert "asking the engine" in text
        desk.session.answer.set_result(VERDICT)
        text = await desk.look(busy())
        assert "MODIFIED: position size" in text
        assert "size 0.04, leverage 3, stop 64000" in text
        assert "Nothing was sent and nothing changed." in text
        assert "collar" in text
        assert "20.0000 %" in text
        assert "<= 1.0 %" in text
        assert desk.session.commands == []


async def test_a_question_that_fails_says_why(console: Open) -> None:
    async with console() as desk:
        await desk.press("w", *"short 1", "enter")
        desk.session.answer.set_exception(UsageError("no such thing"))
        assert "no such thing" in await desk.look(busy())


async def test_what_makes_no_sense_is_not_asked(console: Open) -> None:
    async with console() as desk:
        for nonsense in ("up 1", "long much", "long stop"):
            assert "write for example" in await desk.press("w", *nonsense, "enter"), nonsense
        assert desk.session.questions == []


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("long", {"symbol": "A/B", "side": "long"}),
        ("SHORT 1,000", {"symbol": "A/B", "side": "short", "size": "1000"}),
        ("xrp/usdt long 5 entry 0.5 target 1 confidence 0.7",
         {"symbol": "XRP/USDT", "side": "long", "size": "5", "entry": "0.5", "target": "1",
          "confidence": "0.7"}),
    ],
)  # fmt: skip
def test_an_order_is_read_as_it_is_spoken(text: str, asked: dict[str, str]) -> None:
    assert json.loads(parsed(text, "A/B")) == asked


async def test_a_breaker_is_reset_with_a_reason_only(console: Open) -> None:
    async with console() as desk:
        assert "not possible now" in await desk.press("B")
        await desk.look(replace(busy(), version=busy().version + 1, risk=RISK))
        assert "reset breaker weekly, because: " in await desk.press("B")
        assert "nothing was sent" in await desk.press("enter")
        await desk.press("B", *"looked", "enter")
        assert desk.session.commands == [ResetBreaker(breaker="weekly", reason="looked")]


RISK = RiskView(
    limits=(LimitView("daily loss", 4.2, 5.0, "%"), LimitView("exposure", 81.0, 80.0, "%")),
    breakers=(
        BreakerView("daily", 4.2, 5.0, "%", "pause", None),
        BreakerView("weekly", 10.4, 10.0, "%", "positions cut by half", NOW),
    ),
    cooldowns=(CooldownView("loss", "*", NOW + 90 * SECOND),),
    blocked=(("*", "breaker weekly waits"), ("XRP/USDT", "data is stale")),
    verdicts=(VerdictView("verdict-7", NOW, "BTC/USDT", "long", "halted", ("breaker", "paused")),),
)


async def test_what_blocks_entries_never_contradicts_its_heading(console: Open) -> None:
    one = replace(RISK, blocked=(("XRP/USDT", "data is stale"),))
    free = replace(RISK, blocked=())
    async with console() as desk:
        await desk.press("8", "enter")
        for n, (risk, said, unsaid) in enumerate((
            (RISK, "No entry is possible", "nothing blocks"),
            (one, "No entry is possible on", "nothing blocks"),
            (free, "nothing blocks them now", "No entry is possible"),
        )):  # fmt: skip
            text = await desk.look(replace(busy(), version=busy().version + 1 + n, risk=risk))
            assert said in text
            assert unsaid not in text


async def test_enter_on_the_safety_pane_shows_all_of_risk(console: Open) -> None:
    async with console() as desk:
        await desk.look(replace(busy(), version=busy().version + 1, risk=RISK))
        text = await desk.press("8", "enter")
        for part in (
            "4.2 / 5 %", "0.8 % away", "TRIPPED at 2025-06-02 14:02:07Z", "positions cut by half", "OVER",
            "breaker weekly waits", "data is stale", "1:30 left", "halted", "breaker, paused",
        ):  # fmt: skip
            assert part in text, part
