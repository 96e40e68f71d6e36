"""The ledger refuses what does not add up and never overdraws what is ours."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.execution.world import D
from tradeterm.errors import LedgerError
from tradeterm.model.account import EXTERNAL, PNL, TRADING, Entry, Posting
from tradeterm.portfolio.booking import deposit
from tradeterm.portfolio.ledger import Ledger, LedgerState


def funded(amount: str = "100") -> Ledger:
    ledger = Ledger()
    ledger.post(deposit("entry-1", 0, "run", "USDT", D(amount)))
    return ledger


def entry(*postings: tuple[str, str, str]) -> Entry:
    rows = tuple(Posting(account, asset, D(amount)) for account, asset, amount in postings)
    return Entry("entry-2", 1, "open", "fill-1", rows)


def test_a_deposit_comes_from_outside() -> None:
    ledger = funded()
    assert ledger.balances() == {EXTERNAL: {"USDT": D(-100)}, TRADING: {"USDT": D(100)}}


@pytest.mark.parametrize(
    ("postings", "message"),
    [
        ([(TRADING, "USDT", "-1")], "USDT adds up to -1, not 0"),
        ([(TRADING, "USDT", "-1"), (PNL, "BTC", "1")], "adds up to"),
        ([(TRADING, "USDT", "-100.00000001"), (PNL, "USDT", "100.00000001")], "would leave"),
        ([("margin:pos-1", "USDT", "-1"), (TRADING, "USDT", "1")], "on margin:pos-1"),
        ([("hodl", "BTC", "-1"), (TRADING, "BTC", "1")], "out of the hodl bag"),
        ([(TRADING, "USDT", "NaN"), (PNL, "USDT", "NaN")], "is not an amount"),
    ],
)
def test_what_is_not_allowed_is_not_booked_at_all(
    postings: list[tuple[str, str, str]], message: str
) -> None:
    ledger = funded()
    before = ledger.balances()
    with pytest.raises(LedgerError, match=message):
        ledger.post(entry(*postings))
    assert ledger.balances() == before
    assert ledger.entries == 1


def test_an_emptied_margin_account_disappears() -> None:
    ledger = funded()
    ledger.post(entry((TRADING, "USDT", "-40"), ("margin:pos-1", "USDT", "40")))
    assert ledger.margin("USDT") == 40
    ledger.post(entry((TRADING, "USDT", "40"), ("margin:pos-1", "USDT", "-40")))
    assert "margin:pos-1" not in ledger.balances()


@given(st.lists(st.tuples(st.sampled_from([TRADING, "margin:a", "hodl"]),
                          st.sampled_from([PNL, TRADING, "margin:b"]),
                          st.integers(-10**9, 10**9)), max_size=30))  # fmt: skip
def test_whatever_is_posted_sums_stay_zero_and_a_dump_restores_them(
    moves: list[tuple[str, str, int]],
) -> None:
    ledger = funded("5")
    for source, to, units in moves:
        amount = D(units) / 10**8
        try:
            ledger.post(entry((source, "USDT", str(-amount)), (to, "USDT", str(amount))))
        except LedgerError:
            continue
    balances = ledger.balances()
    assert sum((assets.get("USDT", D(0)) for assets in balances.values()), D(0)) == 0
    assert all(
        amount >= 0
        for account, assets in balances.items() if account not in (EXTERNAL, PNL)
        for amount in assets.values()
    )  # fmt: skip
    other = Ledger()
    other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(ledger.dump()), type=LedgerState))
    assert other.balances() == balances
    assert other.entries == ledger.entries
