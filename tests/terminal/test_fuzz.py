"""Ten thousand texts nobody would write, through every sink, on the bytes that reach a terminal.

A million of them: ``TRADETERM_LONG=1 pytest -m long tests/terminal/test_fuzz.py``.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

import pexpect
import pytest

from tests.terminal.fuzzing import ALIEN, MARK
from tests.terminal.screen import LEFT_ALTERNATE, ROOT, child_environment

pytestmark = pytest.mark.terminal

_MARKED = re.compile(f"{MARK}([0-9a-f]+){MARK}".encode())
#: Colours and attributes, which change within a text where a filter's hit is.
_STYLES = re.compile(rb"\x1b\[[0-9;]*m")
#: Every sequence that may be on the wire: those that Textual writes, none with an alien parameter.
_OURS = re.compile(
    rb"\x1b(?:\[[<>=?]?[0-9;:]*[$ ]?[A-Za-z]"  # CSI
    rb"|\]22;[a-z]*(?:\x07|\x1b\\)"  # the pointer's shape
    rb"|\]52;c;[A-Za-z0-9+/=]*(?:\x07|\x1b\\)"  # a copy the operator asked for
    rb"|_Gi=[^\x1b]*\x1b\\|P[+$]q[^\x1b]*\x1b\\|P=[12]s\x1b\\"  # queries
    rb"|[78>=])"
)
#: Sequences of the program's own form, but with a parameter only texts have.
_CARRIED = re.compile(rb"\x1b(?:\[\??|\]52;c;|P)" + ALIEN.encode() + rb"[^\x1b]{0,9}")
#: What no text may bring: invisible, reordering, private, or a control after all of the above.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ue000-\uf8ff\U000e0000-\U0010ffff]"
)
#: Bytes looked at in one go, cut where a sequence begins.
_SLICE = 1 << 18


class Wire:
    """Judges what arrives as it arrives: a million texts take a gigabyte."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.wrong: list[bytes] = []
        self._rest = bytearray()

    def take(self, data: bytes, *, last: bool = False) -> None:
        self._rest += data
        if last or len(self._rest) > _SLICE:
            cut = len(self._rest) if last else self._rest.rfind(b"\x1b[")
            cut = cut if cut > 0 else len(self._rest)  # what the commands print has none
            self._judge(bytes(self._rest[:cut]))
            del self._rest[:cut]

    def _judge(self, part: bytes) -> None:
        self.wrong += _CARRIED.findall(part)
        text = _OURS.sub(b"", part).decode("utf-8", "surrogateescape")
        for found in _FORBIDDEN.finditer(text):
            around = text[max(0, found.start() - 40) : found.end() + 40]
            self.wrong.append(around.encode("unicode_escape"))
        plain = _STYLES.sub(b"", part)
        self.seen.update(int(number, 16) for number in _MARKED.findall(plain))


def played(program: str, many: int, home: Path, seconds: float) -> tuple[Wire, int, bytes]:
    """A program on a terminal until so many texts have arrived; its exit code and last words."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "tests.terminal.fuzzing", program, "7"],
        dimensions=(120, 300),
        env=child_environment(home),
        cwd=str(ROOT),
        maxread=1 << 16,
    )
    wire, give_up, tail, signalled = Wire(), time.monotonic() + seconds, b"", False
    try:
        while True:
            try:
                data = child.read_nonblocking(1 << 16, timeout=1)
            except pexpect.TIMEOUT:
                data = b""
            except pexpect.EOF:
                break
            wire.take(data)
            tail = (tail + data)[-20_000:]
            enough = len(wire.seen) >= many or time.monotonic() > give_up or wire.wrong
            if enough and not signalled:
                signalled = True
                child.kill(signal.SIGTERM)
        wire.take(b"", last=True)
        child.close()
        code = -child.signalstatus if child.signalstatus else child.exitstatus
        return wire, code or 0, tail
    finally:
        child.close(force=True)


def assert_harmless(program: str, many: int, home: Path, seconds: float) -> None:
    wire, code, tail = played(program, many, home, seconds)
    assert wire.wrong[:3] == []
    if program == "console":
        assert code == 143, tail[-3000:].decode(errors="replace")  # alive until it was told to end
        assert LEFT_ALTERNATE in tail
    assert len(wire.seen) >= many, f"{len(wire.seen)} texts arrived: {tail[-2000:]!r}"


@pytest.mark.slow
@pytest.mark.parametrize(("program", "many"), [("console", 2500), ("commands", 7500)])
def test_ten_thousand_texts_do_nothing_on_a_terminal(
    program: str, many: int, tmp_path: Path
) -> None:
    assert_harmless(program, many, tmp_path, 90)


@pytest.mark.long
@pytest.mark.skipif("TRADETERM_LONG" not in os.environ, reason="takes an hour")
@pytest.mark.parametrize("program", ["console", "commands"])
def test_a_million_texts_do_nothing_on_a_terminal(program: str, tmp_path: Path) -> None:
    """Half a million in each."""
    assert_harmless(program, 500_000, tmp_path, 4 * 3600)
