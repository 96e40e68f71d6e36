"""Conversations with models on file: recorded as they happen, replayed strictly, no network.

One JSON object a line. An ``opening`` for every question that came up (may models be asked, who is
cooling down), then for every request what was asked and, on a line of its own, what became of it:
answers, refusals of the budget, faults and time-outs alike. Keys are nowhere in it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from tradeterm.adapters.advisors.gate import Attempt, Gate, Opening
from tradeterm.errors import CassetteError
from tradeterm.model.money import ZERO
from tradeterm.model.ports import ModelCall


class Line(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One line of a cassette: an opening, a request, or what became of one."""

    question: str
    opening: Opening | None = None
    call: str = ""
    """Fingerprint of everything that was asked."""
    of: dict[str, str] = {}
    """What a person wants to know of the call when it does not fit."""
    messages: tuple[tuple[str, str], ...] = ()
    attempt: Attempt | None = None


def fingerprint(call: ModelCall) -> str:
    """Of role, prompt, schema, model, parameters and messages; not of address or key."""
    told = [
        call.role, call.prompt, call.model, call.temperature, call.max_tokens, call.answer_format,
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
        "answer_format": call.answer_format,
        "messages": words,
    }


class RecordingGate:
    """Passes everything on, and writes down what was asked and what came back."""

    repeatable = False

    def __init__(self, inner: Gate, path: Path, *, begin: bool) -> None:
        """``begin``: this is a new run; raises CassetteError when the file holds another."""
        if begin and path.exists() and path.stat().st_size:
            raise CassetteError(
                f"llm.cassette {path} holds another recording: name another file, or move it away"
            )
        self._inner = inner
        self._path = path

    async def open(self, question: str, role: str, now: int) -> Opening:
        """As the gate is, written down."""
        opening = await self._inner.open(question, role, now)
        self._write(Line(question, opening))
        return opening

    async def attempt(self, call: ModelCall, seconds: float, spent: Decimal) -> Attempt:
        """The gate's, written down: the request before it leaves."""
        name = fingerprint(call)
        self._write(Line(call.question, None, name, _named(call), call.messages))
        attempt = await self._inner.attempt(call, seconds, spent)
        self._write(Line(call.question, None, name, attempt=attempt))
        return attempt

    async def reservation(self, call: ModelCall) -> Decimal:
        """The gate's."""
        return await self._inner.reservation(call)

    def today(self) -> str:
        """The gate's."""
        return self._inner.today()

    def begin(self) -> None:
        """As the gate does."""
        self._inner.begin()

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


class CassetteGate:
    """Answers from a recording and gives nothing that is not in it.

    Members of a panel are asked side by side, so calls are found by what they ask, in any order;
    each line serves once.
    """

    repeatable = True

    def __init__(self, path: Path, answered: Iterable[str]) -> None:
        """Questions ``answered`` by earlier sessions of the run are over. Raises CassetteError."""
        self._path = path
        self._day = ""
        self._openings: dict[str, tuple[int, Opening]] = {}
        self._requests: dict[int, Line] = {}
        """By line, those that were not asked for yet."""
        self._attempts: dict[int, Attempt] = {}
        """By the line of the request."""
        over = frozenset(answered)
        for number, line in enumerate(_read(path), start=1):
            if line.question not in over:
                self._take(number, line)

    def _take(self, number: int, line: Line) -> None:
        if line.opening is not None:
            self._openings[line.question] = (number, line.opening)
        elif line.attempt is None:
            self._requests[number] = line
        else:
            mine = next(
                (at for at, request in self._requests.items()
                 if request.call == line.call and at not in self._attempts), None,
            )  # fmt: skip
            if mine is None:
                self._refuse(number, "is an answer to a request that is not on file")
            self._attempts[mine] = line.attempt

    async def open(self, question: str, role: str, now: int) -> Opening:
        """How things stood then."""
        if question not in self._openings:
            self._refuse(self._end(), f"{question} ({role}) is not recorded")
        _, opening = self._openings.pop(question)
        self._day = opening.day
        return opening

    async def attempt(self, call: ModelCall, seconds: float, spent: Decimal) -> Attempt:
        """What became of it then; ``seconds`` were kept then."""
        name = fingerprint(call)
        number = next((at for at, line in self._requests.items() if line.call == name), None)
        if number is None:
            self._mismatch(call)
        line = self._requests.pop(number)
        if number not in self._attempts:
            self._refuse(number, f"was never answered: {_words(line.of)}")
        return self._attempts.pop(number)

    async def reservation(self, call: ModelCall) -> Decimal:
        """What is on file was settled."""
        return ZERO

    def today(self) -> str:
        """The day of the recording."""
        return self._day

    def begin(self) -> None:
        """Everything is in memory."""

    def finish(self) -> None:
        """The run is over: raises CassetteError when something was never asked."""
        left = {number: _words(line.of) for number, line in self._requests.items()}
        left |= {number: question for question, (number, _) in self._openings.items()}
        if left:
            first = min(left)
            more = f" and {len(left) - 1} more were" if len(left) > 1 else " was"
            self._refuse(first, f"{left[first]}:{more} never asked for")

    def _mismatch(self, call: ModelCall) -> NoReturn:
        """Against the nearest: the request of the same question, or the first that is left."""
        asked = _named(call)
        of_it = [at for at, line in self._requests.items() if line.question == call.question]
        if not self._requests:
            self._refuse(self._end(), f"is not recorded: {call.question} asks {_words(asked)}")
        number = of_it[0] if of_it else min(self._requests)
        there = self._requests[number].of
        other = [
            f"{name} {there.get(name, '-')} there, {value} asked"
            for name, value in asked.items()
            if there.get(name) != value
        ]
        self._refuse(number, f"is another call: {'; '.join(other) or 'another schema'}")

    def _end(self) -> int:
        return len(_read(self._path)) + 1

    def _refuse(self, number: int, why: str) -> NoReturn:
        raise CassetteError(
            f"{self._path}:{number}: {why}. The run is not the one that was recorded: use its "
            "settings and data, or record again with llm.provider=litellm"
        )


def _words(of: dict[str, str]) -> str:
    return ", ".join(of.values())


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
