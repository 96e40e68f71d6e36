"""Bad settings, options and surroundings, through the command line: a clear message each."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Shell
from tests.shell import command, tradeterm
from tests.terminal.screen import child_environment, no_room
from tradeterm import errors
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.verify import verify
from tradeterm.control import ask

# -- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "command"),
    [
        (("--db", "other.db"), ("halt",)),
        (("--set", "risk.max_leverage=2"), ("run", "--headless", "--until", "1m")),
        (("--ascii",), ("config", "show")),
    ],
)
def test_an_option_before_a_command_is_refused_not_forgotten(
    shell: Shell, before: tuple[str, ...], command: tuple[str, ...]
) -> None:
    said = shell(*before, *command)
    assert said.code == 2
    assert f"{before[0]} before '{command[0]}' would not count" in said.err
    assert f"tradeterm {command[0]} {before[0]}" in said.err


# -- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("max_leverag: 3", "did you mean max_leverage?"),
        ("max_leverage: many", "'many' is not a number"),
        ("max_leverage: 2\nmax_leverage: 3", "max_leverage"),
        ("max_leverage: .nan", "max_leverage"),
        ("max_leverage: [1", "']'"),
        ("max_leverage: !!python/object/apply:os.getcwd []", "risk.yaml"),
    ],
)
def test_a_mistake_in_a_settings_file(shell: Shell, tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "risk.yaml").write_text(f"# mine\n{line}\n", encoding="utf-8")
    at = (1 if "]" in words else 0) + 1 + len(line.splitlines())
    for start in (("config", "check"), ("run", "--headless", "--db", tmp_path / "x.db")):
        said = shell(*start, "--config", tmp_path / "mine")
        assert said.code == 2
        assert words in said.complaint
        assert "risk.yaml" in said.complaint
        assert f"{at}" in said.complaint
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("risk.max_leverag=3", "did you mean max_leverage?"),
        ("rsk.max_leverage=3", "did you mean risk?"),
        ("risk.max_leverage", "--set section.key=value"),
        ("risk.max_leverage=much", "'much' is not a number"),
        ("risk.max_leverage=-1", "out of range"),
        ("console.theme=pink", "pink"),
        ("market.timeframes=[0, 60]", "above 0"),
        ("market.timeframes=[60, 90]", "90 is no multiple of 60"),
        ("market.symbols=[BTC/USDT, XRP/USDT, BTC/USDT]", "names BTC/USDT twice"),
        ("market.symbols=[BTCUSDT]", "'BTCUSDT' is not a symbol"),
        ("market.simulation.prices.BTC/USDT=0", "BTC/USDT is 0; write a price above 0"),
        ("market.simulation.start=yesterday", "'yesterday' is not a time"),
        ("market.simulation.start=9999-12-31T00:00:00Z", "is not from 1970 to 2199"),
        (
            "agents.sentiment_analysis.sources=[https://me:word@news.example/x]",
            "a name or password",
        ),
    ],
)
def test_a_mistake_in_an_override(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, given: str, words: str
) -> None:
    said = shell("config", "check", "--set", given)
    assert said.code == 2
    assert "--set" in said.complaint
    assert words in said.complaint
    key, equals, value = given.partition("=")
    if equals:
        monkeypatch.setenv(f"TRADETERM__{key.replace('.', '__').upper()}", value)
        said = shell("config", "check")
        assert said.code == 2
        assert f"env TRADETERM__{key.replace('.', '__').upper()}" in said.complaint
        assert words in said.complaint


def test_a_directory_of_settings_that_is_none(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "rsik.yaml").write_text("max_leverage: 2\n", encoding="utf-8")
    for name, words in [
        ("none", "does not exist"),
        ("file", "is not a directory"),
        ("odd", "did you mean risk.yaml?"),
    ]:
        said = shell("config", "check", "--config", tmp_path / name)
        assert said.code == 2
        assert words in said.complaint


# -- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--until 1x", "--until '1x'"),
        ("--until=-5h", "write a duration such as 90s"),
        ("--speed fast", "--speed 'fast'"),
        ("--speed 0", "above 0"),
        ("--speed nan", "above 0"),
        ("--approve some", "none, all or script:FILE"),
        ("--approve script:/none/keys", "/none/keys"),
        ("--symbols NOPE/USDT", "NOPE/USDT"),
        ("--symbols ,", "not a symbol"),
        ("--symbols BTC/USDT,BTC/USDT", "names 'BTC/USDT' twice"),
        ("--feed alive", "--feed 'alive'"),
        ("--feed replay:", "--feed 'replay:'"),
    ],
)
def test_a_mistake_in_an_option(shell: Shell, tmp_path: Path, words: str, complaint: str) -> None:
    said = shell("run", "--headless", "--db", tmp_path / "x.db", *words.split())
    assert said.code == 2
    assert complaint in said.complaint


def test_a_key_script_names_the_line_that_is_wrong(shell: Shell, tmp_path: Path) -> None:
    keys = tmp_path / "keys.jsonl"
    run = (
        "run",
        "--headless",
        "--until",
        "1m",
        "--db",
        tmp_path / "x.db",
        "--approve",
        f"script:{keys}",
    )
    for text, words in [
        ('{"at": "2025-06-02T00:00:01Z", "command": "approve"}\n', "line 1"),
        ('\n{"at": "soon", "command": "halt"}\n', "line 2"),
        ('{"at": "2025-06-02T00:00:01Z", "command": "explode"}\n', "explode"),
        ('["at"]\n', "line 1"),
        ("[" * 100_000, "line 1"),
        (
            (
                '{"at": "2025-06-02T00:00:09Z", "command": "halt"}\n'
                '{"at": "2025-06-02T00:00:01Z", "command": "halt"}\n'
            ),
            "time order",
        ),
    ]:
        keys.write_text(text, encoding="utf-8")
        said = shell(*run)
        assert said.code == 2, text[:80]
        assert "keys.jsonl" in said.complaint
        assert words in said.complaint
    keys.write_bytes(b'{"at": "\xff"}\n')
    said = shell(*run)
    assert (said.code, "byte 8 is not UTF-8" in said.complaint) == (2, True)
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize("words", ["", "run", "run --speed 10"])
def test_without_a_terminal_it_names_the_headless_run(shell: Shell, words: str) -> None:
    said = shell(*words.split())
    assert said.code == 2
    assert said.complaint == "the console needs a terminal; use `tradeterm run --headless`"


def test_headless_options_are_refused_on_a_console(shell: Shell) -> None:
    for words in ("--json", "--approve all"):
        assert "need --headless" in shell("run", *words.split()).complaint


# -- surroundings ------------------------------------------------------------------------------


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may write anywhere; the product's user may not."""
    if os.getuid() != 0:
        yield
        return
    places = Path(errors.__file__).parents
    if not all(place.stat().st_mode & stat.S_IXOTH for place in places):
        pytest.skip("the program lies in a directory that only root can enter")
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_read_only_place_is_named_and_nothing_is_half_created(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = ("run", "--headless", "--until", "1s")
    assert shell(*run, "--db", tmp_path / "warm.db").code == 0  # imports what it needs
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        monkeypatch.setenv("HOME", name)
        monkeypatch.setenv("TRADETERM_LOG_DIR", str(place / "log"))
        place.chmod(0o555)
        with ordinary_user():
            chosen, default = shell(*run, "--db", place / "x.db"), shell(*run)
        assert chosen.code == 2
        assert f"the directory {place} cannot be written" in chosen.complaint
        assert default.code == 2
        assert str(place) in default.complaint
        assert "--db" in default.complaint
        assert list(place.iterdir()) == []


def test_a_place_that_is_no_directory(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for db, words in [
        (tmp_path / "none" / "x.db", "mkdir -p"),
        (tmp_path / "file" / "x.db", "file"),
        (tmp_path, "is a directory"),
    ]:
        said = shell("run", "--headless", "--until", "1s", "--db", db)
        assert said.code == 2, db
        assert words in said.err


def test_without_any_home(tmp_path: Path) -> None:
    env = child_environment(tmp_path)
    env.pop("HOME")
    done = subprocess.run(
        command("run", "--headless", "--until", "1s", "--db", tmp_path / "x.db"),
        env=env,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    said = tradeterm(
        "run",
        "--headless",
        "--until",
        "1s",
        "--db",
        tmp_path / "x.db",
        home=tmp_path,
        env={"TRADETERM_LOG_DIR": str(tmp_path / "log")},
    )
    assert (said.code, said.err) == (0, "")


class Child:
    """A headless run in a process of its own, and what it says on stderr."""

    def __init__(self, folder: Path) -> None:
        self.db = folder / "run.db"
        self.said: list[str] = []
        self._process = subprocess.Popen(
            command("run", "--headless", "--seed", "7", "--speed", "3600", "--db", self.db),
            cwd=folder,
            env=child_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        self.said.extend(iter(self._process.stderr.readline, ""))

    def heard(self, text: str) -> int:
        return sum(text in line for line in self.said)

    def until(self, condition: Callable[[], object]) -> None:
        give_up = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < give_up, self.said
            assert self._process.poll() is None, self.said
            time.sleep(0.02)

    def held(self) -> dict[str, Any]:
        """The status once the slice under way when writing failed is at its end."""
        before, now = None, ask(self.db, "status")
        while now is None or now != before:
            assert self._process.poll() is None, self.said
            time.sleep(0.2)
            before, now = now, ask(self.db, "status")
        return now

    def end(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def kill(self) -> None:
        self._process.kill()
        self._listener.join()
        self._process.communicate()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(tmp_path)
    yield made
    made.kill()
    assert "Traceback" not in "".join(made.said)


def test_a_full_disk_holds_a_headless_run_until_there_is_room(child: Child) -> None:
    db = child.db
    child.until(lambda: ask(db, "status"))
    with no_room(child.pid):
        child.until(lambda: child.heard("cannot be written, market held"))
        held = child.held()
        complaints = len(child.said)
        time.sleep(1.5)  # longer than one attempt to write: it must neither go on nor chatter
        assert ask(db, "status") == held
        assert len(child.said) == complaints
    child.until(lambda: child.heard("can be written again"))
    child.until(lambda: (ask(db, "status") or held)["market_time"] > held["market_time"])
    with no_room(child.pid):
        child.until(lambda: child.heard("market held") == 2)
        assert child.end() == 2
    assert verify(db).problems == []


def rows_of(db: Path) -> int:
    if not db.exists():
        return 0
    with Reader(db) as reader:
        return reader.last_seq()


def test_a_store_deleted_under_a_run_holds_it_and_is_saved_whole(child: Child) -> None:
    db, saved = child.db, child.db.with_name("run.db.saved")
    child.until(lambda: rows_of(db) > 100)
    for file in (db, db.with_name("run.db-wal"), db.with_name("run.db-shm")):
        file.unlink()
    child.until(lambda: child.heard("deleted or moved away while in use"))
    assert child.heard(f"mv {saved} {db}") == 1
    held = child.held()
    time.sleep(1.5)  # longer than one attempt to write
    assert ask(db, "status") == held
    assert child.end() == 2
    assert saved.stat().st_mode & 0o777 == 0o600
    saved.rename(db)
    assert verify(db).problems == []
    assert rows_of(db) > 100


def test_a_store_moved_away_and_back_goes_on(child: Child) -> None:
    db, aside = child.db, child.db.with_name("aside.db")
    child.until(lambda: ask(db, "status"))
    db.rename(aside)
    child.until(lambda: child.heard("market held"))
    aside.rename(db)
    child.until(lambda: child.heard("can be written again"))
    assert child.end() == 143
    assert verify(db).problems == []
