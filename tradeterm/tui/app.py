"""What the keys do: one ``action_…`` per row of the action table, grouped by danger.

The machinery (picture, timers, signals, questions) is in console.py, what positions and orders
can be told in orderkeys.py, what cards can in cardkeys.py, agents and the level in carekeys.py,
the market's pace in marketkeys.py, pages about one row in detailkeys.py, leaving in leavekeys.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.screen import Screen

from tradeterm.model.commands import (
    Flatten,
    OperatorCommand,
    Pause,
    Resume,
)
from tradeterm.model.timing import iso
from tradeterm.tui import actions
from tradeterm.tui.carekeys import CareKeys
from tradeterm.tui.detailkeys import DetailKeys
from tradeterm.tui.leavekeys import LeaveKeys
from tradeterm.tui.marketkeys import MarketKeys
from tradeterm.tui.plan import ORDER
from tradeterm.tui.presence import Presence
from tradeterm.tui.reportkeys import ReportKeys
from tradeterm.tui.typed import FilterLine
from tradeterm.tui.viewkeys import ViewKeys

if TYPE_CHECKING:
    pass

#: More bars than any chart has.
EVERYTHING = 10**6


class TradetermApp(Presence, CareKeys, ReportKeys, MarketKeys, LeaveKeys, DetailKeys, ViewKeys):
    """The console with its keys."""

    # -- safety --------------------------------------------------------------------------------

    def action_pause(self) -> None:
        if self.guarded("pause"):
            return
        if self.view.status.state == "running":
            self.send(Pause(), "pausing trading: no new proposals, analysis goes on")
        else:
            self.confirm_typed("RESUME")

    def action_flatten(self) -> None:
        if not self.guarded("flatten"):
            self.confirm_typed("FLATTEN")

    def confirm_typed(self, word: str) -> None:
        """Ask for a word; the command goes out only when it was typed in full."""
        from tradeterm.tui.screens.pages import flatten_facts, resume_facts

        command: OperatorCommand
        if word == "FLATTEN":
            title, facts, command = "Flatten everything?", flatten_facts(self.view), Flatten()
            said = "flattening: closing everything, then halting"
        else:
            title, facts, command = "Resume trading?", resume_facts(self.view), Resume()
            said = "resuming trading"
        self.ask_word(word, title, facts, lambda: self.send(command, said))

    # -- panes and lists -----------------------------------------------------------------------

    def action_show_positions(self) -> None:
        self.show_pane("positions")

    def action_show_conflicts(self) -> None:
        self.show_pane("conflicts")

    def action_show_book(self) -> None:
        self.show_pane("book")

    def action_show_chart(self) -> None:
        self.show_pane("chart")

    def action_show_events(self) -> None:
        self.show_pane("events")

    def action_show_agents(self) -> None:
        self.show_pane("agents")

    def action_show_orders(self) -> None:
        self.show_pane("orders")

    def action_show_safety(self) -> None:
        self.show_pane("safety")

    def action_show_portfolio(self) -> None:
        self.show_pane("portfolio")

    def action_next_pane(self) -> None:
        self.show_pane(ORDER[(ORDER.index(self.pane) + 1) % len(ORDER)])

    def action_previous_pane(self) -> None:
        self.show_pane(ORDER[(ORDER.index(self.pane) - 1) % len(ORDER)])

    def action_zoom(self) -> None:
        self.deck.wants(zoomed=not self.deck.wish.zoomed, chosen=self.pane)

    def action_down(self) -> None:
        self.move(lambda pane: pane.move(1))

    def action_up(self) -> None:
        self.move(lambda pane: pane.move(-1))

    def action_page_down(self) -> None:
        self.move(lambda pane: pane.move(pane.page))

    def action_page_up(self) -> None:
        self.move(lambda pane: pane.move(-pane.page))

    def action_top(self) -> None:
        self._end(last=False)

    def action_bottom(self) -> None:
        self._end(last=True)

    def _end(self, last: bool) -> None:
        if self.pane == "chart":
            self.deck.chart.scroll(EVERYTHING if last else -EVERYTHING)
        else:
            self.move(lambda pane: pane.move_end(last))

    def action_filter(self) -> None:
        pane = self.deck.list_pane(self.pane) or self.deck.events
        self.type_in(FilterLine(pane))

    def action_errors_only(self) -> None:
        self.deck.events.errors_only = not self.deck.events.errors_only
        self.deck.rebuild("events")
        only = self.deck.events.errors_only
        self.say("events: warnings and errors only" if only else "events: all of them")

    # -- view ----------------------------------------------------------------------------------

    def action_tour(self) -> None:
        self.tour.begin()
        self._show_tour()

    def action_tour_next(self) -> None:
        self.tour.step()
        self._show_tour()

    def action_tour_end(self) -> None:
        self.tour.end()
        self._show_tour()

    def _show_tour(self) -> None:
        self.deck.notice.tour = self.tour.text
        self.say("")

    def action_take_screenshot(self) -> None:
        from tradeterm.logs import log_dir

        moment = iso(self.view.status.market_time)[:19].replace(":", "")
        try:
            path = self.save_screenshot(f"tradeterm-{moment}.svg", str(log_dir()))
        except OSError as error:
            self.say(f"no screenshot: {error}", "warning")
        else:
            self.say(f"screenshot in {path}")

    async def action_back(self) -> None:
        """Zoom first, then the filter of the pane, then what it searched for."""
        pane = self.deck.list_pane(self.pane)
        if self.parting:
            self.stay()
        elif self.view.status.walking:
            self.stop_walking()
        elif self.deck.wish.zoomed:
            self.deck.wants(zoomed=False)
        elif pane and pane.filter:
            pane.set_filter("")
            self.say("every row again; n and N go to those with the text")
        elif pane:
            pane.search = ""

    def action_show_help(self) -> None:
        from tradeterm.tui.screens.help import help_page

        self.open_page("Help", help_page(self.deck.panes[self.pane]))

    def action_command_palette(self) -> None:
        from textual.command import CommandPalette

        if not isinstance(self.screen, CommandPalette):
            self.push_screen(
                CommandPalette(
                    id="--command-palette", placeholder="Command … (lower case; H halts even here)"
                )
            )

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        focus = self.focus_now()
        for action in actions.ACTIONS:
            if action.possible(self.view, focus) and action.name not in {"command_palette", "back"}:
                title = f"{action.name.replace('_', ' ').capitalize()} ({action.shown})"
                yield SystemCommand(title, action.help, partial(self.run_action, action.name))
