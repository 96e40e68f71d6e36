"""The log: one rotated file in the platform's state directory. Nothing is logged to the terminal.

Secrets are taken out of every line: values of ``*_KEY``, ``*_SECRET``, ``*_TOKEN`` and ``*_PASSWORD``
environment variables, bearer tokens, and whatever looks like a key.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from textwrap import indent
from types import TracebackType
from typing import Any, Final

from tradeterm.errors import UsageError

FILE_NAME: Final = "tradeterm.log"
#: Textual's thread that writes to the terminal; a closed window ends it with EIO.
_SCREEN_WRITER = "textual-output"
MAX_BYTES: Final = 2_000_000
BACKUPS: Final = 4
LEVELS: Final = ("debug", "info", "warning", "error")
HIDDEN: Final = "[hidden]"
#: Third parties that bring their own stderr handlers or talk too much.
NOISY: Final = (
    "LiteLLM",
    "LiteLLM Router",
    "LiteLLM Proxy",
    "ccxt",
    "httpx",
    "httpcore",
    "asyncio",
)
#: Shorter values would blank ordinary words.
LEAST_SECRET: Final = 6

_SECRET_NAME = re.compile(r"(?:^|_)(?:KEY|SECRET|TOKEN|PASSWORD|PASSPHRASE)$", re.IGNORECASE)
_PATTERNS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<keep>\bbearer\s+)[\w.~+/=-]{6,}",
        r"(?P<keep>\bbasic\s+)[\w+/]{8,}={0,2}",
        (
            r"(?P<keep>\b[\w-]*(?:api[_-]?key|api[_-]?sign|secret|token|passw(?:or)?d|passphrase)"
            r"[\"']?\s*[:=]\s*[\"']?)(?!\[hidden)[^\s\"',;&}]{4,}"
        ),
        r"(?P<keep>://[^\s/:@]*:)[^\s/@]+(?=@)",
        r"(?P<keep>\b)(?:sk|pk|rk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{12,}",
    )
)


#: Secrets learned after the start, e.g. from ``.env`` or the keyring.
_learned: set[str] = set()


def conceal(secret: str) -> None:
    """From here on no line of the log shows this."""
    if len(secret) >= LEAST_SECRET:
        _learned.add(secret)


class Redactor:
    """Takes secrets out of text."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Remembers the values of environment variables that are named like secrets."""
        values = {
            value for name, value in environ.items()
            if _SECRET_NAME.search(name) and len(value) >= LEAST_SECRET
        }  # fmt: skip
        self._values = sorted(values, key=lambda value: (-len(value), value))

    def __call__(self, text: str) -> str:
        """``text`` without secrets."""
        for value in (*self._values, *sorted(_learned, key=lambda one: (-len(one), one))):
            text = text.replace(value, HIDDEN)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<keep>{HIDDEN}", text)
        return text


def without_secrets(text: str) -> str:
    """``text`` for a screen: what failed may quote what it was given."""
    return Redactor(os.environ)(text)


class RedactingFormatter(logging.Formatter):
    """One line a record (tracebacks below it), UTC, redacted as a whole, without control bytes."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s",
                         "%Y-%m-%dT%H:%M:%S")  # fmt: skip
        self.converter = time.gmtime
        self._redact = redact

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name in logging
        """On one line: a text with a newline in it must not look like a record of ours."""
        return super().formatMessage(record).replace("\n", " · ")

    def formatException(self, ei: Any) -> str:  # noqa: N802 - its name in logging
        """Indented, for the same reason."""
        return indent(super().formatException(ei), "    ", lambda _: True)

    def format(self, record: logging.LogRecord) -> str:
        """The record as it stands in the file."""
        text = self._redact(super().format(record))
        return "".join(char if char.isprintable() or char in "\n\t" else "·" for char in text)


class _PrivateFile(RotatingFileHandler):
    """A rotated file only its owner can read; a full disk never reaches the terminal."""

    def _open(self):  # type: ignore[no-untyped-def]  # noqa: ANN202
        stream = super()._open()
        with contextlib.suppress(OSError):
            os.chmod(self.baseFilename, 0o600)
        return stream

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A line that cannot be written is lost; the program goes on, the screen stays clean."""


def log_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where the log belongs: ``TRADETERM_LOG_DIR``, else the platform's state directory."""
    chosen = (os.environ if environ is None else environ).get("TRADETERM_LOG_DIR")
    if chosen:
        return Path(chosen)
    from platformdirs import user_state_path

    return user_state_path("tradeterm", appauthor=False)


def start_logging(
    level: str = "info", directory: Path | None = None, environ: Mapping[str, str] | None = None
) -> Path | None:
    """Send every logger, warning and uncaught error to the file; returns its path.

    Where the file cannot be written nothing is logged (None): a log is no reason not to start.
    """
    if level.lower() not in LEVELS:
        raise UsageError(f"log level {level!r}: write one of {', '.join(LEVELS)}")
    redact = Redactor(os.environ if environ is None else environ)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    path = _writable(directory or log_dir(environ))
    handler: logging.Handler = logging.NullHandler()
    if path is not None:
        handler = _PrivateFile(
            path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", errors="replace"
        )
    handler.setFormatter(RedactingFormatter(redact))
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.lastResort = None  # nothing falls back to stderr
    logging.captureWarnings(capture=True)
    quiet_others()
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_thread
    return path


def quiet_others() -> None:
    """Take third parties' own handlers away (call again after importing one of them)."""
    for name in NOISY:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)


def _writable(directory: Path) -> Path | None:
    path = directory / FILE_NAME
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.open("a", encoding="utf-8").close()
    except OSError:
        return None
    return path


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A crash: the traceback goes to the file, one line to the terminal."""
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger("tradeterm").critical("uncaught", exc_info=(kind, error, trace))
        summary = f"tradeterm: {kind.__name__}: {error} (details: {FILE_NAME})"
        print(without_secrets(summary), file=sys.stderr)  # noqa: T201


def _log_thread(crash: threading.ExceptHookArgs) -> None:
    name = crash.thread.name if crash.thread else "thread"
    error = crash.exc_value or crash.exc_type()
    log = logging.getLogger("tradeterm")
    if name == _SCREEN_WRITER and isinstance(error, OSError) and error.errno == errno.EIO:
        log.info("the terminal was closed while it was written to")
        return
    log.critical("%s died", name, exc_info=(crash.exc_type, error, crash.exc_traceback))
