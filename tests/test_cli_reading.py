"""Commands that look at the book of record: for people, and as one JSON line for scripts."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Shell
from tests.shell import command
from tests.terminal.screen import child_environment
from tradeterm.adapters.store.reader import Reader

COMMANDS = (
    "status",
    "portfolio",
    "positions",
    "orders",
    "fills",
    "postings",
    "plans",
    "differences",
    "close",
    "close-losers",
    "flatten",
    "move-stop",
    "move-target",
    "break-even",
    "trailing",
    "cancel",
    "cancel-entries",
    "amend",
    "cancel-plan",
    "reconcile",
    "adopt",
    "conflicts",
    "journal",
    "explain",
    "verify",
    "halt",
    "resume",
    "task",
    "run",
    "config",
)


@pytest.mark.parametrize("name", ["", *COMMANDS, "task run", "config show", "config check"])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_explains_itself(shell: Shell, name: str, option: str) -> None:
    said = shell(*name.split(), option)
    assert said.code == 0
    assert said.out.startswith(" ".join(["Usage: tradeterm", *name.split()]))
    assert said.err == ""


@pytest.mark.parametrize(
    "words",
    [
        "status --nope",
        "bogus",
        "explain",
        "journal --limit -3",
        "orders --limit many",
        "close",
        "close pos-1 --size 0",
        "close pos-1 --limit=-5",
        "move-stop pos-1 high",
        "move-target pos-1 nowhere",
        "trailing pos-1 perhaps",
        "amend PAPER-1 --size NaN",
        "adopt diff-1",
        "config bogus",
        "run --seed -1",
        "run --on-bad perhaps",
        "run --log-level loud",
    ],
)
def test_what_it_does_not_know_exits_2_and_points_to_the_help(shell: Shell, words: str) -> None:
    said = shell(*words.split())
    assert said.code == 2
    assert "tradeterm" in said.err
    assert "--help" in said.err


def test_version(shell: Shell) -> None:
    assert shell("--version").out.startswith("tradeterm, version ")


def test_status_tells_where_the_run_stands(shell: Shell, six_hours: Path) -> None:
    facts = shell("status", "--db", six_hours, "--json").json
    assert facts["state"] == "running"
    assert facts["level"] == "NORMAL"
    assert Decimal(facts["equity"]) > 0
    assert set(facts["marks"]) == {"BTC/USDT", "XRP/USDT", "XRP/BTC"}
    assert all(Decimal(price) > 0 for price in facts["marks"].values())
    assert facts["data_age"] >= 0
    assert (facts["running"], facts["finished"]) == (False, True)
    lines = shell("status", "--db", six_hours).out.splitlines()
    assert f"       state  {facts['state']}" in lines
    assert f"    BTC/USDT  {facts['marks']['BTC/USDT']}" in lines
    assert not [line for line in lines if line.split()[0] in ("reason", "watch")]


def test_the_reason_of_a_resume_is_no_news_while_it_runs(shell: Shell, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    assert shell("run", "--headless", "--until", "1s", "--db", db).code == 0
    assert shell("halt", "--reason", "lunch", "--db", db).code == 0
    assert "      reason  shell: lunch" in shell("status", "--db", db).out
    assert shell("resume", "--yes", "--db", db).code == 0
    assert "reason" not in shell("status", "--db", db).out


def test_what_cannot_be_valued_is_watched_and_the_run_says_so(shell: Shell, tmp_path: Path) -> None:
    db, wanted = tmp_path / "run.db", "--symbols BTC/USDT,XRP/BTC"
    said = shell("run", "--headless", "--symbols", "XRP/BTC", "--until", "5s", "--db", db)
    assert said.code == 0
    assert "XRP/BTC can only be watched" in said.err
    assert wanted in said.err
    (row,) = shell("journal", "--db", db, "--kind", "system", "--json").json["rows"]
    assert (row["data"]["code"], row["data"]["severity"]) == ("C-WATCH-ONLY", "warning")
    assert wanted in row["data"]["text"]
    assert wanted in shell("status", "--db", db).out
    assert shell("verify", "--db", db).code == 0
    both = ("--symbols", "BTC/USDT,XRP/BTC", "--until", "5s", "--db", tmp_path / "both.db")
    assert "watched" not in shell("run", "--headless", *both).err


@pytest.mark.parametrize("name", ["fills", "postings"])
def test_all_of_a_list_is_all_of_it(shell: Shell, six_hours: Path, name: str) -> None:
    def rows(*words: str) -> list[Any]:
        return list(shell(name, "--db", six_hours, "--json", *words).json[name])

    assert rows("--all") == rows("--limit", "-1")
    assert len(rows("--all", "--limit", "3")) == 3
    assert len(rows()) == min(100, len(rows("--all")))


def test_plans_that_ended_are_listed_when_none_is_under_way(shell: Shell, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    assert shell("run", "--headless", "--until", "5s", "--db", db).code == 0
    assert shell("cancel-plan", "plan-1", "--db", db).code == 0
    lines = shell("plans", "--db", db).out.splitlines()
    assert lines[0] == "no plan under way; ended:"
    assert lines[2].startswith("plan-1")
    assert "cancelled" in lines[2]
    assert shell("plans", "--db", db, "--json").json == {"plans": []}


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("positions", "positions"),
        ("positions --all", "positions"),
        ("orders", "orders"),
        ("orders --all", "orders"),
        ("plans", "plans"),
        ("conflicts", "conflicts"),
        ("journal --limit 20", "rows"),
    ],
)
def test_lists_are_tables_for_people_and_objects_for_scripts(
    shell: Shell, six_hours: Path, words: str, key: str
) -> None:
    found = shell(*words.split(), "--db", six_hours, "--json").json[key]
    said = shell(*words.split(), "--db", six_hours)
    lines = said.out.splitlines()
    assert found
    assert said.err == ""
    heading = 0 if key == "rows" else 1
    assert len(lines) == len(found) + heading
    for line, row in zip(lines[heading:], found, strict=True):
        assert row["id"] in line
    assert "E-" not in said.out.replace("USDT", "")


def test_amounts_are_plain_and_times_iso(shell: Shell, six_hours: Path) -> None:
    closed = [
        row
        for row in shell("positions", "--all", "--db", six_hours, "--json").json["positions"]
        if row["closed"]
    ]
    assert closed
    for row in closed:
        assert row["size"] == "0"
        assert row["closed"].endswith("Z")
        costs = Decimal(row["fees"]) + Decimal(row["carry"])
        assert Decimal(row["net"]) == Decimal(row["realised"]) - costs


def test_csv_has_every_column_and_one_line_per_row(
    shell: Shell, six_hours: Path, tmp_path: Path
) -> None:
    for name in ("orders --all", "positions --all", "fills", "postings", "plans --all"):
        said = shell(*name.split(), "--csv", "-", "--db", six_hours)
        assert said.code == 0
        assert said.err == ""
        rows = list(csv.DictReader(io.StringIO(said.out)))
        listed = shell(*name.split(), "--limit", "-1", "--json", "--db", six_hours).json
        (found,) = listed.values()
        assert rows
        assert len(rows) == len(found)
        for row, known in zip(rows, found, strict=True):
            assert list(row) == list(known)
            same = {key: "" if value is None else value for key, value in known.items()}
            assert all(row[key] == str(same[key]) for key in row if key != "legs")
    file = tmp_path / "held.csv"
    assert shell("portfolio", "--csv", file, "--db", six_hours).code == 0
    weights = [Decimal(row["weight"]) for row in csv.DictReader(io.StringIO(file.read_text()))]
    assert abs(sum(weights, Decimal(0)) - 100) < Decimal("0.05")
    for bad in (six_hours, tmp_path / "no" / "where.csv"):
        before = six_hours.read_bytes()
        assert shell("fills", "--csv", bad, "--db", six_hours).code == 2
        assert six_hours.read_bytes() == before
    namesake = tmp_path / f"{six_hours.name}.csv"  # of a book in another folder
    namesake.touch()
    assert shell("fills", "--csv", namesake, "--db", six_hours).code == 0
    both = shell("fills", "--csv", "-", "--json", "--db", six_hours)
    assert (both.code, "choose one" in both.complaint) == (2, True)


def test_the_portfolio_adds_up(shell: Shell, six_hours: Path) -> None:
    facts = shell("portfolio", "--db", six_hours, "--json").json
    bags = sum(Decimal(bag["worth"] or 0) for bag in facts["hodl"])
    profit = {name: Decimal(amount) for name, amount in facts["profit"].items()}
    earned = profit["price"] - profit["fees"] - profit["carry"] - profit["llm"]
    assert profit["net"] == earned
    for held in facts["positions"]:
        net, price, fees, carry = (Decimal(held[n]) for n in ("net", "price", "fees", "carry"))
        assert net == price - fees - carry
    assert abs(profit["net"] - (Decimal(facts["equity"]) + bags - 10_000)) < Decimal("0.03")
    assert {line["asset"] for line in facts["allocation"]} == {"BTC", "XRP", "USDT"}
    assert facts["plans"][0]["batch"] == 2
    assert facts["fee_tier"]["taker"] == "0.35"  # more than 10,000 traded
    assert {room["name"] for room in facts["rate_limits"]} == {"calls", "orders"}
    said = shell("portfolio", "--db", six_hours).out
    assert "since the beginning (USDT): price " in said
    assert "plan-1" in said


def test_an_empty_list_says_so(shell: Shell, tmp_path: Path) -> None:
    assert shell("run", "--headless", "--until", "1s", "--db", tmp_path / "x.db").code == 0
    for name in ("positions", "conflicts", "orders"):
        said = shell(name, "--db", tmp_path / "x.db")
        assert said.code == 0
        assert len(said.out.splitlines()) >= 1


def test_the_journal_can_be_searched(shell: Shell, six_hours: Path) -> None:
    def rows(*words: str) -> list[dict[str, object]]:
        return list(shell("journal", "--db", six_hours, "--json", *words).json["rows"])

    fills = rows("--kind", "fill", "--limit", "-1")
    assert fills
    assert {row["kind"] for row in fills} == {"fill"}
    of_one = rows("--id", str(fills[0]["parent"]))
    assert {str(fills[0]["parent"])} <= {str(row["id"]) for row in of_one}
    assert all(fills[0]["parent"] in (row["id"], row["parent"]) for row in of_one)
    late = rows("--since", str(fills[-1]["ts"]), "--limit", "-1")
    assert late
    assert all(str(row["ts"]) >= str(fills[-1]["ts"]) for row in late)
    assert len(rows("--limit", "7")) == 7
    assert rows("--kind", "nonsense") == []


def test_explain_tells_the_story_of_every_kind_of_id(shell: Shell, six_hours: Path) -> None:
    with Reader(six_hours) as reader:
        rows = reader.journal(limit=-1)
    by_kind = {row.kind: row.id for row in rows}
    for kind in ("order", "fill", "position", "conflict", "card", "verdict", "proposal"):
        row_id = by_kind[kind]
        story = shell("explain", row_id, "--db", six_hours, "--json").json
        links = {link["id"]: link for link in story["links"]}
        assert story["id"] == row_id
        assert row_id in links
        for link in story["links"]:
            assert {"kind", "id", "ts", "data", "parents"} <= link.keys()
        lines = shell("explain", row_id, "--db", six_hours).out.splitlines()
        assert sum(not line.startswith(" ") for line in lines) == len(links)
    kinds = [
        link["kind"]
        for link in shell("explain", by_kind["fill"], "--db", six_hours, "--json").json["links"]
    ]
    assert kinds.index("proposal") < kinds.index("verdict") < kinds.index("order")
    assert kinds.index("order") < kinds.index("fill")


def test_explain_tells_why_a_proposal_was_refused(shell: Shell, tmp_path: Path) -> None:
    db = tmp_path / "strict.db"
    shell(
        "run",
        "--headless",
        "--seed",
        "7",
        "--until",
        "5m",
        "--db",
        db,
        "--set",
        "risk.min_reward_risk=20",
    )
    verdicts = shell("journal", "--kind", "verdict", "--db", db, "--json").json["rows"]
    refused = next(row for row in verdicts if row["data"]["status"] == "rejected")
    links = shell("explain", refused["parent"], "--db", db, "--json").json["links"]
    kinds = [link["kind"] for link in links]
    assert "agent_output" in kinds
    assert "order" not in kinds
    told = next(link["data"] for link in links if link["kind"] == "verdict")
    assert "reward_risk" in "".join(told["codes"])
    assert "reward_risk" in shell("explain", refused["parent"], "--db", db).out


def test_an_unknown_id_says_where_ids_are_listed(shell: Shell, six_hours: Path) -> None:
    said = shell("explain", "nothing-1", "--db", six_hours)
    assert said.code == 2
    assert "'nothing-1'" in said.complaint
    assert "tradeterm journal" in said.complaint


def test_verify_finds_what_was_tampered_with(shell: Shell, six_hours: Path, tmp_path: Path) -> None:
    whole = shell("verify", "--db", six_hours, "--json")
    assert whole.code == 0
    assert whole.json["ok"] is True
    assert whole.json["problems"] == []
    copy = tmp_path / "copy.db"
    shutil.copy(six_hours, copy)
    with closing(sqlite3.connect(copy)) as db:
        (seq,) = db.execute("SELECT min(seq) FROM journal WHERE kind = 'fill'").fetchone()
        db.execute(
            "UPDATE journal SET body = replace(body, 'taker', 'maker') WHERE seq = ?", (seq,)
        )
        db.commit()
    found = shell("verify", "--db", copy, "--json")
    assert found.code == 1
    assert found.json["ok"] is False
    assert any(str(seq) in f"{each['where']} {each['what']}" for each in found.json["problems"])
    people = shell("verify", "--db", copy)
    assert people.code == 1
    assert str(seq) in people.out


def test_a_store_that_is_not_there(shell: Shell, tmp_path: Path) -> None:
    for words in ("status", "positions", "journal", "explain x", "verify", "halt", "resume --yes"):
        said = shell(*words.split(), "--db", tmp_path / "none.db")
        assert said.code == 2, words
        assert "no store at" in said.complaint
    assert not (tmp_path / "none.db").exists()


def test_settings_are_shown_with_their_origins(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "risk.yaml").write_text("max_leverage: 2\n", encoding="utf-8")
    words = ("config", "show", "--config", tmp_path / "mine", "--set", "console.theme=paper")
    shown = shell(*words, "--json").json
    assert shown["risk.max_leverage"]["value"] == "2"
    assert "risk.yaml" in shown["risk.max_leverage"]["origin"]
    assert shown["console.theme"] == {"value": "paper", "origin": "--set"}
    assert shown["approval.mode" if "approval.mode" in shown else "orchestration.approval.mode"]
    lines = shell(*words).out.splitlines()
    assert "console.theme = paper   [--set]" in lines
    assert len(lines) == len(shown)
    assert shell("config", "check", "--json").json["ok"] is True


def test_a_reader_that_stops_reading_is_no_accident(six_hours: Path, tmp_path: Path) -> None:
    child = subprocess.Popen(
        command("journal", "--limit", "-1", "--db", six_hours),
        cwd=tmp_path,
        env=child_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    assert b"run_started" in child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait(20) in {1, 141}


def test_the_default_place_is_the_data_directory(shell: Shell, tmp_path: Path) -> None:
    assert shell("run", "--headless", "--until", "1s").code == 0
    found = list(tmp_path.rglob("tradeterm.db"))
    assert len(found) == 1
    assert found[0].stat().st_mode & 0o777 == 0o600
    assert found[0].parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(shell("status", "--json").out)["finished"] is True
