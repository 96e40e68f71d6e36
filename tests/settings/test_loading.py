"""Settings: where they come from, and what is said when they are wrong."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from tradeterm.errors import ConfigError
from tradeterm.settings.loading import load_settings, packaged_dir
from tradeterm.settings.settings import Settings

PACKAGE = Path(__file__).parents[2] / "tradeterm"


def complaint(
    directory: Path | None = None, overrides: list[str] | None = None, **environ: str
) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(directory, overrides or [], environ)
    return str(caught.value)


def written(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_defaults_load_and_say_where_they_stand() -> None:
    loaded = load_settings()
    line = int(loaded.origins["risk.max_leverage"].removeprefix("config/risk.yaml:"))
    text = (packaged_dir() / "risk.yaml").read_text().splitlines()[line - 1]
    assert text.startswith("max_leverage:")


def test_every_value_has_an_origin() -> None:
    loaded = load_settings()
    assert set(leaf_keys(loaded.settings.effective())) == set(loaded.origins)


def leaf_keys(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaf_keys(inner, f"{key}.{name}" if key else name)
    else:
        yield key


def test_later_sources_win(tmp_path: Path) -> None:
    written(tmp_path, "risk.yaml", "max_leverage: 4\nmax_positions: 3\nmax_risk: 1.5\n")
    environ = {"TRADETERM__RISK__MAX_LEVERAGE": "3", "TRADETERM__RISK__MAX_POSITIONS": "2"}
    loaded = load_settings(tmp_path, ["risk.max_leverage=2"], environ)
    risk = loaded.settings.risk
    assert (risk.max_leverage, risk.max_positions, risk.max_risk) == (Decimal(2), 2, Decimal("1.5"))
    assert loaded.origins["risk.max_leverage"] == "--set"
    assert loaded.origins["risk.max_positions"] == "env TRADETERM__RISK__MAX_POSITIONS"
    assert loaded.origins["risk.max_risk"] == f"file {tmp_path}/risk.yaml:3"
    assert loaded.origins["risk.max_margin"].startswith("config/risk.yaml:")


def test_numbers_are_exact() -> None:
    settings = load_settings(None, ["risk.max_risk=1.10"]).settings
    assert str(settings.risk.max_risk) == "1.10"


def test_keys_of_mappings_can_be_overridden_one_by_one() -> None:
    loaded = load_settings(
        None,
        ["market.instruments.BTC/USDT.tick=0.5", "portfolio.targets.USDT=34.34"],
        {"TRADETERM__PORTFOLIO__TARGETS__BTC": "32.33"},
    )
    instrument = loaded.settings.market.instrument("BTC/USDT")
    assert instrument is not None
    assert instrument.tick == Decimal("0.5")
    assert loaded.settings.portfolio.targets["BTC"] == Decimal("32.33")


def test_a_list_is_replaced_as_a_whole() -> None:
    settings = load_settings(None, ["market.symbols=[BTC/USDT]"]).settings
    assert settings.market.symbols == ("BTC/USDT",)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path, "risk.yaml", "# nothing yet\n")
    assert load_settings(tmp_path).settings == load_settings().settings


def test_effective_values_rebuild_the_same_settings() -> None:
    settings = load_settings(None, ["risk.max_risk=1.10"]).settings
    stored = json.loads(json.dumps(settings.effective()))
    assert Settings.from_effective(stored) == settings
    assert Settings.from_effective(stored).effective() == settings.effective()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("max_levrage: 3", ":1: risk.max_levrage: unknown key; did you mean max_leverage?"),
        ("max_leverage: 9", ":1: risk.max_leverage: 9 is out of range; must be at most 5"),
        ("max_leverage: '3'", "'3' is not a number"),
        ("max_leverage: 1_0", "'1_0' is not a number"),
        ("max_leverage: 0777", "'0777' is not a number; write 777"),
        ("max_leverage: .nan", "'.nan' is not a number"),
        ("max_leverage: .inf", "'.inf' is not a number"),
        ("max_leverage: 12:30:45", "'12:30:45' is not a number"),
        ("max_leverage: true", "true is not a number"),
        ("max_leverage:", "nothing is not a value"),
        ("max_leverage: [3]", "a list is not one value"),
        ("max_leverage: 3 %", "'3 %' is not a number"),
        ("max_positions: 2.5", "2.5 is not a whole number"),
        ("max_leverage: 3\nmax_leverage: 4", ":2: risk.max_leverage: is written twice"),
        ("max_leverage: &a 3\nmax_risk: *a", ":2: risk.max_risk: an alias (*a)"),
        ("max_leverage: !!python/object/apply:os.system ['true']", "a tag ("),
        ("max_leverage: !!int 3", "a tag ("),
        ("regime_leverage:\n\tchoppy: 1", ":2: a tab; indent with spaces"),
        ("regime_leverage: {chopy: 1}", "risk.regime_leverage.chopy: unknown key"),
        ("regime_leverage: {chopy: 1}", "did you mean choppy?"),
        ("max_leverage: [3", "not YAML"),
        ("- 3", "risk: is not a mapping"),
        ("? [a]\n: 1", "a list or mapping as a key"),
        ("max_leverage: 3\n---\nmax_leverage: 4", "a second document"),
        ("max_leverage: \x00", "unreadable character"),
        ("x: " + "[" * 40 + "]" * 40, "nested deeper"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, line: str, words: str) -> None:
    text = complaint(written(tmp_path, "risk.yaml", line + "\n"))
    assert words in text
    assert f"{tmp_path}/risk.yaml" in text


@pytest.mark.parametrize("word", ["NO", "yes", "off", "1", '"true"'])
def test_only_true_and_false_are_booleans(tmp_path: Path, word: str) -> None:
    text = complaint(written(tmp_path, "console.yaml", f"bell: {word}\n"))
    assert "is not true or false" in text


def test_an_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for name, below in zip("bcdefgh", "abcdefg", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{below}'] * 9)}]")
    assert "an alias" in complaint(written(tmp_path, "risk.yaml", "\n".join(lines)))


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    written(tmp_path, "risk.yaml", "max_leverage: 9\nmax_levrage: 2\n")
    written(tmp_path, "console.yaml", "theme: dusky\n")
    text = complaint(tmp_path, ["risk.min_stop=abc"], TRADETERM__RSK__X="1")
    assert text.startswith("5 mistakes")
    assert "did you mean dusk?" in text
    assert "env TRADETERM__RSK__X: rsk.x: unknown section 'rsk'; did you mean risk?" in text
    assert "--set: risk.min_stop: 'abc' is not a number" in text


def test_contradictions_blame_what_was_written_last() -> None:
    text = complaint(overrides=["portfolio.targets.BTC=50"])
    assert text == "--set: portfolio: targets add up to 116.67 percent; they must add up to 100"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("risk.max_leverage", "write --set section.key=value"),
        ("risk=3", "is no key"),
        ("risk..x=3", "is no key"),
        ("risk.max_leverage=", "nothing is not a value"),
        ("risk.max_leverage.x=1", "a mapping is not one value"),
        ("nonsense.x=1", "valid: market, agents"),
    ],
)
def test_bad_overrides(override: str, words: str) -> None:
    assert words in complaint(overrides=[override])


def test_strange_files_and_directories_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in complaint(tmp_path / "absent")
    file = tmp_path / "risk.yml"
    file.write_text("max_leverage: 3\n")
    assert "is not a directory" in complaint(file)
    assert "is no settings file; did you mean risk.yaml?" in complaint(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "risk.yaml").write_bytes(b"max_leverage: \xff\n")
    assert "is not UTF-8" in complaint(tmp_path)


# -- no key without a reader ---------------------------------------------------------------


def fields(kind: Any) -> Iterator[str]:
    """Names of all leaf fields of a section type, sections in mappings and lists included."""
    if get_origin(kind) in (Union, UnionType, tuple, list, dict):
        for part in get_args(kind):
            yield from fields(part)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, info in kind.model_fields.items():
            yield name
            yield from fields(info.annotation)


def attributes_read() -> set[str]:
    """Every attribute name read outside the settings, and those the sections' own methods read."""
    names: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "settings":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                names.add(node.attr)
    return names


#: Read by a method of their own section, which is called elsewhere.
READ_BY_SECTION = {
    "fees": "MarketSettings.instrument", "instruments": "MarketSettings.instrument",
    "tick": "MarketSettings.instrument", "lot": "MarketSettings.instrument",
    "min_size": "MarketSettings.instrument", "min_notional": "MarketSettings.instrument",
    "maker": "MarketSettings.instrument", "taker": "MarketSettings.instrument",
    "lookback": "OrchestrationSettings.windows",
    "api_base": "EndpointSettings.address",
    "every_role": "LlmSettings.role", "portfolio_rebalance": "LlmSettings.role",
    "by_symbol": "RiskSettings.limit",
    "correlations": "RiskSettings.correlation",
    "unlisted_correlation": "RiskSettings.correlation",
}  # fmt: skip


def test_every_key_has_a_reader() -> None:
    read = attributes_read()
    unread = {
        name for name in fields(Settings)
        if name not in read and READ_BY_SECTION.get(name, "?").rpartition(".")[2] not in read
    }  # fmt: skip
    assert not unread, f"settings nobody reads: {sorted(unread)}"
