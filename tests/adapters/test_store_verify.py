"""``verify`` finds what was altered, and says it first; a sound store passes."""

# ruff: noqa: ASYNC240 - these tests look at files; nobody waits for their loop
from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import tempfile
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.adapters.store_story import Story, entry, filler, order, position, run_started, trade
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.migrations import migrate
from tradeterm.adapters.store.projections import Source, project
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import Slice, decode_body
from tradeterm.adapters.store.schema import TABLES, projected_tables
from tradeterm.adapters.store.verify import verify
from tradeterm.adapters.store.writer import Writer
from tradeterm.model.messages import Row
from tradeterm.model.vocabulary import OrderStatus, Purpose, Side


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


async def write(file: Path, rows: list[Row]) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice(rows))


async def test_whole_trade_passes(file: Path) -> None:
    await write(file, trade())
    outcome = verify(file)
    assert outcome.as_dict() == {"ok": True, "rows": len(trade()), "problems": []}


async def test_two_runs_in_one_file_with_the_same_ids_pass(file: Path) -> None:
    await write(file, trade() + trade(closed=False, start=[run_started("run-2")]))
    assert verify(file).problems == []


async def test_console_may_run_meanwhile(file: Path) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice(trade()))
        assert verify(file).ok
        assert await store.append(Slice(filler(1))) == len(trade()) + 1


@pytest.mark.parametrize(("sql", "what"), [
    ("DROP INDEX journal_kind", "index journal_kind is missing"),
    ("CREATE TABLE more (x)", "table more does not belong there"),
    ("CREATE TRIGGER t AFTER INSERT ON fills BEGIN DELETE FROM fills; END",
     "trigger t does not belong there"),
    ("ALTER TABLE approvals ADD COLUMN more TEXT", "table approvals is 'CREATE TABLE approvals"),
    ("UPDATE migrations SET name = 'other' WHERE number = 1", "migration 1 is 'other'"),
    ("DELETE FROM migrations WHERE number = 1", "migration 1 is missing"),
    ("INSERT INTO migrations VALUES (0, 'before', '')", "migration 0 does not belong there"),
    ("PRAGMA user_version = 7", "user_version is '7'"),
])  # fmt: skip
async def test_a_schema_that_is_not_this_versions_is_found(file: Path, sql: str, what: str) -> None:
    await write(file, trade())
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute(sql)
        db.commit()
    problems = [x.what for x in verify(file).problems if x.where == "schema"]
    assert len(problems) == 1
    assert problems[0].startswith(what)


@pytest.mark.parametrize(("sql", "where", "what"), [
    ("UPDATE journal SET body = replace(body, '0.3', '0.2') WHERE id = 'fill-2'",
     "file", "is not what was written"),
    ("DELETE FROM journal WHERE id = 'fill-2'", "file", "is not what was written"),
    ("DELETE FROM journal WHERE kind = 'settled'", "file", "are gone"),
    ("UPDATE orders SET status = 'open' WHERE id = 'PAPER-1'",
     "table orders, key (1, 'PAPER-1')", "status is 'open', the journal says 'filled'"),
    ("UPDATE positions SET collateral = '0.01' WHERE id = 'pos-1'",
     "table positions, key (1, 'pos-1')", "collateral is '0.01', the journal says '0'"),
    ("DELETE FROM fills WHERE id = 'fill-1'",
     "table fills, key (1, 'fill-1')", "in the journal but not in the table"),
    ("INSERT INTO coordinator_state VALUES (1, 'mood', 'good', 1, '', 1)",
     "table coordinator_state, key (1, 'mood')", "is not in the journal"),
])  # fmt: skip
async def test_altered_file_is_told_by_its_first_difference(
    file: Path, sql: str, where: str, what: str
) -> None:
    await write(file, trade())
    with contextlib.closing(sqlite3.connect(file)) as db:
        assert db.execute(sql).rowcount == 1
        db.commit()
    first = verify(file).problems[0]
    assert first.where == where
    assert what in first.what


