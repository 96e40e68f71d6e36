"""The chart: which regime it was under each bar, and words that no candle hides."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.tui.conftest import Open
from tests.tui.pictures import NOW, busy
from tradeterm.engine.view import RegimeSpell
from tradeterm.model.timing import SECOND
from tradeterm.tui.ink import Line
from tradeterm.tui.panes.chart import Drawing, draw
from tradeterm.tui.panes.overlays import Level, regime_band

MINUTE = 60 * SECOND


def band(*spells: RegimeSpell, bars: int) -> str:
    """What stands under bars that close at minute 1, 2, 3 …"""
    return "".join(
        mark.glyph for mark in regime_band(spells, [n * MINUTE for n in range(1, bars + 1)])
    )


def spell(regime: str, since: float, until: float) -> RegimeSpell:
    return RegimeSpell(regime, int(since * MINUTE), int(until * MINUTE))


def test_a_stretch_begins_with_its_name_and_ends_where_the_next_begins() -> None:
    spells = (spell("ranging", 1, 30), spell("trending_bull", 10, 16))
    assert band(*spells, bars=16) == "ranging──" + "bull───"


def test_nothing_is_claimed_of_times_nobody_spoke_of() -> None:
    spells = (spell("choppy", 3, 6), spell("volatile_bear", 9, 99))
    assert band(*spells, bars=12) == "  " + "cho─" + "  " + "vol─"
    assert band(bars=3) == "   "


def test_a_regime_of_one_bar_is_one_letter() -> None:
    spells = (spell("ranging", 1, 9), spell("choppy", 2, 9), spell("ranging", 3, 9))
    assert band(*spells, bars=5) == "rcra─"


def test_one_the_screen_has_no_short_name_for_keeps_its_own() -> None:
    assert band(spell("sideways", 1, 99), bars=12) == "sideways────"


def words(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def drawing(closes: list[float], *levels: Level) -> Drawing:
    bars = [
        ((n + 1) * MINUTE, close, close + 1, close - 1, close, 1.0)
        for n, close in enumerate(closes)
    ]
    return Drawing(bars, 60, None, levels=list(levels), now=len(bars) * MINUTE)


def test_the_words_of_a_level_stand_before_the_candles() -> None:
    shown = words(draw(drawing([100.0 + n % 3 for n in range(60)], Level("stop", 101.0, "down")),
                       72, 14))  # fmt: skip
    (line,) = [each for each in shown if "stop" in each]
    assert "stop 101.0 " in line
    assert set("█▄▀│╵╷") & set(line.partition("stop 101.0 ")[2]), "behind them candles go on"


def test_the_band_gives_way_where_there_is_no_room() -> None:
    told = drawing([100.0, 101.0])._replace(regimes=(spell("ranging", 0, 9),))
    assert any("regime" in line for line in words(draw(told, 60, 8)))
    assert not any("regime" in line for line in words(draw(told, 60, 7)))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 50), (200, 60)])
async def test_the_regimes_stand_under_the_candles_until_i(
    console: Open, size: tuple[int, int]
) -> None:
    spells = (
        RegimeSpell("ranging", NOW - 90 * MINUTE, NOW),
        RegimeSpell("trending_bear", NOW - 30 * MINUTE, NOW + MINUTE),
    )
    async with console(*size, replace(busy(), regimes={"BTC/USDT": spells})) as desk:
        text = await desk.press("4")
        (line,) = [each for each in text.splitlines() if "regime │" in each]
        assert "rang" in line
        assert "bear──────" in line
        assert "regime │" not in await desk.press("i")
        assert "regime │" not in await desk.press("i", "greater_than_sign"), "nobody spoke of it"
