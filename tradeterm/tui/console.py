"""The console's machinery: reads the engine's picture ten times a second, sends commands, holds no state of
trading. Everything heavy (engine, settings, numbers) starts after the first paint, elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen
from textual.timer import Timer

from tradeterm.engine.view import ConsoleView, EventView
from tradeterm.model.commands import ApproveCard, Halt, OperatorCommand
from tradeterm.tui import actions, figures, moments
from tradeterm.tui.action import ALWAYS, key_text
from tradeterm.tui.choice import Focus
from tradeterm.tui.guards import BurstGuard, Question, RepeatGuard, number
from tradeterm.tui.haltkey import HaltHeard
from tradeterm.tui.lifecycle import log_loop_error
from tradeterm.tui.looks import Looks
from tradeterm.tui.options import ConsoleOptions, preferred
from tradeterm.tui.panes.base import ListPane
from tradeterm.tui.printable import printable
from tradeterm.tui.screens.text import Builder, PageScreen, keys_over
from tradeterm.tui.session import EngineSession
from tradeterm.tui.tour import Tour
from tradeterm.tui.typed import Typed

HALT = actions.BY_NAME["halt"]
#: Repaint rates while the terminal is not focused, as a factor on the intervals.
_UNFOCUSED = 2.0
#: Messages of these severities stay longer, as a factor.
_STAYS = {"warning": 1.5, "error": 3}
#: Seconds a requested speed is believed before the engine's answer counts again.
_SPEED_MEMORY = 2.0


class Console(Looks):
    """The screen of one engine session; what each key does is in app.py."""

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "tradeterm"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings()]
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"

    def __init__(
        self,
        session: EngineSession,
        options: ConsoleOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options or ConsoleOptions()
        self._options_given = options is not None
        self._configured = self.options
        self.clock = clock
        self.view = ConsoleView()
        self.pane = "positions"
        """Name of the pane the keys act on."""
        self.question: Question | None = None
        self.typing: Typed | None = None
        self.speed = 60.0
        self.market_stopped = False
        self.remark = ""
        """Said behind the result of the last command."""
        self._speed_asked = -_SPEED_MEMORY
        self.tour = Tour()
        self._guard = RepeatGuard(self.options.repeat_guard)
        self._burst = BurstGuard()
        self._card_shown: tuple[str, str, float] = ("", "", 0.0)
        self._known_cards: frozenset[str] = frozenset()
        self._event_seq: int | None = None
        self._said = 0.0
        self._refused = ""
        self._poller: Timer | None = None
        self._card_came = -self.options.arm_delay
        """When a card last appeared that had not been there before."""
        super().__init__(session, self.options)
        self.choice.focus = self.focus_now

    # -- start ---------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield self.deck

    def on_mount(self) -> None:
        self.deck.positions.focus()
        self.call_after_refresh(self._boot)

    def _boot(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_loop_error)
        if self._leaving is not None or self._exit:
            return
        self._engine_started = True
        self.session.start()
        self._poller = self.set_interval(self.options.poll, self.poll)

    # -- the picture ---------------------------------------------------------------------------

    def poll(self) -> None:
        """Look at the engine's picture; repaint what changed."""
        failure = self.session.failure
        if failure is not None and self._leaving is None:
            self.leave(int(getattr(failure, "exit_code", 1)))
            return
        self._take_options()
        now = self.clock()
        view = self.session.view
        if self.deck.notice.frozen and self._matters(view):
            self.freeze(False)
        if view is not self.view and not self.deck.notice.frozen:
            self._take(view, now)
            self.tour.see(view)
            self.caught_up(view)
            self.deck.notice.tour = self.tour.text
        self._watch_question(now)
        if self.typing and self.typing.over(now):
            self.type_in(None)
            self.say("no answer, so No: nothing was sent", "warning")
        stays = self.options.notice_time * _STAYS.get(self.deck.notice.severity, 1)
        if self.deck.notice.text and now - self._said > stays:
            self.say("")
        self._show(now)

    def freeze(self, still: bool) -> None:
        """Let a live picture stand still to be read; nothing but the picture does."""
        self.deck.notice.frozen = figures.clock(self.view.status.market_time) if still else ""

    def _matters(self, view: ConsoleView) -> bool:
        """Whether something came that nobody may miss: a card, a fault, another state."""
        cards = {card.id for card in view.cards if card.state == "pending"}
        return bool(
            cards - self._known_cards
            or view.fault
            or view.status.state != self.view.status.state
            or view.status.alarms > self.view.status.alarms
        )

    def _take(self, view: ConsoleView, now: float) -> None:
        was, self.view = self.view.status, view
        self.choice.settle(view)
        status = view.status
        if status.arrived and was.walking:
            self.say(f"stopped: {status.arrived}")
        if now - self._speed_asked > _SPEED_MEMORY:
            self.market_stopped = status.speed == 0
            if status.speed > 0 and not (status.waiting_for_operator or status.walking):
                self.speed = status.speed
        self._announce(view)

    def caught_up(self, view: ConsoleView) -> None:
        """A newer picture is there."""

    def _show(self, now: float) -> None:
        slower = 1.0 if self.app_focus else _UNFOCUSED
        self.deck.receive(self.view, now, self.options, slower)
        self.deck.footer.focus_on = self.focus_now()
        self.deck.footer.page = keys_over(self.screen)
        self.deck.footer.receive(self.view, now, 0.0)
        self._note_card(now, by_hand=False)
        if isinstance(self.screen, PageScreen):
            self.screen.show(self.view)

    def _announce(self, view: ConsoleView) -> None:
        """Results of commands and alarms go to the notice line; a new card rings when unseen."""
        pending = frozenset(card.id for card in view.cards if card.state == "pending")
        new = pending - self._known_cards
        if new:
            self._card_came = self.clock()
        self._known_cards = pending
        self.announced(self._news(view), len(new))

    def announced(self, news: Sequence[EventView], cards: int) -> None:
        """Results, alarms, and how many cards came."""
        raise NotImplementedError

    def _news(self, view: ConsoleView) -> list[EventView]:
        """What came since the last picture; of what a restart brought back, alarms of this start."""
        if not view.status.known:
            return []
        seen, self._event_seq = self._event_seq, view.events[-1].seq if view.events else 0
        alarms = [each for each in view.events if each.severity in {"error", "critical"}]
        if seen is None:
            return alarms[max(0, len(alarms) - view.status.alarms) :]
        return [e for e in view.events if e.seq > seen and (e.kind == "CMD" or e in alarms)]

    def _take_options(self) -> None:
        given = self.session.options
        if self._options_given or given is None:
            return
        self._options_given = True
        if given.tour:
            self.tour.begin()
        self._guard.window = given.repeat_guard
        self._configured = given
        self._use(given)
        self.settled_in()

    def _use(self, options: ConsoleOptions) -> None:
        looks = (options.theme, options.glyphs) != (self.options.theme, self.options.glyphs)
        self.options = options
        if looks:
            self.use_looks(options)
        if self._poller is not None:
            self._poller.stop()
            self._poller = self.set_interval(options.poll, self.poll)

    def follow_settings(self, overrides: Mapping[str, str]) -> None:
        """What an operator changed while the run goes on holds here, too."""
        self._use(preferred(self._configured, overrides))

    # -- what keys act on ----------------------------------------------------------------------

    def focus_now(self) -> Focus:
        """What is under the cursors."""
        deck = self.deck
        rows = deck.list_pane(self.pane)
        return Focus(
            self.pane,
            deck.positions.current(),
            deck.conflicts.current(),
            deck.orders.current(),
            rows.selected if rows else "",
            search=rows.search if rows else "",
            remembers=self.options.layout is not None,
            touring=self.tour.on,
            watching=self.session.watching,
        )

    def guarded(self, name: str) -> bool:
        """Whether this is the same key held down, or part of a paste."""
        now = self.clock()
        pasted = self._burst.pasted(now)
        if pasted:
            self.say("keys came faster than anybody types: nothing was ordered", "warning")
        return self._guard.repeated(name, now) or pasted

    def cards_readable(self, now: float) -> bool:
        """Whether every waiting card has been on screen long enough to be meant."""
        return now - self._card_came >= self.options.arm_delay

    def card_readable(self, now: float) -> bool:
        """Whether the selected card has been on screen long enough to be meant."""
        self._note_card(now, by_hand=False)
        return now - self._card_shown[2] >= self.options.arm_delay

    def _note_card(self, now: float, by_hand: bool) -> None:
        card = self.deck.conflicts.current()
        key = (card.id, card.content_hash) if card else ("", "")
        if key != self._card_shown[:2]:
            known = by_hand and key[0] in self._known_cards
            self._card_shown = (*key, now - self.options.arm_delay if known else now)

    def move(self, step: Callable[[ListPane], None]) -> None:
        """Move the cursor of the focused list; book and chart follow."""
        pane = self.deck.list_pane(self.pane)
        if pane is not None:
            step(pane)
            self._note_card(self.clock(), by_hand=True)
            self.moved()

    def moved(self) -> None:
        """Another row is under the cursor: what follows it goes along."""
        self.choice.settle(self.view)
        self.deck.rebuild("book", "chart", "agents")

    def settled_in(self) -> None:
        """The settings came."""

    def show_pane(self, name: str) -> None:
        """Focus a pane, giving it room when it has none."""
        self.pane = name
        self.deck.wants(chosen=name)
        self.deck.panes[name].focus(scroll_visible=False)
        self.deck.notice.chosen = name
        self.deck.rebuild("notice")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if event.widget.id in self.deck.panes and event.widget.id is not None:
            self.pane = event.widget.id
            self.deck.notice.chosen = self.pane

    # -- questions, prompts, pages -------------------------------------------------------------

    def ask(self, question: Question | None) -> None:
        """Put a question on the selected card, or take it away."""
        self.question = question
        pane = self.deck.conflicts
        pane.question = question
        if question:
            pane.selected = question.card.id
            pane.question_left = question.timeout
        self.deck.footer.asking = question is not None
        self.deck.wants(asking=question is not None)
        self.deck.rebuild("conflicts", "footer")

    def answer_yes(self) -> None:
        """The operator typed y under the question."""
        question = self.question
        if question is None or not question.armed(self.clock()):
            return
        gone = question.withdrawn(self.session.view.cards)
        self.ask(None)
        if gone:
            self.say(f"not approved: {gone}", "warning")
            return
        card = question.card
        self.send(
            ApproveCard(card_id=card.id, content_hash=card.content_hash),
            f"approving {number(card.id)}: {card.action}",
        )

    def _watch_question(self, now: float) -> None:
        question = self.question
        if question is None:
            return
        gone = question.withdrawn(self.view.cards)
        if gone:
            self.ask(None)
            self.say(f"question withdrawn: {gone}", "warning")
        elif question.left(now) <= 0:
            self.ask(None)
            self.say("no answer, so No: the card still waits", "warning")
        else:
            self.deck.conflicts.question_left = question.left(now)

    def type_in(self, line: Typed | None) -> None:
        """Let the operator type a line, or show the ordinary one again."""
        self.typing = line
        prompt = None if line is None else line.prompt
        self.deck.notice.prompt = prompt
        self.deck.footer.typing = prompt.hint if prompt else ""
        self.deck.rebuild("notice", "footer")

    def _typed(self, line: Typed, event: events.Key) -> None:
        goes_on = line.take(event.key, event.character)
        if self.typing is line:  # it may have asked for another one
            self.type_in(line if goes_on else None)

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted is text for the line being typed, and otherwise nothing."""
        if self.typing and not isinstance(self.screen, ModalScreen):
            self.typing.paste(event.text)
            self.type_in(self.typing)

    def open_page(self, title: str, build: Builder) -> None:
        """A page over the deck."""
        self.push_screen(PageScreen(printable(title), build, self.ink, self.view))

    def close_pages(self) -> None:
        """Back to the deck from any page or question, whatever was opened from it."""
        for screen in self.screen_stack[:0:-1]:
            if isinstance(screen, ModalScreen):
                screen.dismiss(None)

    def say(self, text: str, severity: str = "info") -> None:
        """One line to the operator."""
        self._said = self.clock()
        self.deck.notice.text = text
        self.deck.notice.severity = severity
        self.deck.rebuild("notice")

    def send(self, command: OperatorCommand, text: str, remark: str = "") -> None:
        """Submit a command and say so; ``remark`` is added to what came of it, too."""
        self.session.submit(command)
        self.remark = remark or (moments.filled_by(command) if self.market_stopped else "")
        self.say(moments.ordered(self.view, text) + self.remark)

    # -- Textual's doors -----------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Halt before anything else sees the key: text fields swallow even priority bindings."""
        if isinstance(event, events.Key) and not event.is_forwarded and event.key in HALT.keys:
            self._halt(sent=isinstance(event, HaltHeard))
            return
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._burst.note(self.clock())
            if self._refused == self.deck.notice.text != "":  # it answered the key before this one
                self.say("")
        await super().on_event(event)

    def action_halt(self) -> None:
        """Stop all new exposure, whatever is open on the screen."""
        self._halt(sent=False)

    def halt_heard(self) -> None:
        """From the thread that reads the keys: the screen's loop may be stuck in a write."""
        if not self._guard.repeated("halt heard", self.clock()):
            self.session.submit(Halt())

    def _halt(self, sent: bool) -> None:
        if self._guard.repeated("halt", self.clock()):  # never hindered by a paste
            return
        if not sent:
            self.session.submit(Halt())
        self.ask(None)
        self.type_in(None)
        self.close_pages()
        if over := moments.over(self.view):
            self.say(over, "error" if self.view.fault else "info")
        else:
            self.say(moments.halt_ordered(self.view), "error")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action not in actions.BY_NAME:
            return super().check_action(action, parameters)
        if action in ALWAYS:
            return True
        if isinstance(self.screen, ModalScreen) or self.question or self.typing:
            return False
        if self.deck.too_small and action not in {"quit", "hint_quit"}:
            return False
        return actions.possible(action, self.view, self.focus_now())

    async def on_key(self, event: events.Key) -> None:
        """Keys no action took: answers, filters, and keys that are impossible now."""
        if isinstance(self.screen, ModalScreen):
            return
        event.prevent_default()
        event.stop()
        if self.question:
            self._answered(event.key)
        elif self.typing:
            self._typed(self.typing, event)
        else:
            action = actions.meant(event.key, self.pane)
            if action and not self.deck.too_small:
                self.say(f"{key_text(event.key)}: {action.why_not(self.view, self.focus_now())}")
            elif event.is_printable:
                self.say(f"{event.character} does nothing here · ? shows every key")
            self._refused = self.deck.notice.text

    def _answered(self, key: str) -> None:
        if key == "y":
            self.answer_yes()
        elif key != "a":  # the trigger itself, perhaps held down, is no answer
            self.ask(None)
            self.say("No: nothing was sent, the card still waits")
