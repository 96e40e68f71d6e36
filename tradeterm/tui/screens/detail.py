"""A page about one row: facts that follow the market, below them what the book of record says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tradeterm.engine.view import ConsoleView
from tradeterm.errors import TradetermError
from tradeterm.tui.ink import BLANK, Ink, Line, wrap
from tradeterm.tui.screens.text import PageScreen

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

log = logging.getLogger(__name__)

#: Seconds between two pictures of a page: a plot costs tens of milliseconds.
EVERY = 1.0


class Detail(Protocol):
    """What a page about one row is made of."""

    def lines(self, view: ConsoleView, story: Any, width: int) -> Sequence[Line]:
        """The page; ``story`` is None until it is read."""
        ...

    def mark(self, view: ConsoleView) -> object:
        """The story is read again when this changes."""
        ...

    def read(self, reader: Reader) -> Any:
        """The story; runs in a thread."""
        ...


class DetailScreen(PageScreen):
    """Follows the market once a second, and its row whenever that changes."""

    WIDEST: ClassVar[int] = 120

    def __init__(
        self,
        title: str,
        detail: Detail,
        store: Path | None,
        ink: Ink,
        view: ConsoleView,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(title, self._lines, ink, view)
        self._detail = detail
        self._store = store
        self._clock = clock
        self._shown = clock()
        self._mark = detail.mark(view)
        self._story: Any = None
        self._told = "" if store else "the engine is still starting: its story comes with it"

    def on_mount(self) -> None:
        super().on_mount()
        self._look()

    def show(self, view: ConsoleView) -> None:
        mark = self._detail.mark(view)
        if mark != self._mark:
            self._mark = mark
            self._look()
        elif self._clock() - self._shown < EVERY:
            return
        self._shown = self._clock()
        super().show(view)

    def _look(self) -> None:
        if self._store is not None:
            if self._story is None:
                self.pane.told = "reading the book of record …"
            self.run_worker(self._read_store, thread=True, exclusive=True)

    def _read_store(self) -> None:
        from tradeterm.adapters.store.reader import Reader

        assert self._store is not None
        story, told = None, ""
        try:
            with Reader(self._store) as reader:
                story = self._detail.read(reader)
        except TradetermError as error:
            told = str(error)
        except Exception as error:  # a page that fails must not take the console with it
            log.exception("the page %s", self.pane.heading())
            told = f"its story failed ({type(error).__name__}); the log file says more"
        if self.is_attached:
            self.app.call_from_thread(self._take, story, told)

    def _take(self, story: Any, told: str) -> None:
        self._story, self._told, self.pane.told = story or self._story, told, ""
        self.fit()
        self.pane.rebuild()

    def _lines(self, view: ConsoleView, width: int) -> Sequence[Line]:
        lines = [*self._detail.lines(view, self._story, width)]
        told: list[Line] = [((part, "quiet"),) for part in wrap(self._told, width)]
        return [*lines, BLANK, *told] if self._told else lines
