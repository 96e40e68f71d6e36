"""What tests of several rooms share."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.living import wait_for
from tests.shell import Said, command
from tests.terminal.screen import child_environment
from tradeterm import cli
from tradeterm.control import ask

Shell = Callable[..., Said]

#: Rooms whose tests wait for a real clock. Side by side they would wait for each other, so with
#: ``-n 2 --dist loadgroup`` one process has them all.
BY_THE_CLOCK = {"browser", "live", "terminal"}

#: Rooms whose tests are left out of the trading rooms' coverage: the wired stories reach those
#: lines, too, and under its tracer a screen takes twice as long.
UNTRACED = {"lab", "terminal", "tui"}

# How long an example takes says more about what else the machine does than about us.
settings.register_profile("tradeterm", deadline=None)
settings.load_profile("tradeterm")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of the clock together, by their path.

    pytest-xdist 3.8 carries its own marks in the name of a test, which pytest 9.2 no longer lets it
    change: https://github.com/pytest-dev/pytest-xdist/issues/1386
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    class ByRoom(LoadGroupScheduling):  # type: ignore[misc]  # it ships no types
        def _split_scope(self, nodeid: str) -> str:
            rooms = set(nodeid.partition("::")[0].split("/")[:2])
            return "clock" if rooms & BY_THE_CLOCK else nodeid

    return ByRoom(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Leave the tracer of coverage out of some rooms.

    The mark ``no_cover`` of pytest-cov 7.1 does so in one process only: those of ``-n 2`` begin two
    measurements each, and the mark ends one.
    """
    if item.path.parent.name not in UNTRACED or not item.config.pluginmanager.hasplugin("_cov"):
        return (yield)
    here, threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(here)
        threading.settrace(threads)


@pytest.fixture(autouse=True)
def no_run_left_behind() -> Iterator[None]:
    """What a test begins ends with it: a desk still running would be met by the next ones."""
    before = gc.get_threshold()
    yield
    for thread in threading.enumerate():
        if thread.name == "engine":
            thread.join(30)
            assert not thread.is_alive(), "the engine's thread goes on after the test"
    assert gc.get_threshold() == before, "a run goes on, or did not give back the collector"


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """``shell("status", "--json")``: the command line within this process, which is quick."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRADETERM_LOG_DIR", str(tmp_path / "log"))

    def run(*arguments: str | Path) -> Said:
        root = logging.getLogger()
        before = root.handlers[:], root.level, logging.lastResort
        hooks = sys.excepthook, threading.excepthook
        monkeypatch.setattr(sys, "argv", ["tradeterm", *map(str, arguments)])
        capfd.readouterr()
        try:
            with pytest.raises(SystemExit) as left:
                cli.main()
        finally:
            for handler in set(root.handlers) - set(before[0]):
                handler.close()
            root.handlers[:], root.level, logging.lastResort = before
            sys.excepthook, threading.excepthook = hooks
            logging.captureWarnings(capture=False)
        out, err = capfd.readouterr()
        return Said(int(left.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def six_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book of record of six simulated hours in which everything was approved. Do not write."""
    from tests.shell import tradeterm

    home = tmp_path_factory.mktemp("six-hours")
    said = tradeterm(
        "run",
        "--headless",
        "--seed",
        "7",
        "--until",
        "6h",
        "--approve",
        "all",
        "--db",
        home / "run.db",
        home=home,
    )
    assert said.code == 0, said.err
    return home / "run.db"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A headless run in a process of its own, at its ordinary pace, in a deep directory."""
    place = tmp_path / ("a-long-name-" * 8) / "deep"
    place.mkdir(parents=True)
    db = place / "run.db"
    child = subprocess.Popen(
        command("run", "--headless", "--seed", "7", "--speed", "60", "--json", "--db", db),
        cwd=tmp_path,
        env=child_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: ask(db, "status") or child.poll() is not None)
    yield db, child
    if child.poll() is None:
        child.kill()
    child.communicate()
