"""The console in a browser: who gets in, one engine only, nothing fetched from elsewhere.

The docs' picture of it: ``TRADETERM_UPDATE=1 pytest tests/browser``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from tests.browser.chromium import Browser, Page, browser, installed
from tests.shell import command
from tests.terminal.screen import child_environment
from tradeterm.control import ask

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "browser.png"
#: The page has drawn something of the console.
DRAWN = "document.body.className"


@dataclass(frozen=True, slots=True)
class Served:
    """A server of the console and the run it serves."""

    address: str
    origin: str
    db: Path
    process: subprocess.Popen[str]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    db = tmp_path / "run.db"
    words = command("serve", "--port", str(port), "--seed", "7", "--db", db)
    process = subprocess.Popen(
        words, env=child_environment(tmp_path), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        word, _, address = process.stdout.readline().strip().partition(" ")
        assert word == "open"
        yield Served(address, f"http://127.0.0.1:{port}", db, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def status(address: str, **headers: str) -> int:
    """What the server answers to a stranger."""
    try:
        with build_opener().open(Request(address, headers=headers)) as answer:  # noqa: S310 - http
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_only_the_token_opens_the_door(served: Served) -> None:
    assert status(served.origin) == 403
    assert status(f"{served.origin}/?token=guess") == 403
    assert status(f"{served.origin}/static/js/textual.js") == 403
    assert status(served.address, Host="elsewhere.example") == 403
    assert status(served.address, Origin="http://elsewhere.example") == 403
    jar = CookieJar()
    with build_opener(HTTPCookieProcessor(jar)).open(served.address) as answer:
        page = answer.read().decode()
        assert answer.url == f"{served.origin}/", "the token does not stay in the address"
    assert "https://" not in page
    (cookie,) = jar
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Strict"
    assert not served.db.exists(), "no console before a page has opened its socket"


def test_a_port_in_use_is_said(served: Served, tmp_path: Path) -> None:
    port = served.origin.rpartition(":")[2]
    done = subprocess.run(
        command("serve", "--port", port), env=child_environment(tmp_path), capture_output=True,
        text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"--port {port}" in done.stderr


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Browser]:
    if installed() is None:
        pytest.skip("no Chromium on this machine")
    async with browser(tmp_path / "profile") as opened:
        yield opened


async def until_state(db: Path, wanted: str) -> None:
    for _ in range(300):
        found = ask(db, "status")
        if found is not None and found["state"] == wanted:
            return
        await asyncio.sleep(0.1)  # another process is at work
    raise AssertionError(f"the run never was {wanted}")


async def drawn(page: Page) -> None:
    """Until there is a picture: an empty page takes a few kilobytes, a console ten times that."""
    for _ in range(100):
        if len(await page.photograph()) > 20_000:
            return
        await asyncio.sleep(0.1)  # another process draws
    raise AssertionError("the page stayed empty")


async def test_the_first_page_is_the_operators_and_the_second_looks_on(
    served: Served, chromium: Browser
) -> None:
    async with chromium.page(served.address) as first:
        await first.until(DRAWN, lambda name: "-first-byte" in (name or ""), 30)
        await until_state(served.db, "running")
        async with chromium.page(served.address) as second:
            await second.until(DRAWN, lambda name: "-first-byte" in (name or ""), 30)
            await drawn(second)
            await second.press("P")  # a pause is no looker-on's
            standing = ask(served.db, "status")
            assert standing is not None
            assert standing["state"] == "running"
            if "TRADETERM_UPDATE" in os.environ:
                await asyncio.sleep(5)  # until every pane has something to show
                PICTURE.write_bytes(await first.photograph())
        await first.press("P")
        await until_state(served.db, "paused")
        fetched = await first.evaluate("performance.getEntriesByType('resource').map(e => e.name)")
        assert fetched
        assert all(name.startswith(served.origin) for name in fetched), fetched
