"""What positions, orders and plans can be told from another shell, on a run at rest."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import Shell
from tradeterm.adapters.store.reader import Reader


@pytest.fixture
def book(six_hours: Path, tmp_path: Path) -> Path:
    """Six hours in which positions were opened and a plan begun; a copy to write to."""
    for file in six_hours.parent.glob(six_hours.name + "*"):
        if file.is_file():
            shutil.copy(file, tmp_path / file.name)
    return tmp_path / six_hours.name


def test_a_position_is_closed_in_part_protected_otherwise_and_flattened(
    shell: Shell, book: Path
) -> None:
    def said(*words: str) -> str:
        found = shell(*words, "--db", book, "--json")
        assert found.code == 0, found.out + found.err
        assert found.json["accepted"] is True
        return str(found.json["text"])

    with Reader(book) as reader:
        position = reader.positions()[0]
    name, long = position["id"], position["side"] == "long"
    size, stop = Decimal(position["size"]), Decimal(position["stop"])
    part = str((size / 2).quantize(Decimal("0.0001")))
    assert name in said("close", name, "--size", part)
    assert name in said("trailing", name, "off")
    tighter = stop * (Decimal("1.0005") if long else Decimal("0.9995"))
    assert name in said("move-stop", name, f"{tighter:.5f}")
    assert name in said("move-target", name, "none")
    with Reader(book) as reader:
        (after,) = (row for row in reader.positions() if row["id"] == name)
        assert (after["target"], after["trailing"]) == (None, 0)
        assert Decimal(after["stop"]) > stop if long else Decimal(after["stop"]) < stop
        (close,) = (row for row in reader.orders() if row["purpose"] == "exit")
        assert Decimal(close["size"]) == Decimal(part)
    assert "agree" in said("reconcile")
    assert "plan-1" in said("cancel-plan", "plan-1")
    assert shell("plans", "--all", "--db", book, "--json").json["plans"][0]["status"] == "cancelled"
    assert "halted" in said("flatten", "--yes")
    told = shell("explain", close["id"], "--db", book, "--json").json["links"]
    assert {"command", "order", "position"} <= {link["kind"] for link in told}
    assert shell("verify", "--db", book).code == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("close pos-99", "no open position 'pos-99'; there are: pos-"),
        ("move-stop pos-99 5", "no open position 'pos-99'"),
        ("cancel PAPER-9999", "no working order 'PAPER-9999'"),
        ("cancel-plan plan-9", "no open plan 'plan-9'; there are: plan-1"),
        ("adopt diff-1 --reason x", "no open difference 'diff-1'; there are: none"),
        ("close pos-1 --post-only", "--post-only needs --limit"),
        ("amend PAPER-1", "write --size, --limit or both"),
        ("flatten", "add --yes to confirm"),
    ],
)
def test_what_cannot_be_meant_exits_2_and_changes_nothing(
    shell: Shell, six_hours: Path, words: str, complaint: str
) -> None:
    before = six_hours.read_bytes()
    said = shell(*words.split(), "--db", six_hours)
    assert said.code == 2
    assert complaint in said.complaint
    assert six_hours.read_bytes() == before
