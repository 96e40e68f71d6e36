"""A guarded way out for model requests: one host, no redirects, no proxies, 64 kB, plain bytes.

litellm's own HTTP would follow redirects with the key, read proxies and addresses from the
environment, and take a body of any size. httpx is not imported here: it brings rich with it.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

#: DESIGN §5.
MOST_BYTES: Final = 64 * 1024
_PORTS: Final = {"https": 443, "http": 80}


class WireFault(Exception):
    """The guard ended a request; the reason is in ``Wire``."""


@dataclass(slots=True)
class Wire:
    """What went over the wire for one call, whatever a library makes of it."""

    address: str
    sent: int = 0
    """Requests that reached somebody."""
    status: int = 0
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False
    too_large: bool = False
    strange: str = ""
    """Why a request was not let out, or an answer not in."""
    retry_after: float = 0.0


class Transport(Protocol):
    """Of httpx, as far as it is needed."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class Guard:
    """An httpx transport around another one."""

    def __init__(self, inner: Transport, wire: Wire) -> None:
        self._inner = inner
        self._wire = wire

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it where the settings say, once, and read no more than 64 kB."""
        import httpx

        wire = self._wire
        if _origin(str(request.url)) != _origin(wire.address):
            wire.strange = f"a request to {request.url.host}, which is not in the settings"
            raise WireFault
        if wire.sent:  # a library that tries again by itself: what ended the first one counts
            wire.strange = "a second request for one call" if wire.complete else ""
            raise WireFault
        request.headers["accept-encoding"] = "identity"
        wire.sent += 1
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            wire.sent -= 1
            raise
        try:
            wire.status = response.status_code
            wire.retry_after = _seconds(response.headers.get("retry-after", ""))
            if response.headers.get("content-encoding", "identity") != "identity":
                wire.strange = "a compressed answer, which nobody asked for"
                raise WireFault
            async for chunk in response.stream:  # type: ignore[union-attr]
                wire.body += chunk[: MOST_BYTES - len(wire.body)]
                if len(chunk) and len(wire.body) >= MOST_BYTES:
                    wire.too_large = True
                    raise WireFault
        finally:
            await response.aclose()
        wire.complete = True
        return httpx.Response(
            response.status_code,
            headers=[("content-type", response.headers.get("content-type", "application/json"))],
            content=bytes(wire.body),
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()

    async def __aenter__(self) -> Guard:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._inner.aclose()


def guarded(wire: Wire) -> Guard:
    """A transport for one call."""
    import httpx

    secure = urlsplit(wire.address).scheme == "https"
    inner = httpx.AsyncHTTPTransport(
        verify=_trust() if secure else False, trust_env=False, retries=0
    )
    return Guard(inner, wire)


@cache
def _trust() -> ssl.SSLContext:
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _seconds(text: str) -> float:
    """A Retry-After in seconds; 0 for none, for dates and for nonsense."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0