async def test_deleted_tail_is_noticed_by_the_head_file(file: Path) -> None:
    await write(file, filler(50))
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("DELETE FROM journal WHERE seq > 40")
        db.commit()
    outcome = verify(file)
    assert (outcome.ok, outcome.rows) == (False, 40)
    assert "rows 41 to 50" in outcome.problems[0].what
    assert outcome.problems[1].where == "journal end"


async def test_row_altered_far_from_the_end_is_located(file: Path) -> None:
    await write(file, filler(3000))
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE journal SET ts = ts + 1 WHERE seq = 77")
        db.commit()
    outcome = verify(file)
    assert [x.where for x in outcome.problems] == ["journal row 77"]
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE journal SET ts = ts - 1 WHERE seq = 77")
        db.execute("DELETE FROM journal WHERE seq BETWEEN 100 AND 102")
        db.commit()
    problem = verify(file).problems[0]
    assert (problem.where, problem.what) == (
        "journal row 103",
        "row 100 to 102 is missing before it",
    )


async def test_flipped_bits_are_found_or_changed_nothing(file: Path) -> None:
    await write(file, trade() + filler(100))
    with Reader(file) as reader:
        rows, balances = list(reader.rows_after(0)), reader.balances()
        orders = reader.orders(everything=True)
    sound = file.read_bytes()
    head = file.with_name("book.db.head").read_bytes()
    draw = random.Random(5)
    found = 0
    for n in range(120):
        spoiled = bytearray(sound)
        spoiled[draw.randrange(len(sound))] ^= 1 << draw.randrange(8)
        copy = file.with_name(f"copy-{n}") / "book.db"
        copy.parent.mkdir()
        copy.write_bytes(spoiled)
        copy.with_name("book.db.head").write_bytes(head)
        if verify(copy).ok:
            with Reader(copy) as reader:
                assert list(reader.rows_after(0)) == rows
                assert reader.balances() == balances
                assert reader.orders(everything=True) == orders
        else:
            found += 1
        shutil.rmtree(copy.parent)
    assert found > 20


# -- invariants ------------------------------------------------------------------------------


def _unbalanced(story: Story) -> None:
    one = entry("entry-9", "deposit", "", ("external", "-1.00"), ("trading", "1.01"))
    story.tell("entry", "entry-9", "", one)


def _unbagged(story: Story) -> None:
    one = entry("entry-9", "hodl", "", ("hodl", "-1.00"), ("trading", "1.00"))
    story.tell("entry", "entry-9", "", one)


def _pocketed(story: Story) -> None:
    one = entry("entry-9", "close", "fill-3", ("fees", "-0.50"), ("trading", "0.50"))
    story.tell("entry", "entry-9", "fill-3", one)


def _flattered(story: Story) -> None:
    closed = [row for row in story.rows if row.kind == "position"][-1]
    body = decode_body(closed.body)
    body["position"]["realised"] = "-400.00"
    story.tell("position", "pos-1", "fill-3", body)


def _orphan(story: Story) -> None:
    story.tell("system", "sys-9", "nobody-1", {"code": "x"})


def _unpermitted(story: Story) -> None:
    story.tell("order", "PAPER-9", "ver-1", order("PAPER-9", "ver-9", Purpose.ENTRY, Side.BUY))


def _resurrected(story: Story) -> None:
    dead = order("PAPER-2", "ver-1", Purpose.STOP, Side.SELL, position="pos-1", parent="pos-1")
    risen = replace(dead, status=OrderStatus.OPEN, filled=Decimal("0.5"))
    story.tell("order", "PAPER-2", "pos-1", risen)


def _overfilled(story: Story) -> None:
    of = next(row for row in story.rows if row.id == "fill-2")
    body = decode_body(of.body) | {"id": "fill-9"}
    story.tell("fill", "fill-9", "PAPER-1", body)


def _unprotected(story: Story) -> None:
    opened = next(row for row in story.rows if row.kind == "position")
    story.tell("position", "pos-1", "fill-2", msgspec.Raw(opened.body))


