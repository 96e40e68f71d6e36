"""Notifications and metrics of a run: real channels on loopback, real scrapes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.living import wait_for
from tests.shell import command, tradeterm
from tests.terminal.screen import child_environment
from tradeterm.control import ask, send
from tradeterm.engine.view import EventView
from tradeterm.model.commands import Halt
from tradeterm.ops.notifying import Notifier, channels
from tradeterm.settings.console import NotificationSettings


class Channel:
    """A JSON webhook that keeps what it was told."""

    def __init__(self) -> None:
        told: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing to the terminal."""

        self.told = told
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def channel() -> Iterator[Channel]:
    opened = Channel()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


def settings(least: str = "error", burst: int = 2, per: float = 300) -> NotificationSettings:
    return NotificationSettings.model_validate(
        {"urls": "TRADETERM_NOTIFY", "least": least, "burst": burst, "per": per}
    )


def event(number: int, severity: str = "error", text: str = "stop failed") -> EventView:
    return EventView(number, 0, "ERROR", severity, f"{text} {number}")


def test_mild_events_are_not_told(channel: Channel) -> None:
    notifier = Notifier(settings(), channels(channel.url), "run")
    notifier.start()
    notifier.take([event(1, "info"), event(2, "warning"), event(3)])
    notifier.close()
    assert [one["message"] for one in channel.told] == ["ERROR stop failed 3"]
    assert notifier.sent == 1


def test_beyond_the_burst_there_is_one_digest(channel: Channel) -> None:
    now = [0.0]
    notifier = Notifier(settings(), channels(channel.url), "run", lambda: now[0])
    notifier.start()
    for number in (1, 2):
        notifier.take([event(number)])
        wait_for(lambda wanted=number: notifier.sent == wanted)
    for number in range(3, 28):
        notifier.take([event(number)])
    notifier.close()  # the end does not wait for the rate
    assert len(channel.told) == 3
    digest = channel.told[2]
    assert digest["title"] == "tradeterm run: error, 25 events"
    assert digest["message"].splitlines()[0] == "earlier: 15 ERROR, 0 not kept"
    assert digest["message"].splitlines()[-1] == "ERROR stop failed 27"


def test_a_digest_leaves_once_the_rate_allows_it(channel: Channel) -> None:
    notifier = Notifier(settings(burst=1, per=1), channels(channel.url), "run")
    notifier.start()
    notifier.take([event(1)])
    wait_for(lambda: notifier.sent == 1)
    notifier.take([event(2)])
    notifier.take([event(3)])
    wait_for(lambda: notifier.sent == 2)
    notifier.close()
    assert channel.told[1]["message"].splitlines() == ["ERROR stop failed 2", "ERROR stop failed 3"]


def test_hostile_text_is_cleaned_before_it_leaves(channel: Channel) -> None:
    notifier = Notifier(settings(), channels(channel.url), "run")
    notifier.start()
    notifier.take([event(1, text="\x1b]0;owned\x07 \u202e" + "x" * 5000)])
    notifier.close()
    (told,) = channel.told
    assert "\x1b" not in told["message"]
    assert "\u202e" not in told["message"]
    assert len(told["message"]) <= 300


def test_a_dead_channel_is_counted_and_holds_nobody() -> None:
    notifier = Notifier(settings(), channels("json://127.0.0.1:1/"), "run")
    notifier.start()
    notifier.take([event(1)])
    wait_for(lambda: notifier.failed == 1)
    notifier.close()
    assert notifier.sent == 0


def test_a_bad_channel_stops_the_start(tmp_path: Path) -> None:
    env = {"TRADETERM_NOTIFY": "nonsense"}
    said = tradeterm("run", "--headless", "--until", "1s", home=tmp_path, env=env)
    assert said.code == 2
    assert "TRADETERM_NOTIFY: channel 1 is no address that Apprise knows" in said.complaint


def test_a_halted_run_is_told_and_measured(tmp_path: Path, channel: Channel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    db = tmp_path / "run.db"
    words = command(
        "run", "--headless", "--seed", "7", "--speed", "1", "--db", db,
        "--set", f"console.metrics.port={port}", "--set", "console.notifications.least=warning",
    )  # fmt: skip
    env = child_environment(tmp_path, TRADETERM_NOTIFY=channel.url)
    child = subprocess.Popen(
        words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: db.exists() and ask(db, "status") is not None)
        send(db, Halt(reason="metrics test"))
        wait_for(lambda: any("metrics test" in one["message"] for one in channel.told))
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        assert "tradeterm_up 1.0" in text
        assert 'tradeterm_state{state="halted"} 1.0' in text
        assert 'tradeterm_level{level="NORMAL"} 1.0' in text
        assert 'tradeterm_mark{symbol="BTC/USDT"}' in text
    finally:
        child.terminate()
        child.wait(60)
    with pytest.raises(URLError):
        urlopen(f"http://127.0.0.1:{port}/metrics")


def test_nothing_is_told_or_measured_by_default(tmp_path: Path) -> None:
    code = (
        "import sys; from tradeterm.cli import cli; "
        "cli(['run','--headless','--until','1s','--db',sys.argv[1]], standalone_mode=False); "
        "print('LOADED', [n for n in ('apprise', 'prometheus_client') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run.db")],
        env=child_environment(tmp_path), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "LOADED []"
