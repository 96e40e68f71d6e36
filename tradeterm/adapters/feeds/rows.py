"""What reading a damaged file says, and how much of it."""

from __future__ import annotations

from typing import Final, Literal

from tradeterm.errors import DataError
from tradeterm.model.market import FeedNotice
from tradeterm.model.text import clean

#: What to do with a bad row or line.
OnBad = Literal["refuse", "skip"]
#: Bad rows of one file that get a notice each; the rest is counted.
MAX_SHOWN: Final = 20
#: Code of the notice about one.
BAD_ROW: Final = "bad_row"


class BadRows:
    """Refuses, or counts and reports, the bad rows of one file."""

    def __init__(self, name: str, on_bad: OnBad, count: int = 0) -> None:
        """``count``: how many were already reported before a position gone back to."""
        self.name = name
        self.count = count
        self._refuse = on_bad == "refuse"

    def add(
        self, ts: int, symbol: str, line: int, why: str, code: str = BAD_ROW
    ) -> FeedNotice | None:
        """One bad row; None once enough have been shown. Raises DataError when refusing."""
        text = clean(f"{self.name}:{line}: {why}")
        if self._refuse:
            raise DataError(f"{text}; repair the line, or skip bad rows with --on-bad skip")
        self.count += 1
        if self.count > MAX_SHOWN:
            return None
        if self.count == MAX_SHOWN:
            text += "; further bad rows of this file are skipped and counted only"
        return FeedNotice(ts, symbol, code, text)
