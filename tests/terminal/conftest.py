"""Consoles under a real pseudo-terminal, killed at the end of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.terminal.screen import Terminal

Start = Callable[..., Terminal]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home directory."""
    place = tmp_path / "home"
    place.mkdir()
    return place


@pytest.fixture
def start(tmp_path: Path, home: Path) -> Iterator[Start]:
    """Starts a console: ``start("--speed", "60", size=(80, 24), env={…})``."""
    running: list[Terminal] = []

    def begin(
        *arguments: str, size: tuple[int, int] = (120, 40), env: dict[str, str] | None = None
    ) -> Terminal:
        running.append(Terminal([*arguments], tmp_path / "run.db", home, size=size, env=env))
        return running[-1]

    yield begin
    for terminal in running:
        terminal.kill()
