"""A real model provider on loopback that answers as a story wants, faults included.

It speaks as OpenAI does, or as Anthropic: the request says which is expected.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]
#: Anthropic's words for how an answer ended.
STOPS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal", None: None}
PROCEED = {"action": "proceed", "confidence": 0.8, "reasoning": "Nothing speaks against it."}


def http(body: bytes, status: int = 200, **headers: str) -> Act:
    """One whole response."""

    async def act(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", "content-type: application/json", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if "content_length" not in headers:
            lines.append(f"content-length: {len(body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return act


def completion(content: Any, *, finish: str | None = "stop", **changes: Any) -> bytes:
    """The body of a chat completion."""
    told = {
        "id": "c-1", "object": "chat.completion", "created": 1, "model": "test-model",
        "choices": [
            {"index": 0, "finish_reason": finish,
             "message": {"role": "assistant", "content": content}},
        ],
        "usage": {"prompt_tokens": 700, "completion_tokens": 100, "total_tokens": 800},
    }  # fmt: skip
    return json.dumps({**told, **changes}).encode()


def message(content: Any, *, finish: str | None = "stop", **changes: Any) -> bytes:
    """The same as Anthropic puts it."""
    told = {
        "id": "m-1", "type": "message", "role": "assistant", "model": "test-model",
        "content": [] if content is None else [{"type": "text", "text": content}],
        "stop_reason": STOPS[finish], "stop_sequence": None,
        "usage": {"input_tokens": 700, "output_tokens": 100},
    }  # fmt: skip
    return json.dumps({**told, **changes}).encode()


def say(content: Any, **changes: Any) -> Act:
    """A well-formed response around any content: a text, or an object as its JSON."""
    text = json.dumps(content) if isinstance(content, dict) else content

    async def act(writer: asyncio.StreamWriter) -> None:
        body = message if DIALECT.get() == "anthropic" else completion
        await http(body(text, **changes))(writer)

    return act


def settle(**changes: Any) -> Act:
    """A good settlement, or one with other values."""
    return say({**PROCEED, **changes})


DIALECT: ContextVar[str] = ContextVar("dialect", default="openai")
"""Of the request that is being answered; the next one is its body."""
REQUEST: ContextVar[dict[str, Any]] = ContextVar("request")


def head(**headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "content-type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def hang(writer: asyncio.StreamWriter) -> None:
    """Takes the request and says nothing."""
    await asyncio.sleep(60)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Takes the request and closes the connection."""


async def drip(writer: asyncio.StreamWriter) -> None:
    """A byte at a time, for ever: each comes well within any read time-out."""
    writer.write(head(content_length="100000"))
    for _ in range(3000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(writer: asyncio.StreamWriter) -> None:
    """A stream of varied chunks that never ends."""
    writer.write(head(transfer_encoding="chunked"))
    number = 0
    while number < 100_000:
        number += 1
        chunk = f'{{"n": {number}}}'.encode() * 50
        writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        await writer.drain()


async def slow(writer: asyncio.StreamWriter) -> None:
    """A good answer whose first byte comes too late."""
    await asyncio.sleep(5)
    await settle()(writer)


async def avalanche(writer: asyncio.StreamWriter) -> None:
    """80 MB, announced as such."""
    size = 80_000_000
    writer.write(head(content_length=str(size)))
    for _ in range(size // 100_000):
        writer.write(b"x" * 100_000)
        await writer.drain()


async def cut(writer: asyncio.StreamWriter) -> None:
    """Promises more than it sends."""
    body = (message if DIALECT.get() == "anthropic" else completion)(json.dumps(PROCEED))
    writer.write(head(content_length=str(len(body))) + body[: len(body) // 2])
    await writer.drain()


class ModelServer:
    """Answers requests in the order of its script; the last act is repeated."""

    def __init__(self, acts: Sequence[Act]) -> None:
        self.script = list(acts)
        self.asked: list[dict[str, Any]] = []
        """Bodies of the requests, in order."""
        self.headers: list[str] = []
        self.arrived = threading.Event()
        """Set by the first request."""
        self.port = 0
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            top = (await reader.readuntil(b"\r\n\r\n")).decode()
            sizes = [line.split(":")[1] for line in top.lower().split("\r\n")
                     if line.startswith("content-length")]  # fmt: skip
            body = await reader.readexactly(int(sizes[0])) if sizes else b"{}"
            self.headers.append(top)
            self.asked.append(json.loads(body))
            REQUEST.set(self.asked[-1])
            DIALECT.set("anthropic" if "/v1/messages" in top.split("\r\n")[0] else "openai")
            self.arrived.set()
            act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            await act(writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            """The other side, or the story, is over."""
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _run(self, ready: threading.Event) -> None:
        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._over.wait()
        server.close()
        serving = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    @classmethod
    @contextlib.contextmanager
    def running(cls, *acts: Act) -> Iterator[ModelServer]:
        """On a free port, in a thread of its own."""
        server, ready = cls(acts), threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(server._run(ready)), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield server
        finally:
            server._loop.call_soon_threadsafe(server._over.set)
            thread.join(10)
