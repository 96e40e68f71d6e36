"""The only way out to an exchange: its own hosts, no redirects, bodies that stay small."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from tradeterm.errors import ExchangeError

if TYPE_CHECKING:
    import aiohttp

MEBIBYTE = 2**20
#: Refusals that asking again does not change.
LASTING = frozenset({"E-HOST", "E-REDIRECT"})


class Refused(ExchangeError):
    """An answer or address that is not taken; the code says why (``E-REDIRECT`` …)."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class GuardedSession:
    """What ccxt takes for its aiohttp session."""

    def __init__(self, largest: float, seconds: float) -> None:
        """``largest`` MiB of one body; ``seconds`` for one whole request."""
        self.hosts: frozenset[str] = frozenset()
        """``host:port`` of everything that may be contacted; nothing until ``allow``."""
        self.headers: dict[str, str] = {}
        """ccxt adds these to every request."""
        self._largest = int(largest * MEBIBYTE)
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    def allow(self, addresses: Iterable[str]) -> None:
        """Only the hosts of these addresses from now on."""
        self.hosts = frozenset(_host(address) for address in addresses)

    @property
    def closed(self) -> bool:
        return self._session is None or self._session.closed

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def get(self, url: Any, **options: Any) -> _Request:
        return _Request(self, "GET", url, options)

    def post(self, url: Any, **options: Any) -> _Request:
        return _Request(self, "POST", url, options)

    def ws_connect(self, url: str, **options: Any) -> Any:
        """A websocket; no message of it may be larger than a body."""
        self.check(url)
        options["max_msg_size"] = self._largest
        options.pop("proxy", None)
        return self.open().ws_connect(url, **options)

    def check(self, url: str) -> None:
        """Raise Refused unless the address is one of the exchange's."""
        if _host(url) not in self.hosts:
            raise Refused("E-HOST", f"{_host(url)} is not a host of the exchange")

    def open(self) -> aiohttp.ClientSession:
        """The session, made on the loop that uses it."""
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                trust_env=False,  # HTTPS_PROXY and its kin lead nowhere (FAULTS N11)
                timeout=aiohttp.ClientTimeout(total=self._seconds),
            )
        return self._session

    async def request(self, method: str, url: Any, options: dict[str, Any]) -> _Answer:
        """One exchange of question and answer; raises Refused or what aiohttp raises."""
        import aiohttp

        self.check(str(url))
        options.pop("proxy", None)
        options["timeout"] = aiohttp.ClientTimeout(total=self._seconds)
        async with self.open().request(method, url, allow_redirects=False, **options) as response:
            if 300 <= response.status < 400:
                target = _host(response.headers.get("Location", "")) or "nowhere"
                raise Refused("E-REDIRECT", f"{_host(str(url))} sends us on to {target}")
            body = await self._body(response)
            return _Answer(response.status, response.reason or "", response.headers, body)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            body += chunk
            if len(body) > self._largest:
                raise Refused(
                    "E-BIGREPLY",
                    f"{_host(str(response.url))} sends more than {self._largest // MEBIBYTE} MiB",
                )
        return bytes(body)


class _Request:
    """``async with session.get(url) as answer``."""

    def __init__(
        self, session: GuardedSession, method: str, url: Any, options: dict[str, Any]
    ) -> None:
        self._session, self._method, self._url, self._options = session, method, url, options

    async def __aenter__(self) -> _Answer:
        return await self._session.request(self._method, self._url, self._options)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class _Answer:
    """What ccxt reads of a response. A 200 that holds no JSON is no answer (FAULTS N07)."""

    def __init__(self, status: int, reason: str, headers: Any, body: bytes) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self._body = body
        if status == 200 and not _is_json(body):
            start = body[:40].decode(errors="replace") or "nothing"
            raise Refused("E-NOTJSON", f"answered 200 with {start!r}, which is not whole JSON")

    async def text(self, errors: str = "replace") -> str:
        return self._body.decode(errors=errors)


def _is_json(body: bytes) -> bool:
    """Whether it is one whole object or list."""
    if body.lstrip()[:1] not in {b"{", b"["}:
        return False
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def _host(address: str) -> str:
    """``host:port``; empty for what is no address."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "ws": 80}.get(parts.scheme, 443)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname else ""
