"""On a real pseudo-terminal: signals, a crash, and hostile bytes leave the terminal sane."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pexpect
import pytest

pytestmark = pytest.mark.terminal

ROOT = Path(__file__).parents[2]
PLAY = """
import sys
from msgspec.structs import replace
from tests.tui.pictures import FakeSession, busy
from tests.tui.test_hostile_text import HOSTILE, poisoned
from tradeterm.tui.app import TradetermApp
view = poisoned(''.join(HOSTILE)) if 'hostile' in sys.argv else busy()
class Broken(TradetermApp):
    def _announce(self, view):
        raise RuntimeError('secret-in-locals')
app = (Broken if 'crash' in sys.argv else TradetermApp)(FakeSession(view))
sys.exit(app.run())
"""


def play(*words: str) -> pexpect.spawn[bytes]:
    env = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    return pexpect.spawn(
        sys.executable,
        ["-c", PLAY, *words],
        dimensions=(40, 120),
        env=env,
        cwd=str(ROOT),
        timeout=30,
    )


def rest(child: pexpect.spawn[bytes]) -> bytes:
    child.expect(pexpect.EOF)
    child.close()
    return bytes(child.before or b"")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGINT, 130),
    ],
)
def test_a_signal_restores_the_terminal_and_is_in_the_exit_code(number: int, code: int) -> None:
    child = play()
    child.expect(b"#17")
    child.kill(number)
    output = rest(child)
    assert child.exitstatus == code
    for restored in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l"):
        assert restored in output


def test_a_console_that_dies_exits_with_1_and_shows_no_traceback() -> None:
    child = play("crash")
    output = rest(child)
    assert child.exitstatus == 1
    assert b"\x1b[?1049l" in output
    shown = output.rpartition(b"\x1b[?1049l")[2]
    assert b"the console died (RuntimeError)" in shown
    assert b"Traceback" not in shown.split(b"the console died (")[1]


def test_no_byte_of_hostile_text_reaches_the_terminal_as_a_control() -> None:
    child = play("hostile")
    child.expect(b"JOURNAL CANNOT")
    output = bytes(child.before or b"")
    child.kill(signal.SIGTERM)
    output += rest(child)
    assert b"#17" in output
    assert b"\x1b]52" not in output
    assert b"\x1b[31mred" not in output
    assert "\x9b".encode() not in output
    assert "\u202e".encode() not in output
    own = re.sub(rb"\x1b\]22;[a-z]*\x07", b"", output)  # Textual sets the mouse pointer
    assert b"\x07" not in own
