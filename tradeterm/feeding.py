"""The market a run is fed by: opened, asked what it needs, kept on a tape, supervised."""

from __future__ import annotations

from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.tape.opening import recorder
from tradeterm.errors import EngineFault
from tradeterm.model.market import Feed
from tradeterm.model.vocabulary import MarketMode
from tradeterm.sessions import RunRequest
from tradeterm.supervising import Task


def open_market(request: RunRequest) -> Feed:
    """The feed a request names; nothing is contacted yet.

    Raises UsageError, ConfigError or DataError.
    """
    return open_feed(
        request.feed,
        request.settings.market,
        live=request.settings.live,
        sentiment=request.settings.agents.sentiment_analysis,
        seed=request.seed,
        symbols=request.symbols,
        on_bad=request.on_bad,
    )


async def prepare(feed: Feed) -> None:
    """What a live market has to be asked before a run can begin on it."""
    if feed.mode == MarketMode.LIVE.value:
        from tradeterm.adapters.feeds.live.feed import LiveFeed

        if isinstance(feed, LiveFeed):
            await feed.prepare()


def on_tape(feed: Feed, store: Store, run: str, request: RunRequest, *, begin: bool) -> Feed:
    """The same feed, kept on the run's tape where the request or a live market asks for it."""
    return recorder(
        feed,
        store.paths.tape / run,
        request.settings.recording,
        begin=begin,
        wanted=request.record,
    )


def remarks(feed: Feed, request: RunRequest) -> list[str]:
    """What the operator should know about the news that go along with a market."""
    if not request.settings.agents.sentiment_analysis.sources:
        return []
    from tradeterm.adapters.feeds.news.dated import DatedNews

    return [feed.remark()] if isinstance(feed, DatedNews) else []


def parts(feed: Feed) -> list[Task]:
    """What a live market keeps at work beside the run; ``feed`` as it was opened."""
    if feed.mode != MarketMode.LIVE.value:
        return []
    from tradeterm.adapters.feeds.live.feed import LiveFeed

    assert isinstance(feed, LiveFeed)

    async def listen_again() -> None:
        raise EngineFault("only a restart listens to the market again")

    async def look_again() -> None:
        if poller is not None:
            poller.start()

    poller = feed.poller
    found = [Task("market", lambda: feed.fault, listen_again)]
    if poller is not None:
        found.append(Task("news", lambda: poller.fault, look_again))
    return found
