"""A terminal that shows ASCII only: noticed by itself, obeyed by every pane, width for width."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import tradeterm
from tests.terminal.conftest import Start, home, start
from tests.tui.conftest import Open
from tests.tui.pictures import busy
from tradeterm.tui.glyphs import ascii_terminal, in_ascii
from tradeterm.tui.options import ConsoleOptions
from tradeterm.tui.printable import printable

__all__ = ["home", "start"]
SCREEN = Path(tradeterm.__file__).parent / "tui"
UTF8 = {"LANG": "de_DE.UTF-8", "TERM": "xterm-256color"}


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_busy_desk_in_ascii(
    console: Open, golden: Callable[[str, str], None], size: tuple[int, int]
) -> None:
    async with console(*size) as desk:
        unicode = desk.text
        desk.app.use_looks(ConsoleOptions(glyphs="ascii"))
        text = await desk.look(busy(2))
        golden(f"ascii-{size[0]}x{size[1]}", text)
        assert text.isascii()
        assert [cell_len(line) for line in text.splitlines()] == [
            cell_len(line) for line in unicode.splitlines()
        ]


@pytest.mark.parametrize("keys", ["question_mark", "t", "ctrl+p", "q"])
async def test_no_page_question_or_palette_shows_more(console: Open, keys: str) -> None:
    async with console() as desk:
        desk.app.use_looks(ConsoleOptions(glyphs="ascii"))
        assert (await desk.press(keys)).isascii()


def _signs() -> Iterator[str]:
    """Every sign beyond ASCII in a string (not a docstring) of the screen's own code."""
    for path in SCREEN.rglob("*.py"):
        if path.name != "glyphs.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from (char for char in node.value if not char.isascii())


def test_every_sign_the_screen_draws_has_an_ascii_one() -> None:
    drawn = {char for char in _signs() if printable(char)}
    assert len(drawn) > 30, "no signs found"
    assert [char for char in sorted(drawn) if "?" in in_ascii(char)] == []


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_nothing_but_ascii_leaves_and_nothing_shifts(text: str) -> None:
    written = in_ascii(text)
    assert written.isascii()
    assert len(written) == sum(max(cell_len(char), int(char.isascii())) for char in text)


@pytest.mark.parametrize(
    ("environ", "poor"),
    [
        (UTF8, False),
        ({"TERM": "xterm"}, False),  # nothing is said of the locale
        ({"TERM": "xterm", "LANG": "C"}, True),
        ({"TERM": "xterm", "LANG": "POSIX"}, True),
        ({"TERM": "xterm", "LANG": "de_DE.ISO-8859-1"}, True),
        ({"TERM": "xterm", "LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),  # Python's own coercion
        ({"TERM": "xterm", "LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, False),
        ({"TERM": "xterm", "LANG": "C.UTF-8", "LC_ALL": "C"}, True),
        ({"TERM": "xterm", "LANG": "C", "LC_ALL": "C.utf8"}, False),
        ({"TERM": "vt100", "LANG": "C.UTF-8"}, True),
        ({"TERM": "linux", "LANG": "C.UTF-8"}, True),
    ],
)
def test_the_terminal_says_what_it_can_show(environ: Mapping[str, str], poor: bool) -> None:
    assert ascii_terminal(environ) is poor


@pytest.mark.terminal
@pytest.mark.parametrize(
    ("words", "env"),
    [((), {"LANG": "C"}), (("--ascii",), {})],
    ids=["locale", "option"],
)
def test_a_console_on_such_a_terminal_sends_ascii(
    start: Start, words: tuple[str, ...], env: dict[str, str]
) -> None:
    terminal = start("--seed", "7", *words, env=env)
    terminal.until("+= 1 Positions")
    terminal.until("| RUNNING |")
    assert bytes(terminal.raw).isascii()
