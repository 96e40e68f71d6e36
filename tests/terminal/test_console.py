"""The console as an operator has it: a real terminal, a real store, real signals."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import termios
import time
from decimal import Decimal
from pathlib import Path

import pytest

from tests.living import Stopwatch, wait_for
from tests.terminal.conftest import Start
from tests.terminal.screen import Terminal, no_room
from tradeterm.adapters.store.verify import verify
from tradeterm.control import ask, send
from tradeterm.model.commands import Halt, Resume

pytestmark = pytest.mark.terminal

FAST = ("--speed", "1800", "--seed", "7")
#: Effective means: on disk, whatever the screen does.
HALT_SECONDS = 0.1
#: How long a key needs until it is no longer taken for a repeat or a slip.
READABLE = 0.5


def trading(terminal: Terminal) -> None:
    """Until it holds a position."""
    terminal.until(lambda: terminal.rows("position"))


def test_halt_resume_and_quit(start: Start) -> None:
    terminal = start(*FAST)
    terminal.until("PAPER")
    trading(terminal)
    terminal.press("H")
    terminal.until(lambda: terminal.state()[0] == "halted")
    terminal.until("HALTED")
    seq = terminal.state()[1]
    terminal.watch(1.0)
    assert terminal.entries_after(seq) == []
    assert terminal.size_by_position() or terminal.rows("fill")

    terminal.press("P")
    terminal.until("RESUME")
    terminal.watch(1.5)  # a typed word is not taken at once: held keys must do nothing
    terminal.press(*"RESUME", "\r")
    terminal.until(lambda: terminal.state()[0] == "running")
    terminal.until("│ RUNNING │")

    terminal.press("q")
    terminal.until("Quit?")
    terminal.watch(READABLE)
    terminal.press("y")
    assert terminal.exit_code() == 0
    terminal.assert_sane()
    assert verify(terminal.db).problems == []


def test_a_card_is_approved_and_another_refused(start: Start) -> None:
    terminal = start(*FAST)
    terminal.until("n next")
    terminal.press("N")  # the guided start would stand where the card's line will

    def card(state: str) -> str | None:
        newest = {row.id: row.data["state"] for row in terminal.rows("card")}
        return next((name for name, found in newest.items() if found == state), None)

    approved = terminal.until(lambda: card("pending"))
    terminal.until("1× until it is decided")
    terminal.watch(READABLE)
    terminal.press("a")
    terminal.until("y sends exactly this order")
    assert card("approved") is None
    terminal.watch(READABLE)
    terminal.press("y")
    terminal.until(lambda: card("approved") == approved)
    terminal.until(lambda: {"order", "fill"} <= terminal.what_followed(approved))

    refused = terminal.until(lambda: card("pending"))
    terminal.until("1× until it is decided")
    terminal.watch(READABLE)
    terminal.press("r")
    terminal.until(lambda: card("rejected") == refused)
    assert not {"order", "fill"} & terminal.what_followed(refused)


def test_a_card_edited_by_hand_sends_half_after_a_key_of_its_own(start: Start) -> None:
    terminal = start(*FAST)
    terminal.until("n next")
    terminal.press("N")  # the guided start would stand where the card's line will
    terminal.until("1× until it is decided")
    terminal.watch(READABLE)
    (before, *_) = [row for row in terminal.rows("card") if row.data["state"] == "pending"]
    terminal.press("E")
    terminal.until("50% x2 stop P")
    terminal.press(*"50%", "\r")
    terminal.until("approve it to send it")
    terminal.watch(READABLE)
    assert "order" not in terminal.what_followed(before.id)
    terminal.press("a")
    terminal.until("y sends exactly this order")
    terminal.watch(READABLE)
    terminal.press("y")
    terminal.until(lambda: "order" in terminal.what_followed(before.id))
    intent = before.data["intent"]
    requests = [row.data["request"] for row in terminal.rows("order")]
    entries = [one for one in requests if one["purpose"] == "entry"]
    (sent,) = {Decimal(one["size"]) for one in entries if one["symbol"] == intent["symbol"]}
    assert Decimal(intent["size"]) * Decimal("0.49") < sent <= Decimal(intent["size"]) / 2


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_it_cleanly_and_the_next_start_goes_on(
    start: Start, number: int, code: int
) -> None:
    terminal = start(*FAST)
    trading(terminal)
    terminal.signal(number)
    assert terminal.exit_code() == code
    terminal.assert_sane()
    assert terminal.rows("run_finished")
    held, last = terminal.size_by_position(), len(terminal.rows("fill"))
    again = start(*FAST)
    again.until("PAPER")
    again.until(lambda: len(again.rows("run_resumed")) == 1)
    assert len(again.rows("run_started")) == 1
    again.until(lambda: len(again.rows("fill")) >= last)
    assert held.keys() <= {row.id for row in again.rows("position")}
    again.signal(signal.SIGTERM)
    assert again.exit_code() == 143
    assert verify(terminal.db).problems == []


def test_a_signal_while_it_starts_leaves_the_terminal_sane(start: Start) -> None:
    terminal = start(*FAST)
    terminal.until(lambda: b"\x1b[?1049h" in terminal.raw)
    terminal.signal(signal.SIGTERM)
    assert terminal.exit_code() == 143
    terminal.assert_sane()


def test_after_kill_9_it_continues_with_the_same_positions(start: Start) -> None:
    terminal = start("--speed", "600", "--seed", "7")
    trading(terminal)
    os.kill(terminal.pid, signal.SIGKILL)
    assert terminal.exit_code() == -signal.SIGKILL
    before = terminal.size_by_position()
    fills = [row.body for row in terminal.rows("fill")]
    again = start("--speed", "1", "--seed", "7")
    again.until(lambda: again.rows("run_resumed"))
    assert again.size_by_position() == before
    symbol = next(row.data["symbol"] for row in again.rows("fill"))
    again.until(symbol)
    assert [row.body for row in again.rows("fill")][: len(fills)] == fills
    again.signal(signal.SIGTERM)
    assert again.exit_code() == 143
    assert verify(terminal.db).problems == []


def test_a_second_console_names_the_first_and_exits_3(start: Start) -> None:
    first = start(*FAST)
    first.until(lambda: first.rows("run_started"))
    second = start(*FAST)
    assert second.exit_code() == 3
    second.assert_sane()
    after = bytes(second.raw).rpartition(b"\x1b[?1049l")[2].decode()
    assert f"already running: pid {first.pid} since" in after
    assert first.child.isalive()


# -- a terminal that does not read -----------------------------------------------------------


def waiting_bytes(terminal: Terminal) -> int:
    """What the console wrote and nobody read."""
    counted = fcntl.ioctl(terminal.child.child_fd, termios.FIONREAD, b"\0" * 4)
    return int(struct.unpack("i", counted)[0])


def freeze(terminal: Terminal) -> None:
    """Stop reading until the pipe to the screen is full (its filling level stands still)."""
    level, since = waiting_bytes(terminal), time.monotonic()
    give_up = since + 20
    while time.monotonic() - since < 0.7 or level < 1024:
        assert time.monotonic() < give_up, "the terminal never filled"
        time.sleep(0.02)
        if waiting_bytes(terminal) != level:
            level, since = waiting_bytes(terminal), time.monotonic()


def market_time(terminal: Terminal) -> str:
    facts = ask(terminal.db.resolve(), "status")
    assert facts is not None
    return str(facts["market_time"])


def resumed(terminal: Terminal) -> bool:
    result = send(terminal.db.resolve(), Resume(actor="shell"))
    return result is not None and result.accepted


def test_halt_is_durable_at_once_while_the_terminal_does_not_read(start: Start) -> None:
    terminal = start(*FAST)
    trading(terminal)
    freeze(terminal)
    earlier = market_time(terminal)
    taken = []
    for _ in range(3):
        watch = Stopwatch(terminal.pid)
        result = send(terminal.db.resolve(), Halt(actor="shell"))
        assert result is not None
        assert result.accepted
        assert terminal.state()[0] == "halted"
        taken.append(watch.seconds)
        if len(taken) < 3:
            send(terminal.db.resolve(), Resume(actor="shell"))
    assert min(taken) <= HALT_SECONDS, taken
    seq, moment = terminal.state()[1], market_time(terminal)
    assert moment > earlier
    give_up = time.monotonic() + 10
    while market_time(terminal) <= moment:  # the engine goes on
        assert time.monotonic() < give_up
    assert terminal.entries_after(seq) == []
    terminal.until("HALTED")  # and the screen catches up when it is read again
    terminal.signal(signal.SIGTERM)
    assert terminal.exit_code() == 143
    terminal.assert_sane()


def test_the_halt_key_acts_while_the_terminal_does_not_read(start: Start) -> None:
    """The screen's loop is stuck in a write then; the thread that reads keys is not."""
    terminal = start(*FAST)
    trading(terminal)
    freeze(terminal)
    taken = []
    for attempt in range(3):
        watch = Stopwatch(terminal.pid)
        terminal.press("H")
        wait_for(lambda: terminal.state()[0] == "halted", 5)
        taken.append(watch.seconds)
        if attempt < 2:
            assert resumed(terminal)
            wait_for(lambda: terminal.state()[0] == "running", 5)
            time.sleep(READABLE)  # the same key at once is a key held down
    assert min(taken) <= 2 * HALT_SECONDS, taken
    terminal.until("HALTED")  # read again: the screen catches up and orders nothing twice
    terminal.watch(1.0)
    ordered = [row.data["command"] for row in terminal.rows("command")]
    assert ordered.count("halt") == len(taken)


