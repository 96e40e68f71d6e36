"""Timers, journal and counters: small parts everything else leans on."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tradeterm.engine.counters import Counters, bump
from tradeterm.engine.eventlog import EventLog
from tradeterm.engine.journaling import (
    ROWS_PER_HASH,
    ROWS_PER_SLICE,
    Journal,
    JournalState,
)
from tradeterm.engine.stamp import Stamp
from tradeterm.engine.timers import NEVER, Timers, TimersState
from tradeterm.model.messages import SystemEvent
from tradeterm.model.orders import Fill
from tradeterm.model.vocabulary import AccountBook, Evidence, Liquidity, OrderStatus, Side

D = Decimal


def drained(timers: Timers) -> list[str]:
    names = []
    while timers.next_due != NEVER:
        names.append(timers.pop())
    return names


def test_timers_run_by_due_time_then_name() -> None:
    timers = Timers()
    for name, due in (("c", 5), ("b", 5), ("a", 9), ("d", 1)):
        timers.set(name, due)
    assert timers.next_due == 1
    assert drained(timers) == ["d", "b", "c", "a"]


def test_a_timer_set_again_moves_and_a_cancelled_one_never_runs() -> None:
    timers = Timers()
    timers.set("a", 1)
    timers.set("b", 2)
    timers.set("a", 3)
    timers.cancel("b")
    timers.cancel("nobody")
    assert (timers.due("a"), timers.due("b"), timers.names()) == (3, None, ["a"])
    assert timers.next_due == 3
    assert drained(timers) == ["a"]


def test_popping_nothing_is_a_fault() -> None:
    with pytest.raises(AssertionError):
        Timers().pop()


def test_timers_survive_a_restart() -> None:
    timers = Timers()
    for name, due in (("x", 4), ("y", 2), ("x", 1)):
        timers.set(name, due)
    other = Timers()
    other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(timers.dump()), type=TimersState))
    assert drained(other) == drained(timers) == ["x", "y"]


def journal() -> tuple[Journal, Stamp, list[tuple[str, str, Any, int]]]:
    heard: list[tuple[str, str, Any, int]] = []
    stamp = Stamp()
    return Journal(stamp, lambda *row: heard.append(row), {"order"}), stamp, heard


def test_rows_carry_time_input_and_parent() -> None:
    book, stamp, heard = journal()
    stamp.now, stamp.input = 7, 3
    book.write("order", "PAPER-1", "verdict-1", {"size": 1})
    (row,) = book.take()
    assert (row.ts, row.input, row.kind, row.id, row.parent) == (
        7, 3, "order", "PAPER-1", "verdict-1",
    )  # fmt: skip
    assert json.loads(row.body) == {"size": 1}
    book.write("agent_output", "out-1", "", {})
    assert heard == [("order", "PAPER-1", {"size": 1}, 7)], "nobody reads of a mere output"
    assert [row.kind for row in book.take()] == ["agent_output"]
    assert book.take() == []


def test_rows_come_in_the_order_they_were_said() -> None:
    book, _, _ = journal()
    for number in range(ROWS_PER_HASH + 3):
        book.write("fill", f"fill-{number}", "", {"price": number})
    told = [(row.id, json.loads(row.body)["price"]) for row in book.take()]
    assert told == [(f"fill-{number}", number) for number in range(ROWS_PER_HASH + 3)]


def test_a_slice_is_full_by_its_rows() -> None:
    book, _, _ = journal()
    for number in range(ROWS_PER_SLICE):
        assert not book.full
        book.write("fill", f"fill-{number}", "", {})
    assert book.full
    assert len(book.take()) == ROWS_PER_SLICE
    assert not book.full


def test_ids_count_by_prefix() -> None:
    book, _, _ = journal()
    assert [book.new_id(p) for p in ("fill", "fill", "pos", "fill")] == [
        "fill-1", "fill-2", "pos-1", "fill-3",
    ]  # fmt: skip


def test_the_digest_covers_what_traded_and_nothing_else() -> None:
    book, _, _ = journal()
    book.write("run_started", "run", "", {"wall": 1.5})
    book.write("agent_output", "out-1", "", {"text": "x"})
    assert book.digest == ""
    book.write("fill", "fill-1", "PAPER-1", {"price": "1"})
    after = book.digest
    other, _, _ = journal()
    other.write("fill", "fill-1", "PAPER-1", {"price": "1"})
    assert other.digest == after != ""
    other.write("fill", "fill-1", "PAPER-1", {"price": "1"})
    assert other.digest != after


def test_a_journal_goes_on_after_a_restart() -> None:
    book, _, _ = journal()
    book.new_id("fill")
    book.write("fill", "fill-1", "", {})
    other, _, _ = journal()
    other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(book.dump()), type=JournalState))
    assert other.new_id("fill") == "fill-2"
    assert other.digest == book.digest


@pytest.mark.parametrize("stop", [0, 1, ROWS_PER_HASH - 1, ROWS_PER_HASH, ROWS_PER_HASH + 1])
def test_the_digest_knows_nothing_of_restarts_and_readers(stop: int) -> None:
    whole, _, _ = journal()
    book, _, _ = journal()
    for number in range(2 * ROWS_PER_HASH + 3):
        if number == stop:
            state = msgspec.msgpack.encode(book.dump())
            book, _, _ = journal()
            book.load(msgspec.msgpack.decode(state, type=JournalState))
        for each in (whole, book):
            each.write("fill", f"fill-{number}", "", {"price": number})
        assert book.digest == whole.digest
    assert len(whole.dump().unhashed) < ROWS_PER_HASH


def test_an_order_is_counted_once_under_its_newest_status() -> None:
    counters = Counters()
    for status in (OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.OPEN, OrderStatus.FILLED):
        counters.order("PAPER-1", status)
    counters.order("PAPER-2", OrderStatus.PENDING)
    counted = {status: n for status, n in counters.orders.items() if n}
    assert counted == {"filled": 1, "pending": 1}
    assert counters.order_status == {"PAPER-2": "pending"}


def test_bump_counts_from_nothing() -> None:
    table: dict[str, int] = {}
    bump(table, "a")
    bump(table, "a")
    assert table == {"a": 2}


def test_a_fill_says_what_it_rests_on_before_a_narrow_screen_ends() -> None:
    log = EventLog({"XRP/BTC": D("0.00000001"), "BTC/USDT": D("0.1")})
    small = Fill(
        id="fill-1", ts=1, order_id="PAPER-14", symbol="XRP/BTC", side=Side.SELL,
        book=AccountBook.MARGIN, price=D("0.0000086"), size=D("1616.51930082"), fee=D("0.00002431"),
        fee_asset="BTC", rate=D(65000), liquidity=Liquidity.TAKER, evidence=Evidence.TRADE_THROUGH,
        position_id="pos-1",
    )  # fmt: skip
    log.record("fill", "fill-1", small, 1)
    log.record("fill", "fill-2", replace(small, symbol="BTC/USDT", price=D(65000),
                                         fee=D("3.30846541"), fee_asset="USDT"), 2)  # fmt: skip
    log.record("fill", "fill-3", replace(small, price=D("0.000008605")), 3)  # an average
    texts = [line.text for line in log.lines]
    assert texts == [
        "XRP/BTC sell 1616.51930082 @ 0.00000860 paper trade_through fee 0.00002431 BTC PAPER-14",
        "BTC/USDT sell 1616.51930082 @ 65000.0 paper trade_through fee 3.31 USDT PAPER-14",
        "XRP/BTC sell 1616.51930082 @ 0.000008605 paper trade_through fee 0.00002431 BTC PAPER-14",
    ]
    inside = 80 - 4 - len("14:01:47 FILL  ")
    assert all(text.index("trade_through") + len("trade_through") <= inside for text in texts[:2])


def test_the_event_log_counts_alarms_and_keeps_its_numbers() -> None:
    log = EventLog()
    log.record("system", "sys-1", SystemEvent("F-GAP", "warning", "no trades"), 1)
    log.record("system", "sys-2", SystemEvent("E-HANDLER", "error", "it broke"), 2)
    log.record("system", "sys-3", SystemEvent("C-NOTE", "info", "well"), 3)
    log.record("agent_output", "out-1", object(), 4)  # not worth a line
    assert [(line.kind, line.severity) for line in log.lines] == [
        ("FEED", "warning"), ("ERROR", "error"), ("SYS", "info"),
    ]  # fmt: skip
    assert log.alarms == 1
    other = EventLog()
    other.load(log.dump())
    other.add(5, "CMD", "info", "go on", "cmd-1")
    assert [line.seq for line in other.lines] == [1, 2, 3, 4]