def _haunted(story: Story) -> None:
    story.tell("ghost_opened", "ghost-1", "ver-1", {})
    for number in (1, 2):
        story.tell("ghost_closed", f"gend-{number}", "ghost-1", {})


@pytest.mark.parametrize(
    ("break_it", "where", "what"),
    [
        (_unbalanced, "ledger entry entry-9", "USDT postings sum to 0.01"),
        (_unbagged, "ledger entry entry-9", "takes 1.00 USDT out of the hodl bag"),
        (_pocketed, "account fees", "1.5 USDT are posted, fills and positions come to 2"),
        (_flattered, "account pnl", "500 USDT are posted, fills and positions come to 400"),
        (_orphan, "(system sys-9)", "parent nobody-1 does not exist"),
        (_unpermitted, "order PAPER-9", "verdict ver-9 is not in the journal before it"),
        (_resurrected, "order PAPER-2", "from filled to open"),
        (_overfilled, "fill fill-9", "order PAPER-1 of 0.5 has 0.8 filled"),
        (_unprotected, "position pos-1", "0.5 open but working stops cover 0"),
        (_haunted, "ghost ghost-1", "ghost_closed out of its order"),
    ],
)
async def test_broken_invariant_is_reported(
    file: Path, break_it: object, where: str, what: str
) -> None:
    story = Story()
    story.rows = trade()
    assert callable(break_it)
    break_it(story)
    await write(file, story.rows)
    outcome = verify(file)
    assert any(where in x.where and what in x.what for x in outcome.problems), outcome.problems


# -- projections -----------------------------------------------------------------------------

_STATUSES = st.sampled_from(list(OrderStatus))
_AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=8, allow_nan=False)
#: NUL never passes the border; SQLite's own JSON ends a text there.
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@st.composite
def _histories(draw: st.DrawFn) -> list[Row]:
    story = Story()
    for n in range(draw(st.integers(1, 30))):
        kind = draw(st.sampled_from(["run", "order", "position", "state"]))
        if kind == "run":
            story.tell("run_started", f"run-{n}", "", {})
        elif kind == "order":
            name = f"PAPER-{draw(st.integers(1, 4))}"
            made = replace(
                order(name, "ver-1", Purpose.ENTRY, Side.BUY),
                status=draw(_STATUSES),
                filled=draw(_AMOUNTS),
            )
            story.tell("order", name, "", made)
        elif kind == "position":
            held = position(
                id=f"pos-{draw(st.integers(1, 4))}",
                realised=draw(_AMOUNTS),
                trailing=draw(st.booleans()),
                target=draw(st.none() | _AMOUNTS),
            )
            story.tell("position", held.id, "", {"what": draw(_TEXTS), "position": held})
        else:
            story.tell("state", f"state-{n}", "", {"state": draw(_TEXTS), "reason": ""})
    return story.rows


Tables = list[list[tuple[object, ...]]]


def _read(db: sqlite3.Connection) -> Tables:
    return [db.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES]


def _sliced(file: Path, batches: list[list[Row]]) -> Tables:
    """As the writer has it."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        migrate(db, file)
    with contextlib.closing(Writer(file)) as db:
        for batch in batches:
            db.stage(Slice(batch))
            db.commit()
        return _read(db)


def _one_by_one(rows: list[Row]) -> Tables:
    """Every value as Python's sqlite3 binds it."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        for statement in projected_tables():
            db.execute(statement)
        run = 0
        for seq, row in enumerate(rows, 1):
            run += row.kind == "run_started"
            source = Source(run, seq, row.kind, row.id, row.ts, row.parent)
            for table, values in project(source, row.body):
                marks = ", ".join("?" * len(values))
                db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)
        return _read(db)


@given(rows=_histories(), cuts=st.lists(st.integers(0, 30), max_size=4))
@settings(max_examples=60, deadline=None)
def test_tables_do_not_depend_on_how_rows_were_cut_into_slices(
    rows: list[Row], cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    batches = [rows[a:b] for a, b in pairwise(edges)]
    with tempfile.TemporaryDirectory() as folder:
        assert _sliced(Path(folder) / "book.db", batches) == _one_by_one(rows)
