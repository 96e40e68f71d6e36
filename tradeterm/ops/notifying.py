"""Notifications to the operator's own channels: by severity, never more than a few, then a digest.

Only what is durable is told. A channel's address holds its secret, so it comes from the
environment or ``.env``; Apprise knows some hundred kinds of them.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Sequence

from tradeterm.engine.view import EventView
from tradeterm.model.text import clean
from tradeterm.settings.console import NotificationSettings
from tradeterm.supervising import Task, named

log = logging.getLogger(__name__)

SEVERITIES = ("info", "warning", "error", "critical")
#: Lines of a digest; the rest are counts.
DIGEST_LINES = 10
#: Waiting events; older ones are only counted.
WAITING = 500
LINE_LIMIT = 300

#: Sends a title and a text; False when no channel took it.
Send = Callable[[str, str, str], bool]


class Notifier:
    """Takes events on the engine's thread, sends on one of its own: a slow channel holds nobody."""

    def __init__(
        self,
        settings: NotificationSettings,
        send: Send,
        run: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``run`` names the run in titles; ``clock`` is in seconds."""
        self.sent = 0
        self.failed = 0
        self._settings = settings
        self._least = SEVERITIES.index(settings.least)
        self._send = send
        self._run = run
        self._clock = clock
        self._waiting: deque[EventView] = deque(maxlen=WAITING)
        self._dropped = 0
        self._sent_at: deque[float] = deque(maxlen=settings.burst)
        self._wake = threading.Condition()
        self._ending = False
        self._failure = ""
        self._thread = threading.Thread()
        self.task = Task("notifications", self._dead, self._again)
        """What there is to supervise."""

    def start(self) -> None:
        """Begin to send."""
        self._failure = ""
        self._thread = threading.Thread(target=self._live, name="notifier", daemon=True)
        self._thread.start()

    def _dead(self) -> str:
        return self._failure

    async def _again(self) -> None:
        self.start()

    def take(self, events: Sequence[EventView]) -> None:
        """Durable events, oldest first; returns at once."""
        chosen = [each for each in events if SEVERITIES.index(each.severity) >= self._least]
        if not chosen:
            return
        with self._wake:
            self._dropped += max(0, len(self._waiting) + len(chosen) - WAITING)
            self._waiting.extend(chosen)
            self._wake.notify()

    def close(self, seconds: float = 5.0) -> None:
        """Send what waits, whatever the rate, and end; not longer than ``seconds``."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        self._thread.join(seconds)

    # -- the thread ------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            self._send_on()
        except Exception as error:
            log.exception("notifications", exc_info=error)
            self._failure = named(error)

    def _send_on(self) -> None:
        while (message := self._next()) is not None:
            title, text, severity = message
            try:
                taken = self._send(title, text, severity)
            except Exception as error:  # a channel's own bug must not end the others
                log.exception("notification", exc_info=error)
                taken = False
            self.sent += taken
            if not taken:
                self.failed += 1
                log.error("no channel took the notification %r (%d so far)", title, self.failed)

    def _next(self) -> tuple[str, str, str] | None:
        """The next message once the rate allows it; None at the end."""
        with self._wake:
            while True:
                if self._waiting and (self._ending or self._pause() <= 0):
                    self._sent_at.append(self._clock())
                    return self._worded()
                if self._ending:
                    return None
                self._wake.wait(self._pause() if self._waiting else None)

    def _pause(self) -> float:
        """Seconds until one more may leave: at most ``burst`` in any ``per`` seconds."""
        if len(self._sent_at) < self._settings.burst:
            return 0.0
        return self._sent_at[0] + self._settings.per - self._clock()

    def _worded(self) -> tuple[str, str, str]:
        """Everything that waits, in one message."""
        events, self._waiting = list(self._waiting), deque(maxlen=WAITING)
        dropped, self._dropped = self._dropped, 0
        worst = max(events, key=lambda each: SEVERITIES.index(each.severity)).severity
        lines = [clean(f"{each.kind} {each.text}", LINE_LIMIT) for each in events[-DIGEST_LINES:]]
        earlier = Counter(each.kind for each in events[:-DIGEST_LINES])
        if earlier or dropped:
            counts = ", ".join(f"{count} {kind}" for kind, count in sorted(earlier.items()))
            lines.insert(0, f"earlier: {counts or 'none kept'}, {dropped} not kept")
        many = f", {len(events)} events" if len(events) > 1 else ""
        return f"tradeterm {self._run}: {worst}{many}", "\n".join(lines), worst


def channels(urls: str) -> Send:
    """Apprise's channels by their addresses, separated by spaces or commas; ValueError for a bad one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what its plugins import
        import apprise

        known = apprise.Apprise()
        for number, url in enumerate(urls.replace(",", " ").split(), 1):
            if not known.add(url):
                raise ValueError(f"channel {number} is no address that Apprise knows")
    kinds = {
        "info": apprise.NotifyType.INFO,
        "warning": apprise.NotifyType.WARNING,
        "error": apprise.NotifyType.FAILURE,
        "critical": apprise.NotifyType.FAILURE,
    }

    def send(title: str, text: str, severity: str) -> bool:
        return bool(known.notify(body=text, title=title, notify_type=kinds[severity]))

    return send
