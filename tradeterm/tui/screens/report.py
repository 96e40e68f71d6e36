"""Pages about the whole run: read from the book of record in a thread, beside the running engine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events

from tradeterm.engine.view import ConsoleView
from tradeterm.errors import TradetermError
from tradeterm.tui.ink import Ink, Line, wrap
from tradeterm.tui.screens.text import PagePane, PageScreen

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

log = logging.getLogger(__name__)

#: What a report needs from the book of record; runs in a thread.
Read = Callable[["Reader"], Any]
#: What it shows of that in so many cells.
Write = Callable[[Any, int], Sequence[Line]]


class ReportPane(PagePane):
    """Lines that scroll, and a key that reads them anew."""

    NAME: ClassVar[str] = "report"

    def hint(self) -> str:
        return super().hint() + ("" if self.typing else " · r reads again")


class ReportScreen(PageScreen):
    """A report as of the moment it was opened: it does not follow the market, ``r`` does."""

    PANE: ClassVar[type[PagePane]] = ReportPane
    WIDEST: ClassVar[int] = 160

    def __init__(
        self, title: str, store: Path, read: Read, write: Write, ink: Ink, view: ConsoleView
    ) -> None:
        super().__init__(title, self._lines, ink, view)
        self._store = store
        self._read = read
        self._write = write
        self._found: Any = None
        self._told = "reading the book of record …"
        self._drawn: tuple[int, Sequence[Line]] | None = None

    def on_mount(self) -> None:
        super().on_mount()
        self._look()

    def show(self, view: ConsoleView) -> None:
        """A newer picture changes nothing here."""

    def pressed(self, event: events.Key) -> None:
        if event.key == "r" and not self.pane.typing:
            self._look()
        else:
            super().pressed(event)

    def _look(self) -> None:
        self.run_worker(self._read_store, thread=True, exclusive=True)

    def _read_store(self) -> None:
        from tradeterm.adapters.store.reader import Reader

        try:
            with Reader(self._store) as reader:
                found, told = self._read(reader), ""
        except TradetermError as error:
            found, told = None, str(error)
        except Exception as error:  # a page that fails must not take the console with it
            log.exception("the page %s", self.pane.heading())
            found, told = None, f"this page failed ({type(error).__name__}); the log file says more"
        if self.is_attached:
            self.app.call_from_thread(self._take, found, told)

    def _take(self, found: Any, told: str) -> None:
        self._found, self._told, self._drawn = found, told, None
        self.fit()
        self.pane.rebuild()

    def _lines(self, view: ConsoleView, width: int) -> Sequence[Line]:
        """Drawn once per width: a plot costs tens of milliseconds."""
        if self._told:
            return [((part, "quiet"),) for part in wrap(self._told, width)]
        if self._drawn is None or self._drawn[0] != width:
            self._drawn = (width, self._write(self._found, width))
        return self._drawn[1]