def test_a_file_named_halt_halts_while_the_terminal_does_not_read(start: Start) -> None:
    terminal = start(*FAST)
    trading(terminal)
    freeze(terminal)
    taken = []
    flag = terminal.db.with_name("HALT")
    for attempt in range(3):
        watch = Stopwatch(terminal.pid)
        flag.touch()
        wait_for(lambda: terminal.state()[0] == "halted", 5)
        taken.append(watch.seconds)
        if attempt < 2:
            flag.unlink()
            wait_for(lambda: resumed(terminal))  # refused until it has seen that the file is gone
    assert min(taken) <= 2 * HALT_SECONDS, taken
    assert terminal.entries_after(terminal.state()[1]) == []


def test_a_signal_ends_it_even_when_the_terminal_never_reads_again(start: Start) -> None:
    terminal = start(*FAST)
    trading(terminal)
    freeze(terminal)
    terminal.signal(signal.SIGTERM)
    give_up = time.monotonic() + 15
    while not terminal.rows("run_finished"):
        assert time.monotonic() < give_up, "the run was not closed"
        time.sleep(0.02)
    assert terminal.exit_code() == 143
    terminal.assert_sane()


# -- a full disk -----------------------------------------------------------------------------


def test_a_full_disk_holds_the_market_and_the_screen_says_so(start: Start) -> None:
    terminal = start("--speed", "600", "--seed", "7")
    trading(terminal)
    with no_room(terminal.pid):
        terminal.until("JOURNAL CANNOT BE WRITTEN")
        held = market_time(terminal)
        rows = len(terminal.rows("fill", "order", "agent_output"))
        terminal.watch(1.0)
        assert market_time(terminal) == held
        assert len(terminal.rows("fill", "order", "agent_output")) == rows
    terminal.until(lambda: market_time(terminal) > held)
    terminal.until(lambda: "JOURNAL CANNOT BE WRITTEN" not in terminal.text)
    terminal.signal(signal.SIGTERM)
    assert terminal.exit_code() == 143
    terminal.assert_sane()
    assert verify(terminal.db).problems == []


