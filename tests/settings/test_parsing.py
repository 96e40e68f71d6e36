"""The YAML subset never runs code, never fails in another way, and keeps what was written."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeterm.settings.loading import packaged_dir
from tradeterm.settings.parsing import Branch, Leaf, Problem, interpret, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", Decimal(3)), ("-0.50", Decimal("-0.50")), ("1e-3", Decimal("0.001")),
        ("true", True), ("false", False), ("null", None), ("~", None), ("", None),
        ("NO", "NO"), ("True", "True"), ("0777", "0777"), ("0x1F", "0x1F"), ("1_000", "1_000"),
        ("12:30:45", "12:30:45"), (".nan", ".nan"), ("2025-06-02", "2025-06-02"), ("+1", "+1"),
        ("1.", "1."), (".5", ".5"), ("9" * 41, "9" * 41), ("1e999", "1e999"), ("٣", "٣"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert interpret(text) == value
    assert type(interpret(text)) is type(value)


@given(st.text(max_size=200))
def test_any_text_gives_a_tree_or_a_problem(text: str) -> None:
    problems: list[Problem] = []
    node = parse(text, "line {}".format, problems.append)
    assert node is None or isinstance(node, object)
    assert all(str(problem) for problem in problems)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        st.decimals(
            allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9
        ),
    )
)
def test_numbers_survive_exactly(values: dict[str, Decimal]) -> None:
    values = {f"k_{name}": value for name, value in values.items()}
    text = "".join(f"{name}: {value:f}\n" for name, value in values.items())
    problems: list[Problem] = []
    node = parse(text, "line {}".format, problems.append)
    assert not problems
    read = node.items if isinstance(node, Branch) else {}
    assert {n: leaf.value for n, leaf in read.items() if isinstance(leaf, Leaf)} == values


@pytest.mark.parametrize("file", sorted(packaged_dir().glob("*.yaml")), ids=lambda file: file.stem)
def test_both_readers_of_yaml_say_the_same(file: Path) -> None:
    """A byte order mark leaves a text to the slower one, which decides what is a mistake."""
    text, told = file.read_text(encoding="utf-8"), list[Problem]()
    quick, slow = (parse(each, str, told.append, file.stem) for each in (text, f"\ufeff{text}"))
    assert isinstance(quick, Branch)
    assert (quick, told) == (slow, [])
