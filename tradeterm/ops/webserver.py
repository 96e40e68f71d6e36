"""The console in a browser on this machine: textual-serve behind a token, on loopback only.

Whoever has the token is the operator. The first page to open drives the engine; while it does,
further pages look on (``tradeterm run --or-watch`` decides). Nothing is fetched from elsewhere.
"""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from aiohttp import web
from textual_serve.server import Server

HOST: Final = "127.0.0.1"
COOKIE: Final = "tradeterm"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GuardedServer(Server):
    """Serves the console to who knows the token."""

    def __init__(self, run_options: Sequence[str], port: int, say: Callable[[str], None]) -> None:
        """``run_options`` are those of ``tradeterm run``; ``say`` tells the address."""
        command = [sys.executable, "-m", "tradeterm", "run", "--or-watch", *run_options]
        super().__init__(
            shlex.join(command),
            host=HOST,
            port=port,
            title="tradeterm",
            templates_path=Path(__file__).parent / "templates",
        )
        self.token = secrets.token_urlsafe(24)
        self._say = say
        self._origin = f"http://{HOST}:{port}"

    @property
    def address(self) -> str:
        """What to open; the token is good until the server ends."""
        return f"{self._origin}/?token={self.token}"

    def serve(self, debug: bool = False) -> None:
        """Until ctrl+c or SIGTERM; nothing but the address goes to the terminal."""
        web.run_app(
            self._make_app(),
            host=self.host,
            port=self.port,
            print=lambda _: self._announce(),
            access_log=None,
        )

    async def on_startup(self, app: web.Application) -> None:
        """Its own banner is left out."""

    def _announce(self) -> None:
        """Called once the port listens."""
        self._say(f"open {self.address}")
        self._say("closing the page ends the console, as closing a terminal does; ctrl+c ends both")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only this host, only this origin, only with the token; it turns into a cookie at once.

        The host's name is compared so that no other name can be made to mean this machine
        (DNS rebinding), the origin so that no other page can open the socket.
        """
        if request.headers.get("Host") != f"{HOST}:{self.port}":
            raise web.HTTPForbidden(text="not this host")
        if request.headers.get("Origin", self._origin) != self._origin:
            raise web.HTTPForbidden(text="not this origin")
        given = request.query.get("token")
        if given is not None and self._is_ours(given):
            answer = web.HTTPFound("/")
            answer.set_cookie(COOKIE, self.token, httponly=True, samesite="Strict", path="/")
            raise answer
        if not self._is_ours(request.cookies.get(COOKIE, "")):
            raise web.HTTPForbidden(
                text="open the address with its token, as the server printed it"
            )
        return await handler(request)

    def _is_ours(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self.token.encode())
