"""News from outside: files, folders and addresses, however strange; cleaned, dated, once."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.wired.stage import play, request
from tradeterm.adapters.feeds.live.feed import LiveFeed
from tradeterm.adapters.feeds.news.dated import DatedNews
from tradeterm.adapters.feeds.news.items import MOST_BYTES, MOST_ITEMS, Assets, entries, texts
from tradeterm.adapters.feeds.news.poller import NewsPoller
from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.desk import Desk
from tradeterm.errors import ConfigError, DataError
from tradeterm.model.market import FeedNotice, MarketEvent, News
from tradeterm.model.timing import SECOND
from tradeterm.settings.agents import SentimentSettings
from tradeterm.settings.loading import load_settings

START = 1_748_822_400  # 2025-06-02T00:00:00Z
SYMBOLS = ("BTC/USDT", "XRP/USDT")


def rss(*entries: tuple[str, str, str]) -> bytes:
    """A document of (title, RFC 822 date, guid)."""
    items = "".join(
        f"<item><title>{title}</title><pubDate>{date}</pubDate><guid>{guid}</guid></item>"
        for title, date, guid in entries
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{items}</channel></rss>'.encode()


EARLY = "Mon, 02 Jun 2025 00:02:00 GMT"
LATER = "Mon, 02 Jun 2025 00:05:30 GMT"
ATOM = b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><entry>
<id>a1</id><title>Ripple wins</title><updated>2025-06-02T00:01:00Z</updated>
<summary type="html">&lt;b&gt;XRP&lt;/b&gt; soars</summary></entry></feed>"""


def test_rss_and_atom_become_dated_headlines() -> None:
    (early, undated) = entries(
        rss(("Bitcoin soars", EARLY, "1"), ("No date", "", "2")), "wire"
    ).items
    assert (early.ts, early.text, early.source) == ((START + 120) * SECOND, "Bitcoin soars", "wire")
    assert undated.ts == 0
    (atom,) = entries(ATOM, "wire").items
    assert atom.text == "Ripple wins — XRP soars"
    assert atom.ts == (START + 60) * SECOND


def test_what_strangers_write_is_cleaned() -> None:
    document = rss(
        ("&lt;script&gt;x&lt;/script&gt; &#27;[2J up \u202e[@click=quit]", EARLY, "\x07id"),
        ("A" * 5000, EARLY, "long"),
    ).replace(b"\x07", b"")
    marked, long = entries(document, "wire").items
    assert "\x1b" not in marked.text
    assert "<script>" not in marked.text
    assert "\u202e" not in marked.text
    assert len(long.text) <= 280
    assert marked.id.startswith("news-")


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 100, b"<html><p>no feed</p></html>", b"{}"])
def test_what_is_no_feed_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="neither RSS nor Atom"):
        entries(data, "wire")


@pytest.mark.parametrize(("cut", "whole"), [(60, 0), (130, 0), (250, 1), (-8, 1), (None, 2)])
def test_a_document_that_breaks_off_gives_its_whole_entries_and_says_so(
    cut: int | None, whole: int
) -> None:
    document = rss(("Bitcoin soars", EARLY, "1"), ("Ripple dips", LATER, "2"))
    found = entries(document[:cut], "wire")
    assert [item.text for item in found.items] == ["Bitcoin soars", "Ripple dips"][:whole]
    broken = f"wire breaks off in the middle: {whole} whole entries are read"
    assert found.fault == ("" if whole == 2 else broken)


def test_careless_markup_is_no_break() -> None:
    found = entries(rss(("Bitcoin & friends", EARLY, "1")), "wire")
    assert ([item.text for item in found.items], found.fault) == (["Bitcoin & friends"], "")


def test_entities_do_not_explode() -> None:
    bomb = (
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "xxxxxxxxxx">'
        + b"".join(
            f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">'.encode() for n in range(8)
        )
        + b']><rss version="2.0"><channel><item><title>&i;</title></item></channel></rss>'
    )
    assert all(len(item.text) <= 280 for item in entries(bomb, "wire").items)


def test_assets_are_found_by_ticker_and_name() -> None:
    assets = Assets(SYMBOLS)
    assert assets.named("Bitcoin and ripple rise") == ("BTC", "XRP")
    assert assets.named("XRPL is not a ticker, btc is not written so") == ()
    assert assets.named("BTC/USDT") == ("BTC", "USDT")


def write(path: Path, text: str, second: int) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (START + second, START + second))


def test_a_folder_of_text_files_is_read_by_their_age(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "BTC falls\non its face", 30)
    write(tmp_path / "a.md", "BTC rises", 60)
    write(tmp_path / "c.bin", "not read", 0)
    assert [(item.text, item.ts) for item in texts(tmp_path).items] == [
        ("BTC falls on its face", (START + 30) * SECOND), ("BTC rises", (START + 60) * SECOND),
    ]  # fmt: skip


