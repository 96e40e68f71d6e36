"""Each configured host: its name, its certificate, how far away it is, and what time it has there.

Plain sockets, so that nothing (a proxy variable, a redirect) can take the question elsewhere.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from time import monotonic, time
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from tradeterm.ops.doctor.finding import Finding, judged
from tradeterm.settings.live import LiveSettings

#: Seconds for each step of each host.
PATIENCE: Final = 5.0
#: A certificate that ends sooner is worth a word; a journey that takes longer likewise.
EXPIRY_DAYS, SLOW_SECONDS = 14, 1.0
MOST_HOSTS: Final = 16
MOST_OF_EXCHANGE: Final = 4
_DAY: Final = 86_400
#: Parts of an exchange that public data does not come from, by a word in ccxt's name for it.
_NOT_PUBLIC: Final = (
    "private",
    "auth",
    "beta",
    "test",
    "sandbox",
    "trading",
    "broker",
    "sapi",
    "zendesk",
)
_PORTS: Final = {"https": 443, "wss": 443, "http": 80, "ws": 80}


def look_at_hosts(
    exchange: Iterable[str], models: Iterable[str], max_skew: float, *, live: bool
) -> list[Finding]:
    """All of them at once, told in their order; clock drift by the exchange's first answer.

    Without ``live`` an exchange out of reach is a warning: sim and replay ask nobody.
    """
    told = [(address, True) for address in dict.fromkeys(exchange)]
    told += [(address, False) for address in dict.fromkeys(models)]
    told = told[:MOST_HOSTS]
    with ThreadPoolExecutor(max_workers=max(1, len(told))) as pool:
        looks = [pool.submit(_look, address, max_skew if ours else None) for address, ours in told]
        found = [(each, ours) for look, (_, ours) in zip(looks, told, strict=True)
                 for each in look.result()]  # fmt: skip
    return [
        replace(each, outcome="warn") if each.outcome == "fail" and ours and not live else each
        for each, ours in found
    ]


def _look(address: str, max_skew: float | None) -> list[Finding]:
    return list(look_at_host(address, max_skew))


def look_at_host(address: str, max_skew: float | None) -> Iterator[Finding]:
    """One host, step by step, to the first that fails; ``max_skew`` asks it for the time, too."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    secure = parts.scheme in {"https", "wss"}
    began = monotonic()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        named = monotonic()
        with socket.create_connection((str(found[0][4][0]), port), PATIENCE) as line:
            reached = monotonic()
            if not secure:
                yield _near(host, named - began, reached - named, "no TLS (this machine)")
                skew = _skew(line, host) if parts.scheme == "http" and max_skew else None
            else:
                with ssl.create_default_context().wrap_socket(line, server_hostname=host) as safe:
                    days = _days_left(safe)
                    shown = f"{safe.version()}, certificate for {days:.0f} days"
                    yield _near(host, named - began, reached - named, shown, days)
                    skew = _skew(safe, host) if parts.scheme == "https" and max_skew else None
    except UnicodeError:
        yield _far(host, port, socket.gaierror(0, "it is no name at all"))
        return
    except OSError as error:
        yield _far(host, port, error)
        return
    if max_skew is not None and parts.scheme in {"https", "http"}:
        yield clock(host, skew, max_skew)


def _near(host: str, name: float, journey: float, tls: str, days: float = 365.0) -> Finding:
    text = f"name in {name * 1000:.0f} ms, connection in {journey * 1000:.0f} ms, {tls}"
    remedy = f"the certificate of {host} is about to end: look at the system's clock"
    if days >= EXPIRY_DAYS:
        remedy = "a slow line: prices will look old; look at the network"
    ok = days >= EXPIRY_DAYS and journey <= SLOW_SECONDS
    return judged(host, text, ok=ok, fatal=False, remedy=remedy)


def _far(host: str, port: int, error: OSError) -> Finding:
    if isinstance(error, socket.gaierror):
        text = f"the name is not known ({error.strerror})"
        remedy = "look at the network, the resolver and /etc/hosts"
    elif isinstance(error, ssl.SSLCertVerificationError):
        text = f"the certificate is refused: {error.verify_message}"
        remedy = "somebody is in between (a proxy, a captive portal), or the clock is wrong"
    elif isinstance(error, TimeoutError):
        text = f"no answer on port {port} within {PATIENCE:.0f} s"
        remedy = "look at the network and the firewall"
    else:
        text = f"port {port}: {error.strerror or type(error).__name__}"
        remedy = f"is something listening there? look at the address and the network ({host})"
    return Finding(host, "fail", text, f"{remedy}; sim and replay work without it")


def _days_left(line: ssl.SSLSocket) -> float:
    certificate = line.getpeercert() or {}
    ends = str(certificate.get("notAfter", ""))
    return (ssl.cert_time_to_seconds(ends) - time()) / _DAY if ends else 0.0


def _skew(line: socket.socket, host: str) -> tuple[float, float] | None:
    """(lowest, highest) seconds our clock can be ahead, by the answer's Date (whole seconds)."""
    line.settimeout(PATIENCE)
    asked = time()
    line.sendall(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("ascii"))
    answer = http.client.HTTPResponse(line, method="HEAD")
    try:
        answer.begin()
        told = parsedate_to_datetime(answer.getheader("Date") or "").timestamp()
    except (http.client.HTTPException, ValueError, TypeError):
        return None
    finally:
        answer.close()
    return asked - told - 1.0, time() - told


def clock(host: str, skew: tuple[float, float] | None, limit: float) -> Finding:
    """Our clock against the exchange's; what lies within its whole second is no drift."""
    if skew is None:
        return Finding("clock", "warn", f"{host} does not say what time it is", "look at NTP")
    low, high = skew
    drift = min(max(0.0, low), high)
    words = "agrees to the second" if not drift else f"is at least {drift:+.1f} s off"
    return judged(
        "clock", f"ours {words} (by {host})", ok=abs(drift) <= limit,
        remedy="set the clock (NTP: timedatectl set-ntp true); live entries are refused until then",
    )  # fmt: skip


def look_at_exchange(live: LiveSettings) -> Finding:
    """Whether the exchange of ``live.exchange`` can be watched."""
    from tradeterm.adapters.feeds.live.library import names

    known = names()
    near = get_close_matches(live.exchange, known, 1)
    return judged(
        "exchange", f"{live.exchange}", ok=live.exchange in known,
        remedy="live.exchange: ccxt knows no websocket market of this name"
        + (f"; did you mean {near[0]}?" if near else ""),
    )  # fmt: skip


def addresses(live: LiveSettings) -> list[str]:
    """Where the live market is asked: as configured, else the exchange's own public hosts."""
    own = [each for each in (live.endpoints.rest, live.endpoints.ws) if each]
    if len(own) == 2:
        return own
    # half a second of CPU: only for hosts nobody configured
    from tradeterm.adapters.feeds.live.library import exchange_class, names

    if live.exchange not in names():
        return own
    exchange = exchange_class(live.exchange)()
    hosts: dict[str, str] = {}
    for address in _public(exchange.urls["api"]):
        parts = urlsplit(address.replace("{hostname}", exchange.hostname or ""))
        hosts.setdefault(parts.netloc, f"{parts.scheme}://{parts.netloc}")
    return own + list(hosts.values())[:MOST_OF_EXCHANGE]


def _public(tree: object) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for name, value in tree.items():
            if not any(word in str(name).lower() for word in _NOT_PUBLIC):
                yield from _public(value)
