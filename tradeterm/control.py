"""Commands from another shell: a Unix socket beside the store, one JSON line each way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tradeterm.errors import TradetermError, UsageError
from tradeterm.model.commands import Command, CommandResult, ShellCommand, harmless
from tradeterm.supervising import Task, named

log = logging.getLogger(__name__)

#: Longest order or question; answers may be longer.
LINE_LIMIT = 64 * 1024
#: Longest a caller waits for its command to be durable.
REPLY_SECONDS = 10.0
#: A socket's address is limited to 104 (macOS) or 108 (Linux) bytes.
ADDRESS_BYTES = 100

#: Whoever gives an order through the socket, whatever the line says.
ACTOR = "shell"

_decode = msgspec.json.Decoder(ShellCommand).decode


def socket_path(db: Path) -> Path:
    """Beside the store."""
    return db.with_name(db.name + ".sock")


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """The socket's name as the system takes it; a long one goes through its open directory."""
    if len(os.fsencode(path)) <= ADDRESS_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class ControlServer:
    """Listens while a run lives; only this user can connect (mode 0600 in a 0700 directory)."""

    def __init__(
        self,
        path: Path,
        submit: Callable[[Command], Awaitable[CommandResult]],
        questions: Mapping[str, Callable[[str], dict[str, Any]]],
    ) -> None:
        """``submit`` runs on the engine's loop and resolves when the command is durable.

        A question is a word, and what is asked of it after a space.
        """
        self._path = path
        self._submit = submit
        self._questions = questions
        self._server: asyncio.Server | None = None
        self._failure = ""
        self.task = Task("control socket", self._dead, self._again)
        """What there is to supervise."""

    def _dead(self) -> str:
        if self._server is None or self._server.is_serving():
            return self._failure
        return "it no longer listens"

    async def _again(self) -> None:
        await self.stop()
        self._failure = ""
        await self.start()
        if self._server is None:
            raise TradetermError(f"{self._path} cannot be made")

    async def start(self) -> None:
        """Replace a socket a dead process left (the store's lock says we are the only one).

        Where there can be none (the place has no sockets) the run goes on: the HALT file works.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._bind(listener)
            self._server = await asyncio.start_unix_server(
                self._serve, sock=listener, limit=LINE_LIMIT
            )
        except OSError as error:
            listener.close()
            log.warning("no commands from other shells: %s cannot be made (%s)", self._path, error)

    def _bind(self, listener: socket.socket) -> None:
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            with _address(self._path) as name:
                listener.bind(name)
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Close and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                line = await reader.readline()
            reply = await self._answer(line)
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            return  # the caller went away or sent no line; nothing was ordered
        except Exception as error:
            log.exception("control socket", exc_info=error)
            self._failure = named(error)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        word, _, asked = line.decode(errors="replace").strip().partition(" ")
        question = self._questions.get(word)
        if question is not None:
            return _replied(question, word, asked)
        try:
            command = _decode(line)
        except msgspec.DecodeError as error:
            return {"accepted": False, "text": f"not a command another shell may give: {error}"}
        result = await self._submit(harmless(command, ACTOR))
        return {"accepted": result.accepted, "text": result.text}


def _replied(question: Callable[[str], dict[str, Any]], word: str, asked: str) -> dict[str, Any]:
    """The answer to a question, or why there is none: whoever only asks must not end the socket."""
    try:
        return question(asked)
    except (TradetermError, msgspec.DecodeError) as error:
        return {"error": str(error)}
    except Exception as error:
        log.exception("question %r", word, exc_info=error)
        return {"error": f"{word!r} has no answer ({named(error)}); the run goes on, see its log"}


def send(db: Path, command: Command) -> CommandResult | None:
    """Send a command to the process that runs ``db``; None when none listens (any more).

    Raises TradetermError when it is there and does not confirm in time.
    """
    reply = _exchange(db, msgspec.json.encode(command))
    return None if reply is None else CommandResult(bool(reply["accepted"]), str(reply["text"]))


def ask(db: Path, question: str) -> dict[str, Any] | None:
    """Ask the process that runs ``db``; None when none listens. UsageError: it has no answer."""
    reply = _exchange(db, question.encode())
    if reply is not None and "error" in reply:
        raise UsageError(reply["error"])
    return reply


def _exchange(db: Path, line: bytes) -> dict[str, Any] | None:
    reply = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REPLY_SECONDS)
        try:
            with _address(socket_path(db)) as name:
                connection.connect(name)
            connection.sendall(line + b"\n")
            with connection.makefile("rb") as stream:
                reply = stream.readline()
        except (FileNotFoundError, ConnectionError):
            return None  # nobody there, or it ended meanwhile
        except TimeoutError:
            raise TradetermError(
                f"the process that runs {db} has not confirmed within {REPLY_SECONDS:g} s: see its "
                "screen or log; the order stays queued there"
            ) from None
        except OSError as error:
            raise TradetermError(
                f"cannot reach the process that runs {db}: {error.strerror}; a file named HALT "
                "beside it halts, too"
            ) from error
    return dict(json.loads(reply)) if reply.endswith(b"\n") else None
