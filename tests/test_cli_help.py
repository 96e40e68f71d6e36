"""What the shell is told: the list of commands, and an exit code that means one thing."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from click import Context

from tests.conftest import Shell
from tests.shell import command
from tests.terminal.screen import child_environment
from tradeterm.cli import cli
from tradeterm.commands import SECTIONS


def test_every_command_has_one_place_in_the_help(shell: Shell) -> None:
    listed = [name for _, names in SECTIONS for name in names]
    assert sorted(listed) == cli.list_commands(Context(cli))
    text = shell("--help").out.partition("Options:")[2]
    assert all(title in text for title, _ in SECTIONS)
    assert "..." not in text, "a sentence was cut"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("postions", "did you mean positions?"),
        ("approve", "at the console only"),
        ("xyzzy", "No such command"),
    ],
)
def test_a_name_that_is_no_command_gets_an_answer(shell: Shell, name: str, said: str) -> None:
    answer = shell(name)
    assert answer.code == 2
    assert said in answer.err


def test_a_reader_that_has_seen_enough_is_no_failed_check(tmp_path: Path) -> None:
    """What ``| head`` does, at its most impatient."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command("config", "reference"),
        stdout=writing,
        stderr=subprocess.PIPE,
        env=child_environment(tmp_path),
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
