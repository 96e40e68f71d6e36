"""What the operator keeps with ^s is there at the next start; a damaged file is no reason not to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tui.conftest import Console, Open
from tests.tui.pictures import busy
from tradeterm.settings.loading import load_settings
from tradeterm.showing import console_options
from tradeterm.tui.layout import Layout, keep, kept
from tradeterm.tui.options import ConsoleOptions

KEPT = Layout(
    pane="events",
    zoomed=True,
    sizes={"chart": 4},
    symbol="XRP/USDT",
    follows=False,
    timeframe=300,
    grouping=5,
    indicators=False,
    closes=True,
    theme="paper",
    over="dusk",
    filters={"events": "xrp"},
    errors_only=True,
)


async def begun(desk: Console, path: Path, theme: str = "dusk") -> str:
    """A start whose settings have just been read."""
    desk.session.options = ConsoleOptions(layout=path, theme=theme)
    desk.app._options_given = False
    return await desk.look()


async def test_what_was_kept_is_there_at_the_next_start(console: Open, tmp_path: Path) -> None:
    path = tmp_path / "state" / "layout.json"
    async with console() as desk:
        await begun(desk, path)
        await desk.press("greater_than_sign", "right_square_bracket", "i", "4", "c", "s")
        await desk.press("full_stop", "full_stop", "t", "j", "enter")
        await desk.press("vertical_line", "vertical_line", "5", "e", "slash", *"xrp", "enter", "z")
        assert "layout kept for the next start: events, XRP/USDT 5m" in await desk.press("ctrl+s")
        theme = desk.app.ink.palette.name
    async with console() as desk:
        text = await begun(desk, path)
        assert "Events · errors and warnings only (" in text
        assert "“xrp”" in text
        assert "Safety" not in text, "zoomed"
        assert desk.app.focused is desk.app.deck.events
        text = await desk.press("escape")
        assert dict(desk.app.deck.wish.sizes) == {"chart": 4}
        assert "Chart XRP/USDT 5m · line · stays" in text
        assert "Book XRP/USDT ×5 stays" in text
        assert desk.app.ink.palette.name == theme != "dusk"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"\x00\xff",
        b"[" * 100_000,
        b'{"version": 1}',
        b"[]" + b" " * 70_000,
    ],
)
async def test_a_damaged_file_is_said_and_left(
    console: Open, tmp_path: Path, damaged: bytes
) -> None:
    path = tmp_path / "layout.json"
    path.write_bytes(damaged)
    async with console() as desk:
        text = await begun(desk, path)
        assert "is not used" in text.splitlines()[-2]
        assert "1 Positions (3)" in text
        assert path.read_bytes() == damaged
        assert "layout kept" in await desk.press("ctrl+s")
        assert kept(path) is not None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 9}, "version 9, this program writes 1"),
        ({"pane": "\x1b]0;x\x07"}, "there is no pane"),
        ({"filters": {"nowhere": "x"}}, "there is no pane"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    tmp_path: Path, change: dict[str, object], why: str
) -> None:
    import msgspec

    path = tmp_path / "layout.json"
    keep(path, msgspec.structs.replace(KEPT, **change))
    with pytest.raises(ValueError, match=why) as told:
        kept(path)
    assert "\x1b" not in str(told.value)


def test_a_filter_from_the_file_is_cleaned_and_short(tmp_path: Path) -> None:
    import msgspec

    path = tmp_path / "layout.json"
    keep(path, msgspec.structs.replace(KEPT, filters={"events": "\x1b[2J" + "x" * 99}))
    found = kept(path)
    assert found is not None
    assert found.filters["events"] == ("[2J" + "x" * 99)[:40]


async def test_a_symbol_and_timeframe_that_are_gone_are_not_insisted_on(
    console: Open, tmp_path: Path
) -> None:
    import msgspec

    path = tmp_path / "layout.json"
    keep(path, msgspec.structs.replace(KEPT, symbol="GONE/USDT", timeframe=7, grouping=3))
    async with console() as desk:
        await begun(desk, path)
        text = await desk.look(busy(5))
        assert "GONE" not in text
        assert desk.app.choice.symbol == "BTC/USDT"
        assert desk.app.choice.timeframe == 60
        assert desk.app.choice.grouping == 1


async def test_another_configured_theme_wins_over_the_kept_one(
    console: Open, tmp_path: Path
) -> None:
    path = tmp_path / "layout.json"
    keep(path, KEPT)
    async with console() as desk:
        await begun(desk, path, theme="contrast")
        assert desk.app.ink.palette.name == "contrast"


async def test_a_layout_that_cannot_be_written_says_so(console: Open, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with console() as desk:
        await begun(desk, tmp_path / "file" / "layout.json")
        assert "the layout is not kept" in await desk.press("ctrl+s")


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "layout.json"
    keep(path, KEPT)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", _fails)
    with pytest.raises(OSError, match="no space"):
        keep(path, KEPT)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["layout.json"]


def _fails(self: Path, target: Path) -> Path:
    raise OSError(28, "no space left")


async def test_nothing_is_remembered_when_the_settings_say_so(
    console: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADETERM_LOG_DIR", str(tmp_path))
    told = load_settings(None, ("console.remember_layout=false",)).settings.console
    assert console_options(told).layout is None
    assert console_options(load_settings(None, ()).settings.console).layout is not None
    async with console() as desk:
        text = await desk.press("ctrl+s")
        assert "^s: not possible now" in text
        assert "console.remember_layout" in text
