"""A report with a cursor: for pages whose rows can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tradeterm.tui.ink import BLANK, Line, grounded
from tradeterm.tui.screens.report import ReportPane

STEPS = {
    "j": 1, "down": 1, "k": -1, "up": -1, "ctrl+d": 10, "pagedown": 10, "space": 10,
    "ctrl+u": -10, "pageup": -10, "g": -(10**6), "home": -(10**6), "G": 10**6, "end": 10**6,
}  # fmt: skip


class CursorPane(ReportPane):
    """One of the lines that the filter leaves is under the cursor, and stays in sight."""

    NAME: ClassVar[str] = "cursor"
    at = 0
    """Its number, from the top."""

    def foot(self, width: int) -> Sequence[Line]:
        """Lines below the rows, which do not scroll."""
        return ()

    def inside(self, width: int, height: int) -> Sequence[Line]:
        foot = self.foot(width)
        room = max(1, height - len(foot))
        count = len(self.lines(width))
        self.at = max(0, min(self.at, count - 1))
        self._offset = max(self.at - room + 1, min(self._offset, self.at))
        inside = list(super().inside(width, room))
        place = self.at - self._offset
        if 0 <= place < len(inside):
            inside[place] = grounded(inside[place], "cursor", width)
        return [*inside, *[BLANK] * (room - len(inside)), *foot]

    def seek(self, by: int) -> None:
        """The cursor goes along."""
        super().seek(by)
        self.at = max(0, self._hit)

    def step(self, key: str) -> bool:
        """Move, if it is a key that moves."""
        if key not in STEPS:
            return False
        self.at = max(0, self.at + STEPS[key])
        self.rebuild()
        return True

    def scroll_lines(self, by: int) -> None:
        """The wheel moves the cursor: what is under it stays in sight."""
        self.at = max(0, self.at + by)
        self.rebuild()

    def chosen(self) -> str:
        """The line under the cursor."""
        shown = self.lines(self.size.width - 4)
        return "".join(part for part, _ in shown[self.at]) if self.at < len(shown) else ""
