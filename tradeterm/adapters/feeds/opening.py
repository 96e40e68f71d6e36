"""From ``--feed`` text to a feed."""

from __future__ import annotations

from pathlib import Path

from tradeterm.errors import UsageError
from tradeterm.model.market import Feed
from tradeterm.model.vocabulary import MarketMode
from tradeterm.settings.agents import SentimentSettings, is_address
from tradeterm.settings.live import LiveSettings
from tradeterm.settings.market import MarketSettings


def open_feed(
    spec: str,
    settings: MarketSettings,
    *,
    live: LiveSettings | None = None,
    sentiment: SentimentSettings | None = None,
    seed: int | None = None,
    symbols: tuple[str, ...] | None = None,
    on_bad: str = "skip",
) -> Feed:
    """The feed that ``sim``, ``live``, ``replay:PATH`` or ``history:EXCHANGE`` names. Nothing is contacted yet.

    ``seed`` None means the configured one; ``symbols`` None means the configured ones (sim, live)
    or all in the files (replay); ``live`` is needed for a live market only; ``sentiment`` names
    sources of news; ``on_bad`` is ``skip`` or ``refuse``. Raises UsageError, ConfigError or
    DataError.
    """
    feed = _market(spec, settings, live, seed, symbols, on_bad)
    if sentiment is None or not sentiment.sources:
        return feed
    if feed.mode == MarketMode.LIVE:
        from tradeterm.adapters.feeds.live.feed import LiveFeed
        from tradeterm.adapters.feeds.news.poller import NewsPoller

        if isinstance(feed, LiveFeed):
            feed.poller = NewsPoller(sentiment, feed.symbols, feed.put, feed.now)
        return feed
    paths = [Path(source) for source in sentiment.sources if not is_address(source)]
    if not paths:
        return feed
    from tradeterm.adapters.feeds.news.dated import DatedNews

    return DatedNews(feed, paths)


def _market(
    spec: str, settings: MarketSettings, live: LiveSettings | None, seed: int | None,
    symbols: tuple[str, ...] | None, on_bad: str,
) -> Feed:  # fmt: skip
    if on_bad not in {"skip", "refuse"}:
        raise UsageError(f"--on-bad {on_bad!r} is not known; write skip or refuse")
    kind, _, rest = spec.partition(":")
    if kind == "sim" and not rest:
        from tradeterm.adapters.feeds.simulated import SimulatedFeed

        chosen = settings.simulation.seed if seed is None else seed
        return SimulatedFeed(settings, seed=chosen, symbols=symbols or settings.symbols)
    if kind == "live" and not rest and live is not None:
        from tradeterm.adapters.feeds.live.feed import LiveFeed

        return LiveFeed(live, settings, symbols or settings.symbols)
    if kind == "replay" and rest:
        from tradeterm.adapters.feeds.replay import ReplayFeed
        from tradeterm.adapters.tape.opening import open_recorded

        recorded = open_recorded(rest, settings, symbols)
        return recorded or ReplayFeed(
            Path(rest), settings, symbols=symbols, on_bad="refuse" if on_bad == "refuse" else "skip"
        )
    if kind == "history" and rest:
        from tradeterm.adapters.history.feed import HistoryFeed

        return HistoryFeed(rest, settings, symbols=symbols)
    raise UsageError(
        f"--feed {spec!r} is not known; write sim, live, replay:PATH of a file or folder, or "
        "history:EXCHANGE"
    )
