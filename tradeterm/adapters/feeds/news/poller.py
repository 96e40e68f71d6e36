"""Live news: sources looked at now and then on a thread of their own; texts enter as they appear."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tradeterm.adapters.feeds.news.items import Assets, Document, Item, entries, once, read_path
from tradeterm.adapters.feeds.news.wire import fetch
from tradeterm.errors import DataError
from tradeterm.model.market import FeedNotice, MarketEvent
from tradeterm.model.text import clean
from tradeterm.model.timing import SECOND
from tradeterm.settings.agents import SentimentSettings, is_address

log = logging.getLogger(__name__)

Put = Callable[[Callable[[int], MarketEvent]], None]
NOTICE = "news_source"


class NewsPoller:
    """Reads every source once a while and hands on what it has not seen."""

    def __init__(
        self, settings: SentimentSettings, symbols: Sequence[str], put: Put,
        now: Callable[[], int],
    ) -> None:  # fmt: skip
        """``put`` takes an event in the making, from any thread; ``now`` is receive time (ns)."""
        self._settings = settings
        self._assets = Assets(symbols)
        self._put = put
        self._now = now
        self._seen: set[str] = set()
        self._silent: set[str] = set()
        """Sources that could not be read, or not whole, when they were last looked at."""
        self._over = threading.Event()
        self.fault = ""
        """Why it looks no more, though nobody closed it."""

    def start(self) -> None:
        """Begin to look, or begin again after a fault."""
        self.fault = ""
        threading.Thread(target=self._live, name="news", daemon=True).start()

    def close(self) -> None:
        """Look no more; a request under way is left behind."""
        self._over.set()

    def _live(self) -> None:
        try:
            self._run()
        except Exception as error:
            log.exception("news", exc_info=error)
            self.fault = f"{type(error).__name__}: {error}"

    def _run(self) -> None:
        while not self._over.is_set():
            self.look()
            self._over.wait(self._settings.poll)

    def look(self) -> None:
        """Every source once."""
        for source in self._settings.sources:
            if self._over.is_set():
                return
            try:
                found = _read(source)
            except DataError as error:
                self._failed(source, str(error))
            except Exception as error:  # a document nobody foresaw must not end the news
                log.exception("news source %s", source)
                self._failed(source, type(error).__name__)
            else:
                self._tell(found.items)
                if found.fault:
                    self._failed(source, found.fault)
                else:
                    self._silent.discard(source)

    def _tell(self, items: Sequence[Item]) -> None:
        """What is new, and not older than counts; an undated text is of now."""
        oldest = self._now() - self._settings.window * SECOND
        for item in sorted(once(items)):
            if item.id in self._seen:
                continue
            self._seen.add(item.id)
            if not item.ts or item.ts >= oldest:
                self._put(lambda ts, item=item: item.news(ts, self._assets))  # type: ignore[misc]

    def _failed(self, source: str, why: str) -> None:
        """Said once; it is said again when it fails after it worked."""
        if source in self._silent:
            return
        self._silent.add(source)
        text = clean(f"{source}: {why}", 200)
        self._put(lambda ts: FeedNotice(ts, "", NOTICE, text))


def _read(source: str) -> Document:
    if not is_address(source):
        return read_path(Path(source))
    host = urlsplit(source).hostname or source
    return entries(fetch(source), clean(host, 40))
