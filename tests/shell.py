"""``tradeterm …`` as a shell sees it: exit code, standard output, standard error."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.terminal.screen import child_environment


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on the one line of standard output."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        return json.loads(lines[0])

    @property
    def complaint(self) -> str:
        """The one line of a deliberate error."""
        assert self.out == ""
        assert self.err.startswith("tradeterm: "), self.err
        assert "Traceback" not in self.err
        return self.err.removeprefix("tradeterm: ").strip()


def command(*arguments: str | Path) -> list[str]:
    """The command line of a child process."""
    return [sys.executable, "-m", "tradeterm", *map(str, arguments)]


def tradeterm(
    *arguments: str | Path, home: Path, env: Mapping[str, str] | None = None, timeout: float = 60
) -> Said:
    """Run it to its end in a process of its own, without a terminal."""
    done = subprocess.run(
        command(*arguments),
        env=child_environment(home, **(env or {})),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)
