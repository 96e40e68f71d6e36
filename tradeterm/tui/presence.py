"""Whether anybody is there: idle banner, pausing when nobody is, calling back, how the screen fares."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from textual import events

from tradeterm.engine.view import ConsoleView, EventView
from tradeterm.model.commands import Pause
from tradeterm.tui.attention import Attention
from tradeterm.tui.console import HALT, Console
from tradeterm.tui.options import ConsoleOptions
from tradeterm.tui.pulse import LATE, Pulse
from tradeterm.tui.session import EngineSession

MINUTE, HOUR = 60.0, 3600.0
_RANK = ("info", "warning", "error", "critical")
#: Seconds after which a critical alarm calls again when no key was pressed since.
AGAIN = 300.0
#: Actor of the pause that nobody ordered.
IDLE = "console.idle_pause"


class Presence(Console):
    """Looks after an operator who may have gone."""

    def __init__(
        self,
        session: EngineSession,
        options: ConsoleOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(session, options, clock)
        self.pulse = Pulse()
        self.debugging = False
        self._attention = Attention(self.bell, self._to_terminal)
        self._touched = self.clock()
        """When a key or button was last pressed."""
        self._idle_paused = False
        self._unanswered: tuple[str, float] | None = None
        """A critical alarm since which no key was pressed, and when it called last."""
        self._preferred: dict[str, str] = {}

    # -- keys ----------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """The first key after a long time only ends the banner; a halt is a halt."""
        if isinstance(event, events.Key | events.MouseDown) and not event.is_forwarded:
            was_idle, self._touched = bool(self.deck.notice.idle), self.clock()
            self._idle_paused, self._unanswered = False, None
            if was_idle:
                self._show_idle(0.0)
                if not (isinstance(event, events.Key) and event.key in HALT.keys):
                    return
        await super().on_event(event)

    def action_debug_line(self) -> None:
        self.debugging = not self.debugging
        self._show_pulse(self.clock())
        self.deck.rebuild("notice")

    # -- every look ----------------------------------------------------------------------------

    def poll(self) -> None:
        now = self.clock()
        suspended = self.suspension.ended(self.pulse.since(now))
        self.pulse.beat(now, self.options.poll)
        self._show_pulse(now)
        super().poll()
        if suspended:
            self._say_suspended(suspended)
        self._watch_idle(now - self._touched)
        self._call_again(now)

    def _say_suspended(self, seconds: float) -> None:
        also = ", and the market with it"
        if self.view.status.mode == "LIVE":
            also = ", and the engine with it: no stop was watched"
        told = f"the screen was suspended {seconds:,.0f} s"
        self.say(told if self.session.watching else told + also, "warning")

    def _call_again(self, now: float) -> None:
        """A critical alarm is told until somebody presses a key, whoever looks at the terminal."""
        if self._unanswered is not None and now - self._unanswered[1] >= AGAIN:
            text = self._unanswered[0]
            self._unanswered = (text, now)
            self.say(f"UNANSWERED {text}", "error")
            self._call(f"unanswered: {text}")

    def _watch_idle(self, seconds: float) -> None:
        after = self.options.idle_after * MINUTE
        self._show_idle(seconds if after and seconds >= after and self.view.status.known else 0.0)
        policy = self.options.idle_pause * HOUR
        if not policy or seconds < policy or self._idle_paused or self.session.watching:
            return
        self._idle_paused = True
        if self.view.status.state == "running":
            self.send(Pause(actor=IDLE), "nobody is there: pausing trading, exits go on")

    def _show_idle(self, seconds: float) -> None:
        text = ""
        if seconds:
            held = len(self.view.positions)
            waiting = sum(card.state == "pending" for card in self.view.cards)
            text = (
                f"IDLE {int(seconds // MINUTE)} min: no key · positions: {held} · "
                f"cards that wait: {waiting} · any key ends this"
            )
        if text != self.deck.notice.idle:
            self.deck.notice.idle = text
            self.deck.rebuild("notice")

    def _show_pulse(self, now: float) -> None:
        pulse, bar = self.pulse, self.deck.status
        late = f"{pulse.lag:.1f}s" if pulse.lag > LATE else ""
        if late != bar.late:
            bar.late = late
            self.deck.rebuild("status")
        self.deck.notice.debug = (
            f"screen late p99 {pulse.worst * 1000:.0f} ms · {pulse.paints(now):.1f} paints/s · "
            f"queue {self._message_queue.qsize()} · picture {self.view.version} · "
            f"journal +{self.view.status.store_lag * 1000:.0f} ms"
            if self.debugging
            else ""
        )

    def post_display_hook(self) -> None:
        """Textual has painted."""
        self.pulse.painted(self.clock())

    # -- what came -----------------------------------------------------------------------------

    def announced(self, news: Sequence[EventView], cards: int) -> None:
        """The worst stays on the line; whoever looks elsewhere is called."""
        if news:
            worst = max(news, key=lambda event: (_RANK.index(event.severity), event.seq))
            more = f"  (+{len(news) - 1} in 5 Events)" if len(news) > 1 else ""
            if worst.kind == "CMD":
                more = (self.remark if worst.severity == "info" else "") + more
                self.remark = ""
            self.say(worst.text + more, "error" if worst.severity == "critical" else worst.severity)
        critical = [event.text for event in news if event.severity == "critical"]
        if critical:
            self._unanswered = (critical[-1], self.clock())
        if self.app_focus:
            return
        alarms = [event.text for event in news if event.severity in {"error", "critical"}]
        text = alarms[-1] if alarms else f"{cards} new card(s) wait for you" if cards else ""
        if text:
            self._call(text)

    def _call(self, text: str) -> None:
        options = self.options
        self._attention.call(text, self.clock(), bell=options.bell, desktop=options.desktop)

    def _to_terminal(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    # -- settings changed meanwhile ------------------------------------------------------------

    def _take(self, view: ConsoleView, now: float) -> None:
        super()._take(view, now)
        if view.overrides != self._preferred and self._options_given:
            self._preferred = view.overrides
            self.follow_settings(view.overrides)
