"""Takes in what the machinery says of itself: one alarm where it gets worse, one where it is well.

While the journal cannot be written nothing may be entered, so what waits to enter is taken back;
exits go on. The figures themselves are judged by risk, with every verdict.
"""

from __future__ import annotations

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.model.commands import CommandResult, ReportHealth
from tradeterm.model.health import Health


class Welfare:
    """Compares each report with the one before it."""

    def __init__(self, core: Core, books: Books) -> None:
        self._core = core
        self._books = books
        self._skew = core.settings.risk.max_clock_skew
        self._lag = core.settings.risk.max_journal_lag

    def report(self, command: ReportHealth, command_id: str) -> CommandResult:
        """Keep it; say what changed for the worse or the better."""
        before, after = self._core.health or Health(), command.health
        self._core.health = after
        if self._is_off(before) is not self._is_off(after):
            self._tell_of_clock(after, command_id)
        if self._is_behind(before) is not self._is_behind(after):
            self._tell_of_journal(after, command_id)
        return CommandResult(True, "")

    def _is_off(self, health: Health) -> bool:
        return health.clock_skew is not None and not abs(health.clock_skew) <= self._skew

    def _is_behind(self, health: Health) -> bool:
        return bool(health.fault) or not health.journal_lag <= self._lag

    def _tell_of_clock(self, health: Health, parent: str) -> None:
        if not self._is_off(health):
            self._core.alert("R-CLOCK-SKEW", "info", "our clock and the exchange's agree", parent)
            return
        skew = health.clock_skew or 0.0
        text = (
            f"our clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the exchange's "
            f"(limit {self._skew:g} s): no entries until they agree; set the clock (NTP)"
        )
        self._core.risk_alert("R-CLOCK-SKEW", "error", text, parent)

    def _tell_of_journal(self, health: Health, parent: str) -> None:
        if not self._is_behind(health):
            self._core.alert("E-JOURNAL", "info", "the journal keeps up again", parent)
            return
        cancelled = self._books.cancel_entries("journal")
        why = health.fault or (
            f"rows wait {health.journal_lag:.1f} s for the disk (limit {self._lag:g} s)"
        )
        text = f"{why}: no entries, {cancelled} taken back; exits go on"
        self._core.risk_alert("E-JOURNAL", "critical", text, parent)
