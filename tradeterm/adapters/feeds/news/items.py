"""What strangers wrote, cleaned at the border: text in, headlines out, and nothing else."""

from __future__ import annotations

import calendar
import hashlib
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from tradeterm.errors import DataError
from tradeterm.model.market import News
from tradeterm.model.text import clean
from tradeterm.model.timing import SECOND

#: A feed or file is read no further than this.
MOST_BYTES: Final = 1024 * 1024
#: Texts of one source: the first of a feed, which gives its newest first, the newest of a folder.
MOST_ITEMS: Final = 100
TEXT_LIMIT: Final = 280
SUFFIXES: Final = frozenset({".txt", ".md"})
#: How a whole document ends, looked for in its last bytes.
_END: Final = re.compile(rb"</\s*(?:rss|feed|rdf:rdf)\s*>", re.IGNORECASE)
_TAIL: Final = 1024
_TAG: Final = re.compile(r"<[^<>]{0,2000}>")
#: Base asset → what people call it, beside its ticker.
_CALLED: Final = {
    "BTC": ("bitcoin",),
    "ETH": ("ethereum", "ether"),
    "XRP": ("ripple",),
    "SOL": ("solana",),
    "ADA": ("cardano",),
    "DOGE": ("dogecoin",),
    "LTC": ("litecoin",),
    "DOT": ("polkadot",),
    "LINK": ("chainlink",),
    "AVAX": ("avalanche",),
    "BCH": ("bitcoin cash",),
}


class Item(msgspec.Struct, frozen=True, order=True):
    """One text; ``ts`` (ns) is 0 where its source does not say when it is of."""

    ts: int
    id: str
    source: str
    text: str

    def news(self, ts: int, assets: Assets) -> News:
        """As the engine takes it, at ``ts``."""
        return News(ts, self.source, self.text, assets.named(self.text), self.id)


class Document(NamedTuple):
    """What a source held, and what is wrong with it: whole texts count all the same."""

    items: list[Item]
    fault: str = ""
    beyond: int = 0
    """Texts left out because there were more than ``MOST_ITEMS``."""


class Assets:
    """Finds which of the assets that are traded a text names."""

    def __init__(self, symbols: Iterable[str]) -> None:
        assets = dict.fromkeys(asset for symbol in symbols for asset in symbol.split("/"))
        self._named = {asset: _pattern(asset) for asset in assets}

    def named(self, text: str) -> tuple[str, ...]:
        """In the order of the symbols."""
        return tuple(asset for asset, pattern in self._named.items() if pattern.search(text))


def _pattern(asset: str) -> re.Pattern[str]:
    """The ticker in capitals, or its names in any case."""
    names = "|".join(f"(?i:{re.escape(name)})" for name in _CALLED.get(asset, ()))
    ticker = rf"\b{re.escape(asset)}\b"
    return re.compile(rf"{ticker}|\b(?:{names})\b" if names else ticker)


def entries(data: bytes, source: str) -> Document:
    """The entries of an RSS or Atom document; raises DataError when it is none.

    Where it breaks off, its last entry may be half of one: it is left out, and the fault says so.
    """
    import feedparser  # 60 ms, and only where somebody reads one

    # Bytes in a buffer: given a name, feedparser would open files and addresses.
    found: Any = feedparser.parse(
        BytesIO(data[:MOST_BYTES]), sanitize_html=False, resolve_relative_uris=False
    )
    if not found.entries and not found.get("version"):
        raise DataError(f"{source} is neither RSS nor Atom")
    whole = found.entries
    fault = ""
    if found.bozo and not _END.search(data[-_TAIL:]):
        whole = whole[:-1]
        fault = f"{source} breaks off in the middle: {len(whole)} whole entries are read"
    items = [_entry(one, source) for one in whole[:MOST_ITEMS]]
    return Document(items, fault, len(whole) - len(items))


def _entry(one: Any, source: str) -> Item:
    title, summary = _plain(one.get("title")), _plain(one.get("summary"))
    text = f"{title} — {summary}" if title and summary and summary != title else title or summary
    # dict's own get: feedparser's takes one date for the other, with a warning.
    stamp = dict.get(one, "published_parsed") or dict.get(one, "updated_parsed")
    name = str(one.get("id") or one.get("link") or text)
    return Item(_seconds(stamp) * SECOND, _id(source, name), source, clean(text, TEXT_LIMIT))


def _plain(value: object) -> str:
    """Without tags and entities: what is left is shown as it stands, never as markup."""
    return html.unescape(_TAG.sub(" ", value[: 8 * TEXT_LIMIT])) if isinstance(value, str) else ""


def _seconds(stamp: Any) -> int:
    try:
        return max(0, calendar.timegm(stamp)) if stamp else 0
    except (OverflowError, TypeError, ValueError):
        return 0


def texts(folder: Path) -> Document:
    """The text files of a folder, oldest first; a file is as old as its last change."""
    source = clean(folder.name, 40)
    files = sorted(
        (path.stat().st_mtime_ns // SECOND * SECOND, path)
        for path in folder.iterdir()
        if path.suffix in SUFFIXES and path.is_file()
    )
    newest = files[-MOST_ITEMS:]
    items = sorted(_file(path, stamp, source) for stamp, path in newest)
    return Document(items, beyond=len(files) - len(newest))


def _file(path: Path, stamp: int, source: str) -> Item:
    with path.open("rb") as file:
        data = file.read(16 * TEXT_LIMIT)
    text = clean(data.decode("utf-8", "replace"), TEXT_LIMIT)
    return Item(stamp, _id(source, f"{path.name}:{text}"), source, text)


def read_path(path: Path) -> Document:
    """A folder of text files, or one RSS or Atom file; raises DataError."""
    try:
        if path.is_dir():
            return texts(path)
        with path.open("rb") as file:
            return entries(file.read(MOST_BYTES), clean(path.stem, 40))
    except OSError as error:
        raise DataError(
            f"agents.sentiment_analysis.sources: {path}: {error.strerror}; name an RSS or Atom "
            "file, a folder of .txt files, or an address"
        ) from error


def _id(source: str, name: str) -> str:
    told = f"{source}\n{name}"
    return f"news-{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:16]}"


def once(items: Sequence[Item]) -> Iterator[Item]:
    """Each text once, empty ones never."""
    seen: set[str] = set()
    for item in items:
        if item.text and item.id not in seen:
            seen.add(item.id)
            yield item
