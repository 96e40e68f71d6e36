"""Commands from another shell: a Unix socket beside the store, one JSON line each way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tradeterm.errors import TradetermError
from tradeterm.model.commands import Command, CommandResult, OperatorCommand

LINE_LIMIT = 64 * 1024
#: Longest a caller waits for its command to be durable.
REPLY_SECONDS = 10.0

_decode = msgspec.json.Decoder(OperatorCommand).decode


def socket_path(db: Path) -> Path:
    """Beside the store."""
    return db.with_name(db.name + ".sock")


class ControlServer:
    """Listens while a run lives; only this user can connect (mode 0600 in a 0700 directory)."""

    def __init__(
        self,
        path: Path,
        submit: Callable[[Command], Awaitable[CommandResult]],
        questions: Mapping[str, Callable[[], dict[str, Any]]],
    ) -> None:
        """``submit`` runs on the engine's loop and resolves when the command is durable."""
        self._path = path
        self._submit = submit
        self._questions = questions
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Replace a socket a dead process left (the store's lock says we are the only one)."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, str(self._path), limit=LINE_LIMIT
            )
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Close and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), REPLY_SECONDS)
            reply = await self._answer(line)
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            return  # the caller went away or sent no line; nothing was ordered
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        question = self._questions.get(line.decode(errors="replace").strip())
        if question is not None:
            return question()
        try:
            command = _decode(line)
        except msgspec.DecodeError as error:
            return {"accepted": False, "text": f"not a command: {error}"}
        result = await self._submit(command)
        return {"accepted": result.accepted, "text": result.text}


def send(db: Path, command: Command) -> CommandResult | None:
    """Send a command to the process that runs ``db``; None when none listens."""
    reply = _exchange(db, msgspec.json.encode(command))
    return None if reply is None else CommandResult(bool(reply["accepted"]), str(reply["text"]))


def ask(db: Path, question: str) -> dict[str, Any] | None:
    """Ask the process that runs ``db``; None when none listens."""
    return _exchange(db, question.encode())


def _exchange(db: Path, line: bytes) -> dict[str, Any] | None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REPLY_SECONDS)
        try:
            connection.connect(str(socket_path(db)))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        connection.sendall(line + b"\n")
        with connection.makefile("rb") as stream:
            reply = stream.readline(LINE_LIMIT)
    if not reply:
        raise TradetermError("the running process gave no answer; see its screen or log")
    return dict(json.loads(reply))