def test_on_a_full_disk_it_can_still_be_ended(start: Start) -> None:
    terminal = start("--speed", "600", "--seed", "7")
    trading(terminal)
    with no_room(terminal.pid):
        terminal.until("JOURNAL CANNOT BE WRITTEN")
        terminal.signal(signal.SIGTERM)
        assert terminal.exit_code() == 143
    terminal.assert_sane()
    assert verify(terminal.db).problems == []


# -- odd terminals ---------------------------------------------------------------------------


def test_a_terminal_too_small_says_so_and_still_halts(start: Start) -> None:
    terminal = start(*FAST, size=(60, 15))
    terminal.until("too small")
    trading(terminal)
    terminal.press("H")
    terminal.until(lambda: terminal.state()[0] == "halted")
    terminal.until("HALTED")


def test_without_colour_nothing_is_coloured(start: Start) -> None:
    terminal = start(*FAST, env={"NO_COLOR": "1"})
    trading(terminal)
    terminal.until("Positions")
    codes = {
        code
        for found in re.findall(rb"\x1b\[([0-9;]*)m", bytes(terminal.raw))
        for code in found.split(b";")
    }
    coloured = {code for code in codes if re.fullmatch(rb"3[0-8]|4[0-8]|9[0-7]|10[0-7]", code)}
    assert coloured == set()


def test_a_plain_locale_works(start: Start) -> None:
    terminal = start(*FAST, env={"LANG": "C", "LC_ALL": "C"})
    trading(terminal)
    terminal.press("H")
    terminal.until(lambda: terminal.state()[0] == "halted")
    terminal.signal(signal.SIGTERM)
    assert terminal.exit_code() == 143
    terminal.assert_sane()


def test_nothing_but_the_app_writes_to_the_terminal(start: Start, home: Path) -> None:
    noisy = {"PYTHONWARNINGS": "always", "PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1"}
    terminal = start(*FAST, "--log-level", "debug", env=noisy)
    trading(terminal)
    terminal.signal(signal.SIGTERM)
    assert terminal.exit_code() == 143
    for word in (b"Warning", b"DEBUG", b"asyncio", b"Traceback", b"site-packages"):
        assert word not in terminal.raw, word
    assert bytes(terminal.raw).rpartition(b"\x1b[?1049l")[2].count(b"\n") <= 1
    log = next(home.rglob("tradeterm.log"))
    assert log.stat().st_mode & 0o777 == 0o600
    assert "DEBUG" in log.read_text(encoding="utf-8")


def test_a_mistake_in_the_settings_restores_the_terminal_and_says_which(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "risk.yaml").write_text("max_leverag: 3\n", encoding="utf-8")
    terminal = start("--config", str(tmp_path / "mine"))
    assert terminal.exit_code() == 2
    terminal.assert_sane()
    after = bytes(terminal.raw).rpartition(b"\x1b[?1049l")[2].decode()
    assert "risk.yaml" in after
    assert "max_leverag" in after
    assert "did you mean max_leverage?" in after
    assert not terminal.db.exists()


@pytest.mark.parametrize("env", [{"TERM": "dumb"}])
def test_a_dumb_terminal_is_refused_in_one_line(start: Start, env: dict[str, str]) -> None:
    terminal = start(env=env)
    assert terminal.exit_code() == 2
    shown = bytes(terminal.raw).decode()
    assert shown.strip().splitlines() == [
        "tradeterm: the console needs a terminal; use `tradeterm run --headless`"
    ]