async def test_of_a_crowded_folder_the_newest_texts_are_read_and_the_rest_is_told(
    tmp_path: Path,
) -> None:
    crowd = tmp_path / "crowd"
    crowd.mkdir()
    for age in range(MOST_ITEMS + 20):  # the newer, the earlier in the alphabet
        write(crowd / f"{999 - age}.txt", f"Bitcoin {age}", 60 + age)
    found = texts(crowd)
    assert [item.text for item in found.items] == [f"Bitcoin {20 + n}" for n in range(MOST_ITEMS)]
    source = f"agents.sentiment_analysis.sources=['{crowd}']"
    desk = await Desk.open(request("sim", tmp_path / "run.db", source, symbols=("BTC/USDT",)))
    await desk.close()
    assert "20 left out, a source gives its newest 100 only" in desk.notices[0]


# -- beside a simulated market ---------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two texts inside the run, one of before it."""
    place = tmp_path / "news"
    place.mkdir()
    write(place / "one.txt", "Bitcoin surges, record inflows", 90)
    write(place / "two.txt", "Bitcoin crashes after hack", 150)
    write(place / "old.txt", "Yesterday", -5)
    return place


def take(feed: Any, count: int) -> list[MarketEvent]:
    found: list[MarketEvent] = []
    while len(found) < count:
        found += feed.take()
    return found[:count]


def test_texts_enter_at_their_time_and_a_mark_finds_its_way_back(folder: Path) -> None:
    settings = load_settings().settings.market

    def opened() -> DatedNews:
        return DatedNews(open_feed("sim", settings, symbols=("BTC/USDT",)), [folder])

    feed = opened()
    events = take(feed, 1200)
    mine = [(e.ts // SECOND - START, e.text) for e in events
            if isinstance(e, News) and e.source == "news"]  # fmt: skip
    assert mine == [(90, "Bitcoin surges, record inflows"), (150, "Bitcoin crashes after hack")]
    assert [e.ts for e in events] == sorted(e.ts for e in events)
    places = [index for index, e in enumerate(events)
              if isinstance(e, News) and e.source == "news"]  # fmt: skip
    for position in (0, 1, *(place + off for place in places for off in (0, 1)), 1150):
        again, other = opened(), opened()
        taken = 0
        while taken < position:
            taken += len(again.take())
        other.seek(again.mark(position))
        assert take(other, 1150 - position) == events[position:1150]


async def test_the_sentiment_of_a_run_follows_from_the_folder(tmp_path: Path, folder: Path) -> None:
    quiet = "market.simulation.news_interval=1000000"
    often = "orchestration.schedule.sentiment_analysis.interval=60"
    source = f"agents.sentiment_analysis.sources=['{folder}']"
    asked = request(
        "sim", tmp_path / "run.db", quiet, often, source, until="4m", symbols=("BTC/USDT",)
    )
    record = (await play(asked)).sound()
    moods = [o["output"] for o in record.bodies("agent_output")
             if o["agent"] == "sentiment_analysis"]  # fmt: skip
    assert [mood["items"] for mood in moods][:2] == [1, 2]
    assert moods[0]["bias"] == "long"
    # Other texts are another market: the run is not continued on them.
    write(folder / "three.txt", "BTC", 200)
    with pytest.raises(Exception, match="news"):
        await play(request(
            "sim", tmp_path / "run.db", quiet, often, source, until="8m", symbols=("BTC/USDT",)
        ))  # fmt: skip


@pytest.mark.parametrize(
    ("ages", "told"),
    [
        ((90,), "1 dated 2025-06-02T00:01:30.000Z to 2025-06-02T00:01:30.000Z, each appears"),
        ((-60, 90), "; 1 earlier or undated: never seen"),
        ((-60,), "no text is dated after the market's beginning; 1 earlier or undated"),
    ],
)
async def test_a_run_says_which_texts_it_will_see(
    tmp_path: Path, ages: tuple[int, ...], told: str
) -> None:
    folder = tmp_path / "news"
    folder.mkdir()
    for age in ages:
        write(folder / f"{age}.txt", f"Bitcoin {age}", age)
    source = f"agents.sentiment_analysis.sources=['{folder}']"
    desk = await Desk.open(request("sim", tmp_path / "run.db", source, symbols=("BTC/USDT",)))
    await desk.close()
    (notice,) = desk.notices
    assert notice.startswith("agents.sentiment_analysis.sources: ")
    assert told in notice


def test_a_source_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    sentiment = sources(str(tmp_path / "absent.xml"))
    with pytest.raises(DataError, match="No such file"):
        open_feed("sim", load_settings().settings.market, sentiment=sentiment)


# -- live ------------------------------------------------------------------------------------


def sources(*named: str) -> SentimentSettings:
    listed = ", ".join(f"'{name}'" for name in named)
    loaded = load_settings(None, (f"agents.sentiment_analysis.sources=[{listed}]",))
    return loaded.settings.agents.sentiment_analysis


class _Site(BaseHTTPRequestHandler):
    """Answers by path."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("location", "https://elsewhere.invalid/feed")
            self.end_headers()
            return
        bodies = {
            "/feed": rss(("Bitcoin soars", LATER, "1"), ("Ripple dips", LATER, "2")),
            "/huge": b"x" * (MOST_BYTES + 1),
            "/page": b"<html>no feed</html>",
            "/half": rss(("Bitcoin soars", LATER, "1"), ("Ripple dips", LATER, "2"))[:200],
        }
        self.send_response(200 if self.path in bodies else 500)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(bodies.get(self.path, b""))

    def log_message(self, *_: object) -> None:
        """Not on the test's standard error."""


@pytest.fixture
def site() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def looked(*named: str, times: int = 1) -> list[MarketEvent]:
    """What a poller hands on; each event is stamped like an arrival."""
    found: list[MarketEvent] = []
    now = (START + 600) * SECOND
    poller = NewsPoller(sources(*named), SYMBOLS, lambda make: found.append(make(now)), lambda: now)
    for _ in range(times):
        poller.look()
    return found


def test_an_address_is_read_and_each_text_told_once(site: str) -> None:
    found = looked(f"{site}/feed", times=2)
    told = sorted((e.text, e.assets, e.source) for e in found if isinstance(e, News))
    assert told == [
        ("Bitcoin soars", ("BTC",), "127.0.0.1"), ("Ripple dips", ("XRP",), "127.0.0.1"),
    ]  # fmt: skip
    assert len(found) == 2


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/away", "sends us on to elsewhere.invalid, which is not among the sources"),
        ("/huge", "larger than 1024 kB"),
        ("/page", "neither RSS nor Atom"),
        ("/gone", "HTTPError"),
    ],
)
def test_a_source_that_fails_is_told_once_and_stops_nobody(site: str, path: str, why: str) -> None:
    found = looked(f"{site}{path}", f"{site}/feed", times=3)
    (notice,) = [event for event in found if isinstance(event, FeedNotice)]
    assert (notice.code, notice.symbol) == ("news_source", "")
    assert why in notice.text
    assert len([event for event in found if isinstance(event, News)]) == 2


