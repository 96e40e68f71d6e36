"""A headless Chromium, driven through its debugging protocol: open a page, type, look, photograph."""

from __future__ import annotations

import asyncio
import shutil
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")


def installed() -> str | None:
    """The browser of this machine, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the protocol and its result."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json(timeout=30)
            if answer.get("id") == self._number:
                return dict(answer.get("result", {}))

    async def evaluate(self, script: str) -> Any:
        """The value of an expression on the page."""
        found = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    async def press(self, key: str) -> None:
        """Type one character."""
        await self.call("Page.bringToFront")
        await self.evaluate("document.querySelector('.xterm-helper-textarea').focus()")
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, **text)

    async def photograph(self) -> bytes:
        """What is shown, as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png")
        return b64decode(shot["data"])

    async def until(self, script: str, wanted: Callable[[Any], bool], seconds: float) -> Any:
        """Look at an expression until it is as wanted."""
        value = None
        for _ in range(int(seconds * 10)):
            value = await self.evaluate(script)
            if wanted(value):
                return value
            await asyncio.sleep(0.1)  # another process draws
        raise AssertionError(f"{script} is {value!r}")


class Browser:
    """Chromium with a debugging port."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._base = f"http://127.0.0.1:{port}"

    @asynccontextmanager
    async def page(self, address: str) -> AsyncIterator[Page]:
        """A new tab at an address."""
        async with self._session.put(f"{self._base}/json/new?about:blank") as answer:
            target = await answer.json()
        endpoint = target["webSocketDebuggerUrl"]
        async with self._session.ws_connect(endpoint, max_msg_size=0) as socket:
            page = Page(socket)
            await page.call("Page.enable")
            await page.call("Page.navigate", url=address)
            yield page
            await page.call("Page.close")


@asynccontextmanager
async def browser(home: Path) -> AsyncIterator[Browser]:
    """Start Chromium with a profile of its own; it ends with the block."""
    found = installed()
    assert found is not None
    words = (
        found, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1300,820",
        "--remote-debugging-port=0", f"--user-data-dir={home}", "--no-first-run",
        "--disable-background-networking", "--enable-unsafe-swiftshader",
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        port = await _port(home / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            yield Browser(session, port)
    finally:
        process.kill()
        await process.wait()


async def _port(file: Path) -> int:
    """Chromium writes its port there once it listens."""
    for _ in range(300):
        if text := _text(file):
            return int(text.splitlines()[0])
        await asyncio.sleep(0.1)  # another process starts
    raise AssertionError("Chromium did not start")


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""
