"""Recorded conversations: a run is repeated without a network, and a wrong tape is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.adapters.model_server import ModelServer, say, settle
from tests.wired.stage import Record, Stage
from tests.wired.test_llm_arbiter import models, waiting
from tradeterm.errors import CassetteError


def tape_of(stage: Stage) -> str:
    return f"llm.cassette={stage.folder / 'answers.ndjson'}"


async def recorded(stage: Stage, *more: str) -> tuple[Record, tuple[str, ...]]:
    """A run in which one answer had to be repaired, and the settings that replay it."""
    waiting(stage)
    with ModelServer.running(say("{}"), settle(action="modify", size_reduction=0.5)) as server:
        asked = (*models(server), tape_of(stage), *more)
        record = (await stage.play(*asked, approve="all")).sound()
    return record, (*asked, "llm.provider=cassette")


def elsewhere(stage: Stage, name: str = "again.db") -> Path:
    return stage.folder / name


async def test_a_cassette_repeats_the_run(stage: Stage) -> None:
    record, again = await recorded(stage)
    repeated = (await stage.play(*again, approve="all", db=elsewhere(stage))).sound()
    assert repeated.summary["state_hash"] == record.summary["state_hash"]
    assert repeated.summary["llm"] == record.summary["llm"]
    assert [one["outcome"] for one in repeated.bodies("answer")[0]["tries"]] == [
        "invalid", "valid",
    ]  # fmt: skip


async def test_another_question_is_not_answered(stage: Stage) -> None:
    _, again = await recorded(stage)
    with pytest.raises(CassetteError, match=r"answers.ndjson:2: is another call: temperature 0 th"):
        await stage.play(
            *again, "llm.roles.arbiter.temperature=1", approve="all", db=elsewhere(stage)
        )


async def test_an_answer_that_is_not_recorded_is_not_made_up(stage: Stage) -> None:
    _, again = await recorded(stage)
    tape = stage.folder / "answers.ndjson"
    lines = tape.read_bytes().splitlines(keepends=True)
    tape.write_bytes(b"".join(lines[:3]))  # the opening, one request and its answer
    with pytest.raises(CassetteError, match=r"answers.ndjson:4: is not recorded: question-1 asks"):
        await stage.play(*again, approve="all", db=elsewhere(stage))


async def test_what_is_left_over_is_named(stage: Stage) -> None:
    _, again = await recorded(stage)
    with pytest.raises(
        CassetteError, match=r"answers.ndjson:1: question-1: and 2 more were never asked for"
    ):
        await stage.play(*again, until="10m", db=elsewhere(stage))


async def test_a_restart_goes_on_where_the_tape_stood(stage: Stage) -> None:
    record, again = await recorded(stage)
    db = elsewhere(stage)
    await stage.play(*again, approve="all", until="22m", db=db)
    repeated = (await stage.play(*again, approve="all", db=db)).sound()
    assert repeated.summary["state_hash"] == record.summary["state_hash"]


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"call": 1}', b'{"call": "x", "of": {}, "y": 1}'])
async def test_a_damaged_tape_is_named_by_its_line(stage: Stage, line: bytes) -> None:
    _, again = await recorded(stage)
    tape = stage.folder / "answers.ndjson"
    tape.write_bytes(line + b"\n" + tape.read_bytes())
    with pytest.raises(CassetteError, match=r"answers.ndjson:1: no line of a cassette"):
        await stage.play(*again, db=elsewhere(stage))


async def test_two_runs_do_not_share_a_tape(stage: Stage) -> None:
    await recorded(stage)
    with pytest.raises(CassetteError, match="holds another recording"):
        await stage.play("llm.provider=litellm", tape_of(stage), db=elsewhere(stage))


async def test_no_key_is_on_the_tape(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE_KEY", "sk-on-no-tape-0123456789")
    record, _ = await recorded(stage, "llm.roles.arbiter.api_key_env=STAGE_KEY")
    tape = stage.folder / "answers.ndjson"
    assert tape.stat().st_mode & 0o077 == 0
    assert b"sk-on-no-tape" not in tape.read_bytes()
    assert b"sk-on-no-tape" not in record.db.read_bytes()
    assert len([json.loads(line) for line in tape.read_text().splitlines()]) == 5
