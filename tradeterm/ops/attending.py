"""What goes along with a run outside its screen: notifications and metrics, where configured."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tradeterm.engine.view import EventView
from tradeterm.errors import ConfigError
from tradeterm.settings.console import ConsoleSettings
from tradeterm.supervising import Task

ENV_FILE = Path(".env")


class Attendants:
    """Begun before the run, closed after it; both absent by default."""

    def __init__(self, settings: ConsoleSettings, db: Path) -> None:
        """``db``: the run's book of record; ConfigError for a bad channel or a taken port."""
        self._closers: list[Callable[[], None]] = []
        self.tasks: list[Task] = []
        """What has to be alive as long as the run is."""
        self.tell: Callable[[Sequence[EventView]], None] | None = None
        self._notify(settings, db)
        if settings.metrics.port:
            self._measure(settings.metrics.port, db)

    def close(self) -> None:
        """Send what waits, answer no more scrapes."""
        for close in self._closers:
            close()

    def _notify(self, settings: ConsoleSettings, db: Path) -> None:
        from tradeterm.adapters.advisors.keys import find_key

        name = settings.notifications.urls
        urls = find_key(name, os.environ, ENV_FILE, keyring=False)
        if urls is None:
            return
        from tradeterm.ops.notifying import Notifier, channels

        try:
            send = channels(urls)
        except ValueError as error:
            raise ConfigError(
                f"{name}: {error}; write addresses such as ntfy://topic, separated by spaces"
            ) from error
        notifier = Notifier(settings.notifications, send, db.stem)
        notifier.start()
        self.tell = notifier.take
        self.tasks.append(notifier.task)
        self._closers.append(notifier.close)

    def _measure(self, port: int, db: Path) -> None:
        from tradeterm.control import ask
        from tradeterm.ops.metrics import MetricsServer

        try:
            server = MetricsServer(port, lambda: ask(db, "status"))
        except OSError as error:
            raise ConfigError(
                f"console.metrics.port {port}: {error.strerror}; choose another port, or 0 for none"
            ) from error
        self.tasks.append(server.task)
        self._closers.append(server.close)
