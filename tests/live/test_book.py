"""Our own book from raw text against the exchange's own, checksum by checksum."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchanges.kraken_market import TrueBook, usual_pairs
from tradeterm.adapters.feeds.live.book import OutOfStep, WireBook

Rows = list[tuple[Decimal, Decimal]]

_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("bids", "asks")), st.integers(1, 25), st.integers(0, 9_999_999)
    ),
    max_size=40,
)  # fmt: skip


def written(book: TrueBook, rows: Rows) -> list[tuple[bytes, bytes]]:
    return [(book.price(p).encode(), book.size(q).encode()) for p, q in rows]


def true_book(index: int, levels: int = 12) -> TrueBook:
    book = TrueBook(usual_pairs()[index])
    book.fill(levels)
    return book


@given(st.integers(0, 2), _CHANGES)
def test_every_step_has_the_exchanges_checksum(
    index: int, changes: list[tuple[str, int, int]]
) -> None:
    """Prices of 65,000.1, of 0.54001 and of 0.00000830: points and leading zeros do not count."""
    truth = true_book(index)
    tick = Decimal(1).scaleb(-truth.pair.price_decimals)
    middle = Decimal(str(truth.pair.middle)).quantize(tick)
    ours = WireBook(truth.pair.symbol, 1000)
    ours.snapshot(
        written(truth, truth.best("bids", 100)),
        written(truth, truth.best("asks", 100)),
        truth.checksum(),
    )
    for side, step, size in changes:
        price = middle - step * tick if side == "bids" else middle + step * tick
        level = [(price, Decimal(size).scaleb(-8))]
        truth.set(side, *level[0])
        change = written(truth, level)
        ours.update(
            change if side == "bids" else [], change if side == "asks" else [], truth.checksum()
        )
    bids, asks = ours.levels
    assert list(bids) == [float(p) for p, _ in truth.best("bids", 1000)]
    assert list(asks) == [float(p) for p, _ in truth.best("asks", 1000)]


def test_a_wrong_level_is_noticed_at_once() -> None:
    truth = true_book(0)
    ours = WireBook("BTC/USDT", 100)
    ours.snapshot(
        written(truth, truth.best("bids", 100)), written(truth, truth.best("asks", 100)),
        truth.checksum(),
    )  # fmt: skip
    with pytest.raises(OutOfStep, match="checksum"):
        ours.update([(b"64999.9", b"9.99999999")], [], truth.checksum())


@pytest.mark.parametrize(
    ("bids", "asks", "why"),
    [
        ([(b"65001.0", b"1.0")], [(b"65000.0", b"1.0")], "crossed"),
        ([(b"-1.0", b"1.0")], [], "no price and size"),
        ([(b"0", b"1.0")], [], "no price and size"),
        ([(b"1e400", b"1.0")], [], "no price and size"),
        ([(b"nan", b"1.0")], [], "no price and size"),
        ([(b"1.0", b"-2")], [], "no price and size"),
    ],
)
def test_what_is_no_book_is_refused(
    bids: list[tuple[bytes, bytes]], asks: list[tuple[bytes, bytes]], why: str
) -> None:
    with pytest.raises(OutOfStep, match=why):
        WireBook("BTC/USDT", 10).snapshot(bids, asks)


def test_levels_that_fall_out_of_the_depth_are_removed_for_the_engine_too() -> None:
    book = WireBook("BTC/USDT", 2)
    book.snapshot([(b"10", b"1"), (b"9", b"1")], [(b"11", b"1"), (b"12", b"1")])
    bids, asks = book.update([(b"10.5", b"3")], [])
    assert bids == ((10.5, 3.0), (9.0, 0.0))
    assert asks == ()
    assert book.levels == ((10.5, 10.0), (11.0, 12.0))
