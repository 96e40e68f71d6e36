"""Hostile headlines, exchange messages and models on a real terminal: the bytes that arrive."""

from __future__ import annotations

import re
from itertools import cycle
from pathlib import Path

import pytest

from tests.adapters.model_clerk import clerk
from tests.adapters.model_server import ModelServer
from tests.injections import CORPUS, DEMANDS
from tests.terminal.conftest import Start
from tests.wired.stage import Stage
from tests.wired.test_injections import READING, hostile, models

pytestmark = [pytest.mark.terminal, pytest.mark.slow]

#: What no text may bring to a terminal, and what the corpus would bring.
FORBIDDEN = (
    b"\x1b]52", b"\x1b]0;owned", b"\x1b]8;;file", b"\x1b[2J\x1b[H\x1b[31m", b"\x00",
    *(char.encode() for char in "\x9b\u202e\u2066\u200b\U000e0041\ufeff"),
)  # fmt: skip


def test_three_hundred_texts_reach_the_terminal_as_letters_only(
    start: Start, tmp_path: Path
) -> None:
    """Headlines, notices and the model's reasoning, in the panes, the card and its pages."""
    stage, texts = Stage(tmp_path), [text for _, text in CORPUS]
    hostile(stage, texts)
    words = cycle(texts[::-1])
    with ModelServer.running(clerk(lambda: next(words)[:300])) as server:
        overrides = (*stage.overrides, *models(server), *READING)
        terminal = start(
            "--feed", f"replay:{stage.tape.write()}", "--speed", "240",
            *(part for text in overrides for part in ("--set", text)), size=(160, 50),
        )  # fmt: skip
        terminal.until(lambda: len(terminal.rows("agent_answer")) >= 3, 60)
        for pane in "1234567":
            terminal.press(pane, "\r")
            terminal.watch(0.4)
            terminal.press("\x1b")
            terminal.watch(0.2)
        terminal.until(lambda: terminal.rows("card"), 60)
        terminal.press("1", "\r")
        terminal.watch(1.0)
    shown = bytes(terminal.raw)
    assert [bad for bad in FORBIDDEN if bad in shown] == []
    own = re.sub(rb"\x1b\]22;[a-z]*\x07", b"", shown)  # Textual sets the mouse pointer
    assert b"\x07" not in own
    # Every sequence on the wire is one that Textual writes: none was carried in by a text.
    assert set(re.findall(rb"\x1b(.)", own)) <= {b"[", b"P", b"_", b"(", b"7", b"8", b">", b"="}
    # And the texts were there: the card quotes one, pages and panes show others.
    letters = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown).decode("utf-8", "replace")
    seen = [text for text in DEMANDS if text[:16] in letters]
    assert len(seen) > 3, seen
