"""A clock that is off, a journal that lags: entries are refused with the figure, exits go on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.wired.stage import RISE, Record, Stage
from tradeterm.desk import Desk
from tradeterm.engine.facts import standing_facts
from tradeterm.engine.riskpicture import risk_view
from tradeterm.model.commands import ReportHealth
from tradeterm.model.health import Health

D = Decimal
FALL = 24
"""The minute at which the price falls through the stop."""


def market(stage: Stage) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, FALL * 60, 60_010.0)
    stage.tape.hold(FALL * 60, (FALL + 2) * 60, 59_000.0)


async def told(stage: Stage, *reports: Health, **changes: Any) -> Record:
    """The run, which hears the reports before the market moves."""
    desk = await Desk.open(stage.request(**changes))
    try:
        answers = [desk.driver.submit(ReportHealth(health=each, actor="desk")) for each in reports]
        await desk.run()
        assert all(answer.result().accepted for answer in answers)
        summary = desk.summary()
    finally:
        await desk.close()
    return Record(stage.folder / "run.db", summary).sound()


def outcomes(record: Record) -> dict[str, tuple[str, str]]:
    """Rule → (figure, outcome) of the first verdict."""
    return {
        rule["rule"]: (rule["value"], rule["outcome"])
        for rule in record.bodies("verdict")[0]["rules"]
    }


def alarms(record: Record) -> list[tuple[str, str]]:
    found = [(body["code"], body["severity"]) for body in record.bodies("system")]
    return [each for each in found if each[0] in {"R-CLOCK-SKEW", "E-JOURNAL"}]


async def test_in_a_recorded_market_nothing_can_skew_and_the_verdict_says_so(stage: Stage) -> None:
    market(stage)
    record = await told(stage)
    assert outcomes(record)["clock_skew"] == ("n/a", "pass")
    assert outcomes(record)["journal_health"] == ("n/a", "pass")
    assert record.orders("entry") != []


async def test_a_clock_that_is_off_lets_nothing_in_until_it_agrees(stage: Stage) -> None:
    market(stage)
    record = await told(stage, Health(clock_skew=-1.2))
    assert record.orders("entry") == []
    assert outcomes(record)["clock_skew"] == ("-1.200", "fail")
    assert "clock_skew" in record.codes()
    assert alarms(record) == [("R-CLOCK-SKEW", "error")]
    again = Stage(stage.folder / "again")
    again.folder.mkdir()
    market(again)
    agrees = await told(again, Health(clock_skew=-1.2), Health(clock_skew=0.1))
    assert agrees.orders("entry") != []
    assert alarms(agrees) == [("R-CLOCK-SKEW", "error"), ("R-CLOCK-SKEW", "info")]


async def test_a_journal_that_fails_lets_nothing_in_and_everything_out(stage: Stage) -> None:
    market(stage)
    before = await told(stage, until="23m")
    assert [position["closed"] for position in before.positions()] == [None]
    record = await told(stage, Health(clock_skew=0.0, fault="the disk is full"))
    (position,) = record.positions()
    assert position["exit_reason"] == "stop"
    assert alarms(record) == [("E-JOURNAL", "critical")]
    assert all("journal" in body["codes"] for body in record.bodies("verdict")[1:])


async def test_a_report_is_an_input_so_a_restart_repeats_it(stage: Stage) -> None:
    market(stage)
    await told(stage, Health(clock_skew=9.0), until="10m")
    record = await told(stage)
    assert record.orders("entry") == [], "it was still off when the run went on"
    assert outcomes(record)["clock_skew"] == ("+9.000", "fail")


async def test_the_screen_and_status_show_clock_and_journal_and_what_they_block(
    stage: Stage,
) -> None:
    market(stage)
    desk = await Desk.open(stage.request())
    try:
        engine = desk.engine
        risk = risk_view(engine, engine.books.account())
        assert not {"clock skew", "journal lag"} & {limit.name for limit in risk.limits}
        for health, words in (
            (Health(0.5, 0.0), []),
            (Health(-2.5, 0.0), ["our clock is -2.5 s off the exchange's"]),
            (
                Health(None, 3.0),
                ["the journal lags 3.0 s", "the exchange's clock is not known yet"],
            ),
            (Health(0.0, 0.0, "full"), ["the journal cannot be written"]),
        ):
            engine.command(ReportHealth(health=health, actor="desk"), engine.now + 1)
            risk = risk_view(engine, engine.books.account())
            blocked = [why for where, why in risk.blocked if where == "*"]
            assert [why for why in blocked if "clock" in why or "journal" in why] == words
        used = {limit.name: (limit.used, limit.limit, limit.unit) for limit in risk.limits}
        assert used["clock skew"] == (0.0, 1.0, "s")
        assert used["journal lag"] == (0.0, 2.0, "s")
        facts = standing_facts(engine, "run")
        assert (facts["clock_skew"], facts["journal_fault"]) == (0.0, "full")
    finally:
        await desk.close()
