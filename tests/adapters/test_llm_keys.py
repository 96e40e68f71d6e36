"""Keys come from the environment, .env (0600) or the keyring, and stay there."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tradeterm.adapters.advisors.keys import find_key
from tradeterm.errors import ConfigError
from tradeterm.logs import RedactingFormatter, Redactor

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


def test_then_the_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = ModuleType("keyring")
    keyring.get_password = lambda service, name: f"{service}/{name}"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert find_key(NAME, {}, tmp_path / ".env") == f"tradeterm/{NAME}"


def test_a_keyring_that_fails_is_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", ModuleType("keyring"))
    assert find_key(NAME, {}, tmp_path / ".env") is None


def test_a_key_with_strange_characters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="characters no key has"):
        find_key(NAME, {NAME: "sk-\x1b[31m"}, tmp_path / ".env")


def test_a_key_from_the_file_never_reaches_the_log(tmp_path: Path) -> None:
    find_key(NAME, {}, written(tmp_path, f"{NAME}=plain-words-as-key"))
    record = logging.LogRecord("x", logging.INFO, "", 0, "sent plain-words-as-key", (), None)
    assert "plain-words" not in RedactingFormatter(Redactor({})).format(record)
