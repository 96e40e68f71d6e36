"""The log file: rotated, private, without secrets, and never on the terminal."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradeterm import logs
from tradeterm.errors import UsageError
from tradeterm.logs import FILE_NAME, HIDDEN, Redactor, log_dir, start_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is global: leave it as it was."""
    root = logging.getLogger()
    handlers, level, last = root.handlers[:], root.level, logging.lastResort
    hooks = sys.excepthook, threading.excepthook
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.lastResort = last
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook = hooks


def logged(directory: Path) -> str:
    return (directory / FILE_NAME).read_text(encoding="utf-8")


def test_levels_choose_what_is_written(tmp_path: Path) -> None:
    assert start_logging("warning", tmp_path) == tmp_path / FILE_NAME
    logging.getLogger("x").info("quiet")
    logging.getLogger("x").warning("loud")
    assert "quiet" not in logged(tmp_path)
    assert "WARNING x: loud" in logged(tmp_path)
    with pytest.raises(UsageError, match="write one of debug, info"):
        start_logging("chatty", tmp_path)


def test_the_file_is_private(tmp_path: Path) -> None:
    start_logging("info", tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_it_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 500)
    start_logging("info", tmp_path)
    for number in range(100):
        logging.getLogger("x").info("line %d", number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [FILE_NAME, *(f"{FILE_NAME}.{n}" for n in range(1, logs.BACKUPS + 1))]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3t-value-9",
        "api_key=s3cr3t-value-9",
        '{"apiKey": "s3cr3t-value-9"}',
        "KRAKEN_SECRET: s3cr3t-value-9",
        "https://user:s3cr3t-value-9@127.0.0.1/x",
        "sent s3cr3t-value-9 by itself",
        "token=s3cr3t-value-9&x=1",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    redact = Redactor({"EXCHANGE_API_KEY": "s3cr3t-value-9", "HOME": "/somewhere"})
    assert "s3cr3t" not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize("text", ["key risk limits", "BTC/USDT 65000.1", "/somewhere", "token"])
def test_ordinary_words_stay(text: str) -> None:
    assert Redactor({"HOME": "/somewhere", "A_KEY": "key"})(text) == text


def test_tracebacks_are_redacted_and_harmless(tmp_path: Path) -> None:
    start_logging("info", tmp_path, {"X_TOKEN": "hush-hush-1"})
    try:
        raise ValueError("hush-hush-1 \x1b[2J")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "hush-hush" not in logged(tmp_path)
    assert "\x1b" not in logged(tmp_path)
    assert "ValueError" in logged(tmp_path)


def test_nothing_reaches_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    noisy = logging.getLogger("LiteLLM")
    noisy.addHandler(logging.StreamHandler(sys.stderr))
    start_logging("info", tmp_path)
    noisy.warning("third party")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("old habit", UserWarning, stacklevel=1)
    worker = threading.Thread(target=lambda: 1 / 0, name="worker")
    worker.start()
    worker.join()
    assert capfd.readouterr() == ("", "")
    for words in ("third party", "old habit", "worker died", "ZeroDivisionError"):
        assert words in logged(tmp_path)


def test_a_closed_terminal_is_no_error(tmp_path: Path) -> None:
    def write() -> None:
        raise OSError(errno.EIO, "Input/output error")

    start_logging("info", tmp_path)
    for name in ("textual-output", "tape"):
        worker = threading.Thread(target=write, name=name)
        worker.start()
        worker.join()
    assert "the terminal was closed" in logged(tmp_path)
    assert "textual-output died" not in logged(tmp_path)
    assert "tape died" in logged(tmp_path), "of anybody else it is an alarm"


def test_a_directory_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert start_logging("info", tmp_path / "file") is None
    logging.getLogger("x").error("lost")


def test_the_place_can_be_chosen(tmp_path: Path) -> None:
    assert log_dir({"TRADETERM_LOG_DIR": str(tmp_path)}) == tmp_path
    assert log_dir({}).name == "tradeterm"


def test_a_crash_leaves_one_line_on_the_terminal(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom tradeterm.logs import start_logging\n"
        f"start_logging('info', Path({str(tmp_path)!r}))\nraise RuntimeError('boom')"
    )
    root = Path(__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.strip() == f"tradeterm: RuntimeError: boom (details: {FILE_NAME})"
    assert "Traceback" in logged(tmp_path)
