"""Fetching a news address: only the host that was configured, a megabyte, a few seconds."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import IO, Any, Final
from urllib.parse import urlsplit

from tradeterm.adapters.feeds.news.items import MOST_BYTES
from tradeterm.errors import DataError
from tradeterm.model.text import clean

#: Seconds for a whole answer, and between two of its parts.
DEADLINE, PATIENCE = 10.0, 5.0
CHUNK: Final = 16 * 1024


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects on the same host, and on no other."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        if _origin(newurl) != _origin(req.full_url):
            host = clean(urlsplit(newurl).hostname or "?", 60)
            raise DataError(f"it sends us on to {host}, which is not among the sources")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str) -> bytes:
    """The document at ``url``; raises DataError with the reason in words."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SameHost)
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})  # noqa: S310
    until = time.monotonic() + DEADLINE
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            return _body(answer, until)
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise DataError(clean(f"{type(error).__name__}: {why}", 120)) from error


def _body(answer: Any, until: float) -> bytes:
    found = bytearray()
    while chunk := answer.read1(CHUNK):
        found += chunk
        if len(found) > MOST_BYTES:
            raise DataError(f"it is larger than {MOST_BYTES // 1024} kB")
        if time.monotonic() > until:
            raise DataError(f"it takes longer than {DEADLINE:g} s")
    return bytes(found)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
