"""What every exchange of the tests stands on: an HTTP server on a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from aiohttp import web

T = TypeVar("T")


class ThreadedServer:
    """``with …Server() as server:``; a subclass says what is served, and how it winds down."""

    def __init__(self, port: int = 0) -> None:
        """``port`` 0: any that is free."""
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name="exchange", daemon=True)
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def call(self, work: Callable[[], Coroutine[Any, Any, T]], seconds: float = 20) -> T:
        """Run something on the server's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(seconds)

    def _routes(self, router: web.UrlDispatcher) -> None:
        raise NotImplementedError

    async def _wind_down(self, runner: web.AppRunner) -> None:
        """Let go of whoever is still connected."""
        raise NotImplementedError

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application()
        self._routes(app.router)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port)
        await site.start()
        assert site._server is not None
        self._port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        beat = asyncio.create_task(self._beat())
        self._ready.set()
        await self._stop.wait()
        beat.cancel()
        await self._wind_down(runner)
        await runner.cleanup()
        await asyncio.sleep(0.01)

    async def _beat(self) -> None:
        """What the exchange says by itself, as long as it stands."""
