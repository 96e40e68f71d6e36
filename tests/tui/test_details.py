"""What enter opens: a position, an order and the book in full, from the picture and the record."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.shell import tradeterm
from tests.tui.conftest import Console, Open
from tests.tui.pictures import book, busy, order
from tradeterm.adapters.store.reader import Reader
from tradeterm.engine.view import PositionView
from tradeterm.lab.trade import trade_story
from tradeterm.listing import write_csv


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of the simulated market, every card approved."""
    home = tmp_path_factory.mktemp("traded")
    words = ("run", "--headless", "--seed", "7", "--until", "1h", "--approve", "all")
    assert tradeterm(*words, "--db", home / "run.db", home=home).code == 0
    return home / "run.db"


async def story(desk: Console) -> str:
    """The whole page, once its story is there."""
    await desk.until(lambda: "reading the book" not in desk.text)
    return desk.app.screen.pane.text()  # type: ignore[attr-defined, no-any-return]


def first(traded: Path) -> tuple[dict[str, str], PositionView]:
    """The run's first position, in the record and as the picture would have it."""
    with Reader(traded) as reader:
        found = min(reader.positions(everything=True), key=lambda each: each["opened"])
    shown = replace(
        busy().positions[0],
        id=found["id"],
        symbol=found["symbol"],
        realised=Decimal("1.50"),
        unrealised=Decimal("-4.00"),
        fees=Decimal("2.25"),
        carry=Decimal("0.25"),
    )
    return found, shown


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_position_tells_its_whole_life(
    console: Open, traded: Path, size: tuple[int, int]
) -> None:
    found, position = first(traded)
    async with console(*size, replace(busy(), positions=(position,))) as desk:
        desk.session.store = traded
        await desk.press("1", "enter")
        text = await story(desk)
    assert "panel failed" not in text
    assert f"{position.symbol} {position.id}" in text
    assert {"s" * 20, "t" * 20} <= set(re.findall(r"s{20}|t{20}", text)), "stop and target lines"
    # Price −4.00 + 1.50, less 2.25 of fees and 0.25 of rollover.
    for line in (r"price +-2\.50", r"fees +-2\.25", r"rollover +-0\.25", r"net +-5\.00 USDT"):
        assert re.search(line, text), line
    assert re.search(r"language models +0\.00", text), "rules answered: nothing was paid"
    entry = found["order_id"]
    assert re.search(rf"{entry} .* for entry", text)
    assert re.search(r"market .*for entry|limit .*for entry", text)
    assert re.search(r"\d\d:\d\d:\d\dZ filled +filled 0\.\d+", text)
    assert "Why it was entered" in text
    assert re.search(r"TA 0\.\d\d \(RULES\)", text)
    assert re.search(r"verdict-\d+ (approved|modified)", text)


async def test_an_order_tells_every_status_its_fills_and_its_verdict(
    console: Open, traded: Path
) -> None:
    found, _ = first(traded)
    placed = replace(order(1, found["symbol"], "buy", "market", "entry", "filled", None),
                     id=found["order_id"])  # fmt: skip
    async with console(120, 40, replace(busy(), orders=(placed,))) as desk:
        desk.session.store = traded
        await desk.press("7", "enter")
        text = await story(desk)
        statuses = re.findall(r"Z (pending|open|partially filled|filled) ", text)
        assert statuses[0] == "pending"
        assert statuses[-1] == "filled"
        assert "book walk" in text
        assert re.search(r"\d+ of \d+ rules passed as asked", text)
        assert "after 30 s" in text


async def test_an_order_the_record_does_not_know_says_so_below_its_facts(
    console: Open, traded: Path
) -> None:
    async with console(120, 40) as desk:
        desk.session.store = traded
        await desk.press("7", "enter")
        text = await story(desk)
    assert "63,900.0" in text
    assert "has the id 'ord-4'" in text


async def test_the_book_in_figures_marks_own_orders(console: Open) -> None:
    picture = replace(book("BTC/USDT", 100.0, "0.1", 1.0), bids=((99.0, 3.0), (98.0, 1.0)),
                      asks=((101.0, 1.0), (103.0, 1.0)))  # fmt: skip
    mine = replace(order(9, "BTC/USDT", "buy", "limit", "entry", "open", "98.0"), limit=Decimal(98))
    async with console(
        120, 60, replace(busy(), books={"BTC/USDT": picture}, orders=(mine,))
    ) as desk:
        await desk.press("3", "enter")
        text = await story(desk)
    # Middle 100: spread 2 is 20 ticks and 200 bp; (3 − 1) / (3 + 1) at the best level.
    assert "spread 2.0, 20 ticks, 200.00 bp" in text
    assert "imbalance of 1 +0.50" in text
    assert re.search(r"imbalance of 5 \+0\.33", text), "(4 − 2) / (4 + 2)"
    assert re.search(r"1 % +3\.000 +1\.000", text), "99 and 101 lie 1 % away; 98 and 103 beyond"
    assert re.search(r"98\.0 +1\.000  ◂ yours: ord-9", text)
    assert "ord-9 buy 0.4200 limit for entry at 98.0" in text


def test_what_models_cost_is_summed_over_the_answers(traded: Path) -> None:
    with Reader(traded) as reader:
        told = trade_story(reader, first(traded)[0]["id"])
    assert told["models"] == "0"
    assert told["time_exit"] == 172800


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A1", "'=cmd|' /C calc'!A1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-2+3", "'-2+3"),
        ("-2.50", "-2.50"),
        ("1E-8", "1E-8"),
        ("a\nb", "a b"),
        ("\x1b[31m", "·[31m"),
    ],
)
def test_a_spreadsheet_finds_no_formula_in_an_export(
    text: str, cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv("-", ("reason",), [{"reason": text}], Path("run.db"))
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["reason"], [cell]]
