"""Settings of the live market (config/live.yaml)."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from tradeterm.settings.section import Section

#: Where an unencrypted connection cannot be listened to.
LOOPBACK = frozenset({"127.0.0.1", "::1"})


class Endpoints(Section):
    """Addresses that stand in for the exchange's own."""

    rest: str
    """``https://host[:port]``; plain http for 127.0.0.1 and [::1] only. Empty: the exchange's."""
    ws: str
    """``wss://host[:port]``; plain ws likewise."""

    @field_validator("rest")
    @classmethod
    def _rest(cls, value: str) -> str:
        return _address(value, "https", "http")

    @field_validator("ws")
    @classmethod
    def _ws(cls, value: str) -> str:
        return _address(value, "wss", "ws")


class ReconnectSettings(Section):
    """Patience with a connection that does not come back."""

    first: float = Field(ge=2, le=600)
    """Seconds between the first two tries; FAULTS N01 allows no less than 2."""
    longest: float = Field(ge=2, le=3600)

    @model_validator(mode="after")
    def _ordered(self) -> ReconnectSettings:
        if self.longest < self.first:
            raise ValueError(f"longest ({self.longest}) must not be below first ({self.first})")
        return self


class LiveSettings(Section):
    """A market that goes on by itself."""

    exchange: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """ccxt's id of it."""
    endpoints: Endpoints
    depth: int = Field(ge=5, le=1000)
    """Book levels per side."""
    silence: float = Field(ge=1, le=600)
    """Seconds without a message after which the connection counts as dead."""
    timeout: float = Field(ge=1, le=120)
    """Seconds one request or subscription may take."""
    reconnect: ReconnectSettings
    poll_after: int = Field(ge=1, le=100)
    """Failed websocket tries in a row before polling begins."""
    poll_interval: float = Field(ge=0.5, le=60)
    """Seconds between two polls of one symbol."""
    largest_body: float = Field(gt=0, le=64)
    """MiB of one answer."""
    instruments_interval: float = Field(ge=10)
    """Seconds between two looks at the exchange's list of instruments."""


def _address(value: str, safe: str, plain: str) -> str:
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in {safe, plain} or not parts.hostname:
        raise ValueError(f"write {safe}://host, or {plain}://127.0.0.1:port")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address has a host, perhaps a port and a path, and nothing else")
    if parts.scheme == plain and parts.hostname not in LOOPBACK:
        raise ValueError(f"{plain} is accepted for 127.0.0.1 and [::1] only; write {safe}://…")
    return value.rstrip("/")
