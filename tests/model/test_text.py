"""Text from outside: nothing invisible and nothing that moves a cursor comes through."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeterm.model.text import MARK, clean

HOSTILE = {
    "escape": "a\x1b[31mb",
    "osc 52": "a\x1b]52;c;aGk=\x07b",
    "c1": "a\x9b31mb",
    "nul": "a\x00b",
    "backspace": "a\x08b",
    "delete": "a\x7fb",
    "bidi": "price \u202e001",
    "isolate": "a\u2066b",
    "zero width": "BT\u200bC",
    "joiner": "a\u2060b",
    "tag": "a\U000e0041b",
    "selector": "a\U000e0100b",
    "filler": "a\u3164b",
    "surrogate": "a\ud800b",
    "private": "a\ue000b",
    "byte order mark": "a\ufeffb",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_taken_out_leaves_a_visible_mark(text: str) -> None:
    cleaned = clean(text)
    assert MARK in cleaned
    assert cleaned.isprintable()


def test_ordinary_text_stays_what_it_is() -> None:
    for text in ("Bitcoin jumps 5 % to $70,000", "Zürich: 比特币 ₿ é [/] [@click=x]", "🚀 up"):
        assert clean(text) == text


def test_lines_become_one_and_long_text_is_cut() -> None:
    assert clean("one\r\n\ttwo\u2003three\u2028four") == f"one two three{MARK}four"
    assert clean("x" * 300) == "x" * 279 + "…"
    assert clean("x" * 280) == "x" * 280
    assert clean("word " * 9, 10) == "word word…"
    assert len(clean("e" + "\u0301" * 50)) == 5


@given(st.text(st.characters(), max_size=400), st.integers(1, 300))
def test_no_text_at_all_gets_through_unclean(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert cleaned.isprintable()
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co"} for char in cleaned)
    assert clean(cleaned, limit) == cleaned
