"""Colours that can be read, NO_COLOR, and a start that imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tests.tui.eyes import contrast
from tradeterm.tui import figures
from tradeterm.tui.ink import PALETTES, Palette
from tradeterm.tui.printable import PlainFilter

WORDS = ("text", "quiet", "up", "down", "warn", "error", "accent")


@pytest.mark.parametrize("palette", PALETTES, ids=lambda each: each.name)
@pytest.mark.parametrize("role", WORDS)
@pytest.mark.parametrize("ground", ["ground", "cursor"])
def test_every_word_has_contrast(palette: Palette, role: str, ground: str) -> None:
    assert contrast(getattr(palette, role), getattr(palette, ground)) >= 4.5


def test_no_color_leaves_weight_and_reverse_only() -> None:
    styled = [
        Segment("a", Style(color="#ff0000", bgcolor="#00ff00", bold=True)),
        Segment("b", Style(color="#ff0000", meta={"raised": True})),
    ]
    plain = PlainFilter().apply(styled, Color(0, 0, 0))
    assert [each.style.color for each in plain if each.style] == [None, None]
    assert [bool(each.style.reverse) for each in plain if each.style] == [False, True]
    assert plain[0].style is not None
    assert plain[0].style.bold


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    code = (
        "import sys, tradeterm.tui.app; "
        "print([name for name in ('pydantic', 'numpy', 'yaml', 'ccxt', 'litellm', 'pyarrow', "
        "'talib', 'aiosqlite', 'tradeterm.settings', 'tradeterm.desk') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_figures_read_well() -> None:
    assert figures.price(Decimal("65014.3"), Decimal("0.1")) == "65,014.3"
    assert figures.price(0.00000831, Decimal("0.00000001")) == "0.00000831"
    assert figures.price(float("nan")) == "?"
    assert figures.size(Decimal("0.42")) == "0.4200"
    assert figures.size(Decimal("3100")) == "3,100.0"
    assert [
        figures.size(Decimal(each)) for each in ("956.68945498", "99.68945498", "0.03266639")
    ] == ["956.6895", "99.68945", "0.032666"]
    assert figures.signed(Decimal("-0.001")) == "0.00"
    assert [figures.age(each) for each in (None, 0.23, 14, 185, 7620)] == [
        "–",
        "0.2s",
        "14s",
        "3m05",
        "2h07",
    ]
    assert figures.countdown(41 * 10**9, 0) == "0:41"
    assert [figures.speed(each) for each in (0, 60.0, float("inf"))] == ["stopped", "60×", "max"]
