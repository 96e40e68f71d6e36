"""Pages about the whole run: what is read from the book of record at a key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import ChangeSetting
from tradeterm.tui import figures, moments
from tradeterm.tui.wordkeys import WordKeys

if TYPE_CHECKING:
    from tradeterm.tui.screens.report import Read, Write
    from tradeterm.tui.screens.settings import Diff


class ReportKeys(WordKeys):
    """Opens reports, and the one that waits for an operator who comes back."""

    _welcomed = False

    def on_mount(self) -> None:
        self._began = time.time_ns()

    def caught_up(self, view: ConsoleView) -> None:
        """Once: what the market did to what was left open, as soon as it is settled."""
        away = view.away
        if away is None or self._welcomed or not away.since < self._began <= away.until:
            return
        self._welcomed = True
        if away.lines and not (self.session.watching or self.typing or self.question):
            from tradeterm.tui.screens.pages import away_lines

            self.open_page("While you were away", away_lines)

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

        row = moments.subject(self.view, self.focus_now())
        title, read = f"Why {row}", records.chain_of(row)
        if self.pane == "agents":
            symbol = self.choice.symbol
            title = f"Why {figures.agent(row)} on {symbol}"
            read = records.words_of(row, symbol)
        self.open_report(title, read, records.chain_lines)

    def action_show_journal(self) -> None:
        from tradeterm.tui.screens.journal import JournalScreen

        store = self.session.store
        if store is None:
            self.say("the engine is still starting; try again in a moment", "warning")
        else:
            self.push_screen(JournalScreen(store, self.ink, self.view))

    def action_show_settings(self) -> None:
        from tradeterm.tui.screens.settings import SettingsScreen

        store = self.session.store
        if store is None:
            self.say("the engine is still starting; try again in a moment", "warning")
        else:
            self.push_screen(SettingsScreen(store, self.ink, self.view, self._change_setting))

    def _change_setting(self, diff: Diff) -> str:
        """Tighter at once; looser when the word is typed. Why not, or an empty string."""
        if self.session.watching:
            return "only watching: another process runs this"
        if diff.looser:
            self._confirm_looser_setting(diff)
        else:
            self.send(ChangeSetting(key=diff.key, value=diff.now), str(diff))
        return ""

    def _confirm_looser_setting(self, diff: Diff) -> None:
        command = ChangeSetting(key=diff.key, value=diff.now, confirmed=True)
        facts = [
            str(diff),
            "This lets more happen than before, from the next decision on, also after a restart.",
            "It is journaled with your name on it.",
        ]
        self.ask_word("LOOSEN", f"Loosen {diff.key}?", facts, lambda: self.send(command, str(diff)))

    def action_show_decisions(self) -> None:
        from tradeterm.tui.screens import decisions

        self.open_report("Decisions", decisions.read, decisions.lines)