def test_old_texts_are_left_out(site: str) -> None:
    found: list[MarketEvent] = []
    now = (START + 100 * 3600) * SECOND
    poller = NewsPoller(
        sources(f"{site}/feed"), SYMBOLS, lambda make: found.append(make(now)), lambda: now
    )
    poller.look()
    assert found == []


@pytest.mark.parametrize("address", ["http://news.example/feed", "ftp://x/y", "https:///x"])
def test_an_unsafe_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="https://"):
        sources(address)


def test_live_news_are_stamped_as_they_arrive(tmp_path: Path) -> None:
    write(tmp_path / "one.txt", "Bitcoin soars", 0)
    now = time.time()
    os.utime(tmp_path / "one.txt", (now, now))
    settings = load_settings().settings
    feed = open_feed("live", settings.market, live=settings.live, sentiment=sources(str(tmp_path)))
    assert isinstance(feed, LiveFeed)
    assert feed.poller is not None
    feed.poller.look()
    (news,) = feed.take()
    assert isinstance(news, News)
    assert news.text == "Bitcoin soars"
    assert news.ts >= feed.start
    feed.poller.look()
    assert feed.take() == []


def test_an_address_that_breaks_off_is_said_once(site: str) -> None:
    found = looked(f"{site}/half", times=3)
    assert [one.text for one in found if isinstance(one, News)] == ["Bitcoin soars"]
    (notice,) = [one for one in found if isinstance(one, FeedNotice)]
    assert "breaks off in the middle: 1 whole entries" in notice.text


async def test_a_file_that_breaks_off_is_said_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(rss(("Bitcoin soars", EARLY, "1"), ("Ripple dips", LATER, "2"))[:-30])
    source = f"agents.sentiment_analysis.sources=['{path}']"
    desk = await Desk.open(request("sim", tmp_path / "run.db", source, symbols=("BTC/USDT",)))
    await desk.close()
    assert "1 dated" in desk.notices[0]
    assert desk.notices[0].endswith("feed breaks off in the middle: 1 whole entries are read")
