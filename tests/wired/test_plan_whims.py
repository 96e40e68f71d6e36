"""Whatever the operator does, and wherever it is cut, a plan keeps its sums and comes to an end."""

from __future__ import annotations

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wired.stage import Record, Stage
from tests.wired.test_plan_stories import ALLOCATING, HOUR, standing
from tradeterm.model.timing import SECOND

D = Decimal
DEEDS = ("halt", "resume", "resume", "pause", "cancel_plan", "force_run")
#: Three minutes after the full hour, or just behind a slot, while its orders are on their way.
MOMENTS = st.builds(
    lambda hour, offset: hour * HOUR + offset,
    st.integers(0, 30), st.sampled_from([1.002, 1.06, 15.0]),
)  # fmt: skip
whims = st.lists(st.tuples(MOMENTS, st.sampled_from(DEEDS)), max_size=8)
PARAMETERS = {"cancel_plan": {"plan_id": "plan-1"}, "force_run": {"task": "portfolio_rebalance"}}


def staged(folder: Path, deeds: list[tuple[float, str]]) -> Stage:
    stage = Stage(folder)
    stage.overrides.append(ALLOCATING)
    standing(stage, *range(0, 32, 1))
    for moment, deed in sorted(deeds):
        stage.key(moment, deed, **PARAMETERS.get(deed, {}))
    return stage


def assert_sums(record: Record) -> None:
    spent: dict[str, Decimal] = {}
    for fill in record.fills():
        assert fill["side"] == "buy"
        worth = D(fill["size"]) * D(fill["price"])
        spent[fill["symbol"]] = spent.get(fill["symbol"], D(0)) + worth
    plans = {body["plan"]["id"]: body["plan"] for body in record.bodies("plan")}
    # One at a time: a second one only follows the end of the first.
    running = [plan for plan in plans.values() if plan["status"] in ("open", "paused")]
    assert len(running) == record.summary["plans"]["open"] <= 1
    ended = sum(n for what, n in record.summary["plans"].items() if what not in ("created", "open"))
    assert record.summary["plans"]["created"] == ended + len(running) == len(plans)
    for symbol, worth in spent.items():
        told = sum(
            (
                D(leg["filled"])
                for p in plans.values()
                for leg in p["legs"]
                if leg["symbol"] == symbol
            ),
            D(0),
        )
        asked = sum(
            (sum(map(D, leg["batches"])) for p in plans.values() for leg in p["legs"]
             if leg["symbol"] == symbol),
            D(0),
        )  # fmt: skip
        assert told <= worth + D("0.001")
        assert worth <= asked + 1
    for plan in running:
        assert record.rows("run_finished")[-1].ts < plan["slots"][-1] + 4 * HOUR * SECOND


async def lived(folder: Path, deeds: list[tuple[float, str]], cut: int) -> None:
    stage = staged(folder, deeds)
    whole = (await stage.play()).sound()
    assert_sums(whole)
    parts_db = folder / "parts.db"
    await stage.play(db=parts_db, until=f"{cut}s")
    parts = await stage.play(db=parts_db)
    assert parts.summary["state_hash"] == whole.summary["state_hash"]
    assert parts.trading() == whole.trading()


@settings(max_examples=8, deadline=None)
@given(deeds=whims, cut=st.integers(1, 31 * HOUR))
def test_no_whim_breaks_a_plan(deeds: list[tuple[float, str]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(lived(Path(folder), deeds, cut))
