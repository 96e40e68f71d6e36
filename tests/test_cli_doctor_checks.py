"""``tradeterm doctor``: what it looks at, what it calls a failure, and the remedy it gives."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from typing import Any

import pytest
from click.testing import CliRunner

from tradeterm.cli import cli
from tradeterm.ops.doctor import network
from tradeterm.ops.doctor.environment import startup_code
from tradeterm.ops.doctor.files import MIB, kind_of_disk, room
from tradeterm.ops.doctor.machine import python, sqlite

SECRET = "sk-canary-0123456789"


def ask(db: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Exit code, checks by what they looked at, and all that was printed."""
    result = CliRunner().invoke(
        cli, ["doctor", "--json", "--db", str(db), *arguments], standalone_mode=False
    )
    assert result.exception is None, result.output
    told = json.loads(result.output.splitlines()[-1])
    assert told["ok"] is (result.return_value == 0) is all(one["ok"] for one in told["checks"])
    for one in told["checks"]:
        assert one["found"]
        assert one["ok"] or one["remedy"], f"{one['what']} fails without a remedy"
    return result.return_value, {one["what"]: one for one in told["checks"]}, result.output


@contextmanager
def host(ahead: float = 0.0) -> Iterator[str]:
    """A server whose clock is ``ahead`` seconds before ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", formatdate(time() + ahead, usegmt=True))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def endpoints(address: str) -> list[str]:
    return [
        "--set", f"live.endpoints.rest=http://{address}",
        "--set", f"live.endpoints.ws=ws://{address}",
    ]  # fmt: skip


# -- the command -----------------------------------------------------------------------------


def test_everything_is_looked_at_and_a_reachable_exchange_tells_the_time(tmp_path: Path) -> None:
    with host() as address:
        code, checks, _ = ask(tmp_path / "run.db", *endpoints(address))
    assert code == 0
    for what in ("python", "sqlite", "terminal", "locale", "store", "disk", "folder", "settings",
                 "overrides", "routes", "loaders", "start-up code", "keys", "127.0.0.1",
                 "clock"):  # fmt: skip
        assert checks[what]["ok"], what
    assert "agrees to the second" in checks["clock"]["found"]


@pytest.mark.parametrize("ahead", [30.0, -30.0])
def test_a_clock_that_is_off_fails_with_its_size(tmp_path: Path, ahead: float) -> None:
    with host(ahead) as address:
        code, checks, _ = ask(tmp_path / "run.db", *endpoints(address))
    assert code == 1
    told = re.search(r"is at least ([+-][\d.]+) s off", checks["clock"]["found"])
    assert told is not None
    assert float(told.group(1)) == pytest.approx(-ahead, abs=2.1)  # it tells whole seconds
    assert "NTP" in checks["clock"]["remedy"]


def test_a_host_nobody_answers_at_fails_and_offline_leaves_it_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, checks, _ = ask(tmp_path / "run.db", *endpoints(f"127.0.0.1:{port}"))
    assert code == 1
    assert f"port {port}" in checks["127.0.0.1"]["found"]
    assert "sim and replay work without it" in checks["127.0.0.1"]["remedy"]
    code, checks, _ = ask(tmp_path / "run.db", "--offline")
    assert code == 0
    assert "127.0.0.1" not in checks


def test_an_exchange_out_of_reach_fails_only_who_wants_a_live_market(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    code, checks, _ = ask(tmp_path / "run.db")
    assert code == 0
    assert checks["api.kraken.com"]["outcome"] == "warn"
    code, checks, _ = ask(tmp_path / "run.db", "--live")
    assert code == 1
    assert checks["api.kraken.com"]["outcome"] == "fail"


def test_an_exchange_nobody_knows_fails_with_the_nearest_name(tmp_path: Path) -> None:
    code, checks, _ = ask(tmp_path / "run.db", "--set", "live.exchange=krakem")
    assert code == 1
    assert "did you mean kraken?" in checks["exchange"]["remedy"]


def test_a_route_that_is_no_address_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://evil\x1b[31m/")
    code, checks, _ = ask(tmp_path / "run.db", "--offline")
    assert code == 0
    assert "an address that is none" in checks["routes"]["found"]


def test_wrong_settings_are_one_failure_among_the_checks(tmp_path: Path) -> None:
    code, checks, _ = ask(tmp_path / "run.db", "--set", "risk.max_leverag=3")
    assert code == 1
    assert "did you mean max_leverage" in checks["settings"]["found"]
    assert checks["python"]["ok"]


def test_keys_and_passwords_are_counted_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", SECRET)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{SECRET}@proxy.example:3128")
    monkeypatch.setenv("TRADETERM__RISK__MAX_LEVERAGE", "3")
    monkeypatch.chdir(tmp_path)
    code, checks, output = ask(tmp_path / "run.db", "--offline", "--set", "llm.provider=litellm")
    assert SECRET not in output
    assert checks["DEEPSEEK_API_KEY"]["found"].endswith("present")
    assert not checks["ANTHROPIC_API_KEY"]["ok"]
    assert code == 1
    assert "HTTPS_PROXY=http://…@proxy.example:3128" in checks["routes"]["found"]
    assert "tradeterm asks no proxy" in checks["routes"]["remedy"]
    assert checks["overrides"]["found"] == "TRADETERM__RISK__MAX_LEVERAGE=3"


def test_files_others_can_read_are_named_with_the_command_that_closes_them(tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    db.touch(mode=0o600)
    tmp_path.chmod(0o700)
    assert ask(db, "--offline")[1]["file modes"]["outcome"] == "ok"
    db.chmod(0o644)
    tmp_path.chmod(0o777)
    _, checks, _ = ask(db, "--offline")
    assert checks["file modes"]["outcome"] == "warn"
    assert checks["file modes"]["remedy"] == f"chmod 600 {db}"
    assert checks["folder mode"]["remedy"].startswith(f"chmod 700 {tmp_path}")


def test_a_key_file_others_can_read_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"DEEPSEEK_API_KEY={SECRET}\n")
    (tmp_path / ".env").chmod(0o644)
    code, checks, output = ask(tmp_path / "run.db", "--offline")
    assert code == 1
    assert checks["file modes"]["remedy"] == "chmod 600 .env"
    assert SECRET not in output


# -- what cannot be had on this machine ------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (python((3, 11, 0)), "ok"), (python((3, 10, 14)), "fail"),
        (sqlite((3, 51, 3)), "ok"), (sqlite((3, 51, 2)), "warn"), (sqlite((3, 36, 0)), "fail"),
        (room(500 * MIB, Path("/x")), "ok"), (room(500 * MIB - 1, Path("/x")), "warn"),
        (room(100 * MIB, Path("/x")), "warn"), (room(100 * MIB - 1, Path("/x")), "fail"),
    ],
)  # fmt: skip
def test_versions_and_room_at_and_beside_their_limits(found: Any, outcome: str) -> None:
    assert found.outcome == outcome
    assert outcome == "ok" or found.remedy


@pytest.mark.parametrize(
    ("folder", "kind", "outcome"),
    [
        ("/home/me/data", "ext4", "ok"), ("/mnt/share/me", "nfs4", "fail"),
        ("/mnt/share/me", "fuse.sshfs", "fail"), ("/mnt/share", "cifs", "fail"),
        ("/home/me/Dropbox/t", "ext4", "fail"), ("/Users/me/Library/Mobile Documents/t", "apfs", "fail"),
    ],
)  # fmt: skip
def test_network_and_synced_folders_are_refused(folder: str, kind: str, outcome: str) -> None:
    mounts = {Path("/"): "ext4", Path("/mnt/share"): kind}
    found = kind_of_disk(Path(folder), mounts)
    assert found.outcome == outcome
    assert outcome == "ok" or "local disk" in found.remedy


def test_code_that_runs_before_the_program_is_listed(tmp_path: Path) -> None:
    (tmp_path / "_virtualenv.pth").write_text("import _virtualenv\n")
    (tmp_path / "paths.pth").write_text("/some/where\n# import os\n")
    (tmp_path / "__editable__.x.pth").write_text("import __editable___x_finder; x.install()\n")
    assert startup_code([tmp_path]).outcome == "ok"
    (tmp_path / "litellm_init.pth").write_text("import os; exec(os.environ['X'])\n")
    (tmp_path / "_virtualenv.pth").write_text("import _virtualenv\nimport base64, zlib; exec('')\n")
    (tmp_path / "sitecustomize.py").touch()
    found = startup_code([tmp_path])
    assert found.outcome == "warn"
    for name in (
        "litellm_init.pth: import os; exec",
        "_virtualenv.pth: import base64",
        "sitecustomize",
    ):
        assert name in found.found


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://no-such-host.invalid", "the name is not known"),
        (f"https://{'x' * 70}.invalid", "the name is not known"),
    ],
)
def test_a_name_nobody_knows(address: str, said: str) -> None:
    (found,) = network.look_at_host(address, 1.0)
    assert found.outcome == "fail"
    assert said in found.found


def test_a_certificate_is_asked_for_where_the_address_says_so(tmp_path: Path) -> None:
    with host() as address:
        (found,) = network.look_at_host(f"https://{address}", 1.0)
    assert found.outcome == "fail", "a plain server does not pass for a secure one"


@pytest.mark.parametrize(
    ("low", "high", "ok"),
    [
        (-1.0, 0.1, True),
        (0.9, 2.0, True),
        (1.0, 2.1, True),
        (1.01, 2.2, False),
        (-9.0, -1.01, False),
    ],
)
def test_within_its_whole_second_a_clock_is_not_off(low: float, high: float, ok: bool) -> None:
    assert (network.clock("x", (low, high), 1.0).outcome == "ok") is ok
