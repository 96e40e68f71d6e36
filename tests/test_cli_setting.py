"""`tradeterm set` and `config show --run`: limits from another shell, and what a run is under."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.shell import tradeterm


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run under a flag of its own."""
    folder = tmp_path_factory.mktemp("run")
    words = ("run", "--headless", "--until", "1m", "--seed", "7", "--set", "risk.max_risk=1")
    assert tradeterm(*words, "--db", folder / "run.db", home=folder).code == 0
    return folder


def test_tighter_at_once_looser_with_the_word_and_every_origin_is_told(run: Path) -> None:
    db = run / "run.db"
    done = tradeterm("set", "risk.max_leverage=2", "--db", db, "--json", home=run)
    assert json.loads(done.out) == {
        "accepted": True, "text": "risk.max_leverage 5 → 2, in force now",
    }  # fmt: skip
    refused = tradeterm("set", "risk.max_leverage = 3", "--db", db, home=run)
    assert (refused.code, "say --confirm LOOSEN" in refused.out) == (1, True)
    loosened = tradeterm("set", "risk.max_leverage=3", "--confirm", "LOOSEN", "--db", db, home=run)
    assert loosened.code == 0
    shown = json.loads(tradeterm("config", "show", "--db", db, "--json", home=run).out)
    assert shown["risk.max_leverage"] == {"value": "3", "origin": "shell at 2025-06-02T00:01:00Z"}
    assert shown["risk.max_risk"] == {"value": "1", "origin": "--set"}
    assert shown["risk.max_position"]["origin"] == "default"
    assert tradeterm("verify", "--db", db, home=run).code == 0
    verdict = tradeterm(
        "risk", "check", "--symbol", "BTC/USDT", "--side", "long", "--size", "0.001", "--leverage",
        "5", "--confidence", "0.9", "--db", db, "--json", home=run,
    )  # fmt: skip
    limits = {rule["rule"]: rule["limit"] for rule in json.loads(verdict.out)["rules"]}
    assert "3" in limits["max_leverage" if "max_leverage" in limits else "leverage"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("risk.max_leverage",), "write KEY=VALUE"),
        (("risk.max_leverage=2", "--confirm", "YES"), "the word is LOOSEN"),
        (("llm.daily_cap=1",), "is fixed while a run goes on"),
        (("market.symbols=[]",), "a new run takes it"),
    ],
)
def test_bad_usage_is_told_before_anything_is_sent(
    run: Path, words: tuple[str, ...], why: str
) -> None:
    told = tradeterm("set", *words, "--db", run / "run.db", home=run)
    assert (told.code, why in told.err) == (2, True), told.err


def test_no_run_no_settings_of_it(tmp_path: Path) -> None:
    gone = tmp_path / "gone.db"
    assert "no store at" in tradeterm("set", "risk.max_risk=1", "--db", gone, home=tmp_path).err
    mixed = ("config", "show", "--db", gone, "--set", "risk.max_risk=1")
    assert tradeterm(*mixed, home=tmp_path).code == 2
