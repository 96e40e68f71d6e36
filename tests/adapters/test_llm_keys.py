"""Keys come from the environment, .env (0600) or the keyring, and stay there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError

from tradeterm.adapters.advisors import keys
from tradeterm.adapters.advisors.keys import find_key
from tradeterm.adapters.advisors.opening import remarks
from tradeterm.errors import ConfigError
from tradeterm.logs import RedactingFormatter, Redactor
from tradeterm.settings.loading import load_settings

NAME = "TEST_PROVIDER_KEY"


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_environment_goes_first(tmp_path: Path) -> None:
    file = written(tmp_path, f"{NAME}=from-file\n")
    assert find_key(NAME, {NAME: " from-environment "}, file) == "from-environment"


@pytest.mark.parametrize(
    "line", [f"{NAME}=from-file", f"export {NAME}='from-file'", f'# x\n {NAME} = "from-file"']
)
def test_then_the_file(tmp_path: Path, line: str) -> None:
    assert find_key(NAME, {}, written(tmp_path, line)) == "from-file"


def test_a_file_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    file = written(tmp_path, f"{NAME}=from-file", 0o644)
    with pytest.raises(ConfigError, match=f"chmod 600 {file}"):
        find_key(NAME, {}, file)
    assert find_key("ANOTHER_KEY", {}, file) is None


Plug = Callable[[Callable[[str], "str | None"]], None]


class Ring(KeyringBackend):
    """A store of the system, in memory."""

    priority = 1

    def __init__(self, act: Callable[[str], str | None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._act = act

    def get_password(self, service: str, username: str) -> str | None:
        assert service == "tradeterm"
        return self._act(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.fixture
def ring() -> Iterator[Plug]:
    before = keyring.get_keyring()
    yield lambda act: keyring.set_keyring(Ring(act))
    keyring.set_keyring(before)


def test_then_the_keyring(tmp_path: Path, ring: Plug) -> None:
    ring(lambda name: f"kept-{name}")
    assert find_key(NAME, {}, tmp_path / ".env") == f"kept-{NAME}"
    assert find_key(NAME, {NAME: "from-environment"}, tmp_path / ".env") == "from-environment"


def test_a_keyring_that_fails_is_no_key(tmp_path: Path, ring: Plug) -> None:
    def broken(name: str) -> str:
        raise KeyringError("locked")

    ring(broken)
    assert find_key(NAME, {}, tmp_path / ".env") is None


def test_a_keyring_that_waits_for_a_person_is_not_waited_for(
    tmp_path: Path, ring: Plug, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "KEYRING_SECONDS", 0.05)
    over = threading.Event()
    ring(lambda name: str(over.wait(30)))
    begun = time.monotonic()
    assert find_key(NAME, {}, tmp_path / ".env") is None
    assert time.monotonic() - begun < 5
    over.set()


def test_a_key_with_strange_characters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="characters no key has"):
        find_key(NAME, {NAME: "sk-\x1b[31m"}, tmp_path / ".env")


def test_a_key_from_the_file_never_reaches_the_log(tmp_path: Path) -> None:
    find_key(NAME, {}, written(tmp_path, f"{NAME}=plain-words-as-key"))
    record = logging.LogRecord("x", logging.INFO, "", 0, "sent plain-words-as-key", (), None)
    assert "plain-words" not in RedactingFormatter(Redactor({})).format(record)


def test_members_that_the_one_model_for_every_role_silences_are_named() -> None:
    local = "model: openai/x, api_base: 'http://127.0.0.1:8000/v1'"
    every = f"llm.every_role={{{local}}}"
    members = f"llm.roles.trading_decision.members=[{{{local}}}, {{{local}}}]"

    def told(*more: str) -> str:
        return "\n".join(remarks(load_settings(None, ["llm.provider=litellm", *more]).settings.llm))

    silenced = "the 2 of llm.roles.trading_decision.members are not asked"
    assert silenced in told(every, members)
    assert silenced not in told(every)
    assert silenced not in told(members)
