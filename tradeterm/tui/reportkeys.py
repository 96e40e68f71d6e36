"""Pages about the whole run: what is read from the book of record at a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradeterm.tui.console import Console

if TYPE_CHECKING:
    from tradeterm.tui.screens.report import Read, Write


class ReportKeys(Console):
    """Opens reports."""

    def open_report(self, title: str, read: Read, write: Write) -> None:
        """A page about the whole run, once there is a book of record to read."""
        from tradeterm.tui.screens.report import ReportScreen

        store = self.session.store
        if store is None:
            self.say("the engine is still starting; try again in a moment", "warning")
        else:
            self.push_screen(ReportScreen(title, store, read, write, self.ink, self.view))

    def action_show_performance(self) -> None:
        from tradeterm.tui.screens import performance

        self.open_report("Performance", performance.read, performance.lines)

    def action_show_scores(self) -> None:
        from tradeterm.tui.screens import scores

        self.open_report("Who was right", scores.read, scores.lines)

    def action_explain(self) -> None:
        from tradeterm.tui.screens import records

        row = self.focus_now().row
        self.open_report(f"Why {row}", records.chain_of(row), records.chain_lines)

    def action_show_journal(self) -> None:
        from tradeterm.tui.screens import records

        self.open_report("Journal", records.read_journal, records.journal_lines)

    def action_show_settings(self) -> None:
        from tradeterm.tui.screens import records

        self.open_report("Settings", records.read_settings, records.settings_lines)

    def action_show_decisions(self) -> None:
        from tradeterm.tui.screens import decisions

        self.open_report("Decisions", decisions.read, decisions.lines)
