"""Leaving: what becomes of positions and orders is asked, carried out and journaled before the end."""

from __future__ import annotations

from tradeterm.model.commands import CancelEntries, Flatten, OperatorCommand
from tradeterm.model.timing import MINUTE
from tradeterm.model.walking import Goal
from tradeterm.tui import moments
from tradeterm.tui.wordkeys import WordKeys

#: Seconds the market gets to carry out what was ordered before leaving.
PARTING_SECONDS = 20.0


class LeaveKeys(WordKeys):
    """The ways out that a key takes; signals are in departure.py."""

    _parting: float | None = None
    """Until when (monotonic) leaving waits for its orders."""
    _flattens = False
    """Whether positions are among them."""

    def action_hint_quit(self) -> None:
        self.say("q or ctrl+q quits; ctrl+c does nothing, so that the engine keeps running")

    async def action_quit(self) -> None:
        working = sum(order.status in moments.WORKING for order in self.view.orders)
        pending = len([card for card in self.view.cards if card.state == "pending"])
        open_plan = moments.plan_under_way(self.view)
        at_rest = not (self.view.positions or working or pending or open_plan or self.view.fault)
        if self.session.watching or moments.over(self.view) or at_rest:
            self._leave_as_is()
            return
        from tradeterm.tui.screens.confirm import QuitScreen
        from tradeterm.tui.screens.pages import quit_choices, quit_facts

        policy = self.options.on_signal
        screen = QuitScreen(
            quit_facts(self.view, working, pending, policy),
            quit_choices(self.view, entries=moments.entries(self.view, self.focus_now())),
            self.ink,
            self.clock,
            self.options.arm_delay,
        )

        def done(sure: bool | None) -> None:
            if not sure:
                self.say("still running")
            elif screen.choice == "y":
                self._leave_as_is()
            elif screen.choice == "c":
                self._leave_after(CancelEntries(), "cancelling entries, then leaving")
            else:
                self._confirm_flatten()

        self.push_screen(screen, done)

    def _leave_as_is(self) -> None:
        self.session.leave_as_is()
        self.leave(0)

    def _confirm_flatten(self) -> None:
        from tradeterm.tui.screens.pages import flatten_facts

        self.ask_word(
            "FLATTEN",
            "Flatten everything and quit?",
            [*flatten_facts(self.view), "", "Quits when nothing is held any more."],
            lambda: self._leave_after(Flatten(), "flattening, then leaving"),
            "nothing changed, still running",
        )

    def _leave_after(self, command: OperatorCommand, words: str) -> None:
        """A market that waits for us goes on until it is done; a live one does so by itself."""
        self._flattens = isinstance(command, Flatten)
        self.session.submit(command)
        self.session.walk(Goal.SETTLED, MINUTE)
        self.say(f"{words}; esc stays")
        self._parting = self.clock() + PARTING_SECONDS

    def poll(self) -> None:
        super().poll()
        if self._parting is not None:
            self._watch_parting(self._parting)

    def _watch_parting(self, until: float) -> None:
        entries = moments.entries(self.view, self.focus_now())
        held = len(self.view.positions) if self._flattens else 0
        if not (entries or held):
            self._leave_as_is()
        elif self.clock() > until:
            self.stay("not everything is done yet, so still running; q asks again")
        else:
            left = f"{held} positions to close, " if held else ""
            self.say(f"{left}{'entries to cancel, ' if entries else ''}then leaving; esc stays")

    @property
    def parting(self) -> bool:
        """Whether leaving waits for what was ordered."""
        return self._parting is not None

    def stay(self, why: str = "staying; what was ordered goes on") -> None:
        """Not leaving after all."""
        self._parting = None
        self.session.set_paused(True)
        self.say(why, "warning")
