"""Conversations with models on file: recorded as they happen, replayed strictly, no network.

One JSON object a line, in order: an ``estimate`` (USD) for every request that was considered, and
the ``reply`` for every one that was sent, failures included. Keys are in neither.
"""

from __future__ import annotations

import hashlib
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from tradeterm.errors import CassetteError
from tradeterm.model.ports import ArbiterAnswer, ModelCall, ModelReply, Models


class Line(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One line of a cassette."""

    call: str
    """Fingerprint of everything that was asked."""
    of: dict[str, str]
    """What a person wants to know of the call when it does not fit."""
    estimate: Decimal | None = None
    reply: ModelReply | None = None


def fingerprint(call: ModelCall) -> str:
    """Of role, prompt, schema, model, parameters and messages; not of address or key."""
    told = [
        call.role, call.prompt, call.model, call.temperature, call.max_tokens,
        dict(call.schema), [list(message) for message in call.messages],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def _named(call: ModelCall) -> dict[str, str]:
    words = hashlib.sha256(json.dumps(call.messages).encode()).hexdigest()[:16]
    return {
        "role": call.role,
        "prompt": call.prompt,
        "model": call.model,
        "temperature": f"{call.temperature:g}",
        "max_tokens": str(call.max_tokens),
        "messages": words,
    }


def lines_of(answer: ArbiterAnswer) -> int:
    """How many lines of a cassette an answer took."""
    return sum(1 + one.outcome.was_considered for one in answer.tries)


class RecordingModels:
    """Passes everything on, and writes down what was asked and what came back."""

    def __init__(self, inner: Models, path: Path, *, begin: bool) -> None:
        """``begin``: this is a new run; raises CassetteError when the file holds another."""
        if begin and path.exists() and path.stat().st_size:
            raise CassetteError(
                f"llm.cassette {path} holds another recording: name another file, or move it away"
            )
        self._inner = inner
        self._path = path

    def begin(self) -> None:
        """As the port does."""
        self._inner.begin()

    async def ready(self) -> str:
        """As the port is."""
        return await self._inner.ready()

    def estimate(self, call: ModelCall) -> Decimal | None:
        """The port's, written down."""
        found = self._inner.estimate(call)
        self._write(Line(fingerprint(call), _named(call), estimate=found))
        return found

    async def ask(self, call: ModelCall, seconds: float) -> ModelReply:
        """The port's, written down."""
        reply = await self._inner.ask(call, seconds)
        self._write(Line(fingerprint(call), _named(call), reply=reply))
        return reply

    def finish(self) -> None:
        """Everything is on file."""

    def _write(self, line: Line) -> None:
        try:
            with open(self._path, "ab", opener=_private) as file:
                file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            raise CassetteError(f"llm.cassette {self._path}: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class CassetteModels:
    """Answers from a recording, in order, and nothing that is not in it."""

    def __init__(self, path: Path, skip: int) -> None:
        """``skip`` lines were replayed by earlier sessions of the run. Raises CassetteError."""
        self._path = path
        self._lines = _read(path)
        self._at = skip

    def begin(self) -> None:
        """Everything is in memory."""

    async def ready(self) -> str:
        """It always is."""
        return ""

    def estimate(self, call: ModelCall) -> Decimal | None:
        """What was estimated then."""
        return self._next(call, "an estimate").estimate

    async def ask(self, call: ModelCall, seconds: float) -> ModelReply:
        """What came back then; ``seconds`` were kept then."""
        reply = self._next(call, "a reply").reply
        if reply is None:
            self._refuse("is an estimate; this run asks for a reply")
        return reply

    def finish(self) -> None:
        """The run is over: raises CassetteError when something was never asked."""
        left = len(self._lines) - self._at
        if left > 0:
            self._at += 1
            of = ", ".join(self._lines[self._at - 1].of.values())
            self._refuse(f"and {left - 1} more were never asked for ({of})")

    def _next(self, call: ModelCall, wanted: str) -> Line:
        self._at += 1
        if self._at > len(self._lines):
            named = ", ".join(_named(call).values())
            self._refuse(f"is not recorded: the run asks for {wanted} ({named})")
        line = self._lines[self._at - 1]
        if line.call != fingerprint(call):
            asked = _named(call)
            other = [
                f"{name} {line.of.get(name, '-')} there, {value} asked"
                for name, value in asked.items()
                if line.of.get(name) != value
            ]
            self._refuse(f"is another call: {'; '.join(other) or 'another schema'}")
        if wanted == "an estimate" and line.reply is not None:
            self._refuse("is a reply; this run asks for an estimate")
        return line

    def _refuse(self, why: str) -> NoReturn:
        raise CassetteError(
            f"{self._path}:{self._at}: {why}. The run is not the one that was recorded: use its "
            "settings and data, or record again with llm.provider=litellm"
        )


def _read(path: Path) -> list[Line]:
    try:
        raw = path.read_bytes().splitlines()
    except OSError as error:
        raise CassetteError(f"llm.cassette {path}: {error.strerror}") from error
    decode: Any = msgspec.json.Decoder(Line).decode
    lines = []
    for number, text in enumerate(raw, start=1):
        try:
            lines.append(decode(text))
        except msgspec.DecodeError as error:
            raise CassetteError(f"{path}:{number}: no line of a cassette ({error})") from error
    return lines
