"""Things that happen faster than the operator: a book that moves without prints, a late entry."""

from __future__ import annotations

import pytest

from tests.wired.stage import EVERY, RISE, Stage

APPEARS = RISE * 60 + 1


async def test_a_card_drifts_when_only_the_book_moves(stage: Stage) -> None:
    """No trade prints; the mid leaves the card's price all the same."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, APPEARS + 10, 60_010.0)
    stage.tape.hold(APPEARS + 10, 24 * 60, 59_600.0)  # 0.68 %, the limit is 0.5
    first_print = min(
        number
        for number, line in enumerate(stage.tape.lines)
        if line["t"] == "trade" and line["p"] == "59600.0"
    )
    stage.tape.lines = [
        line
        for number, line in enumerate(stage.tape.lines)
        if number < first_print or line["t"] == "snap"
    ]
    stage.key(APPEARS + 20, "approve", card_id="card-1")
    record = (await stage.play(EVERY)).sound()
    assert [state for state, _ in record.card_states()] == ["drifted"]
    assert record.fills() == []


@pytest.mark.parametrize("seed", range(1, 9))
async def test_flatten_also_closes_an_entry_that_was_faster_than_its_cancel(
    stage: Stage, seed: int
) -> None:
    """Whether the cancel or the fill wins is the latency's draw; in the end nothing is open."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 24 * 60, 60_010.0)
    stage.key(RISE * 60 + 0.02, "flatten")
    record = (await stage.play(seed=seed)).sound()
    assert record.summary["positions"] == []
    assert record.summary["state"] == "halted"
    assert all(row["closed"] for row in record.positions())
