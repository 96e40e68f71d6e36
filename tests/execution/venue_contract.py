"""What every venue must hold, whoever runs it. Subclass ``VenueContract`` and give ``stand``.

The stand is the venue with a market the test can move: BTC/USDT, tick 0.1, lot 1e-8, minimum
0.00005 BTC and 0.5 USDT. A venue on a network is stood up on a simulation of its exchange.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.execution.world import BTC, D
from tradeterm.errors import InvalidOrder
from tradeterm.model.orders import (
    ApprovedOrder,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderRequest,
    VenueReport,
)
from tradeterm.model.ports import Venue
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    AccountBook,
    Liquidity,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)

S = OrderStatus


class Stand(ABC):
    """A venue and its market. ``reports`` are all it ever said."""

    now: int
    venue: Venue

    def __init__(self) -> None:
        self.reports: list[VenueReport] = []

    @abstractmethod
    def quote(self, bid: str, ask: str, size: str = "1") -> None:
        """The book is one level on each side."""

    @abstractmethod
    def trade(self, price: str, size: str = "1", taker: Side = Side.SELL) -> None:
        """A print; what it did is in ``reports`` afterwards."""

    @abstractmethod
    def wait(self, seconds: float = 2) -> None:
        """Let time pass; long enough by default for any order or cancel to arrive."""

    def send(self, request: OrderRequest) -> OrderRequest:
        self.venue.submit(ApprovedOrder(request, "verdict-1", self.now), self.now)
        return request

    def amend(self, request: OrderRequest) -> None:
        self.venue.amend(ApprovedOrder(request, "verdict-2", self.now), self.now)

    def of(self, order_id: str) -> list[VenueReport]:
        return [report for report in self.reports if report.order_id == order_id]

    def fills(self, order_id: str) -> list[OrderFilled]:
        return [report for report in self.of(order_id) if isinstance(report, OrderFilled)]

    def filled(self, order_id: str) -> Decimal:
        return sum((fill.size for fill in self.fills(order_id)), Decimal(0))

    def end(self, order_id: str) -> OrderEnded | None:
        ends = [report for report in self.of(order_id) if isinstance(report, OrderEnded)]
        assert len(ends) <= 1, "an order ends once"
        return ends[0] if ends else None


def order(number: int = 1, **changes: object) -> OrderRequest:
    """A limit buy of 0.01 at 64,900."""
    request = OrderRequest(
        id=f"PAPER-{number}", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT, size=D("0.01"),
        purpose=Purpose.REBALANCE, book=AccountBook.SPOT, parent="verdict-1", limit=D("64900"),
    )  # fmt: skip
    return replace(request, **changes)


def market(number: int = 1, **changes: object) -> OrderRequest:
    return order(number, type=OrderType.MARKET, limit=None, **changes)


class VenueContract(ABC):
    """The tests. Names say what must hold."""

    @abstractmethod
    def stand(self) -> Stand:
        """A fresh venue, quoting 64,999 / 65,001."""

    def test_an_order_is_acknowledged_before_anything_else_happens_to_it(self) -> None:
        stand = self.stand()
        stand.send(market())
        stand.wait()
        assert isinstance(stand.of("PAPER-1")[0], OrderAccepted)
        assert stand.filled("PAPER-1") == D("0.01")
        assert stand.end("PAPER-1") is None
        assert stand.fills("PAPER-1")[0].liquidity is Liquidity.TAKER

    def test_fills_never_exceed_the_size_and_trade_ids_are_unique(self) -> None:
        stand = self.stand()
        stand.quote("64999", "65001", "0.004")
        for number in range(1, 6):
            stand.send(order(number, limit=D("65001")))
        stand.wait()
        stand.trade("64000", "9")
        stand.wait()
        fills = [report for report in stand.reports if isinstance(report, OrderFilled)]
        assert len({fill.trade_id for fill in fills}) == len(fills)
        for number in range(1, 6):
            assert stand.filled(f"PAPER-{number}") <= D("0.01")

    def test_an_id_is_an_order_once(self) -> None:
        stand = self.stand()
        stand.send(order())
        with pytest.raises(InvalidOrder):
            stand.send(order())
        stand.wait()
        assert len(stand.venue.snapshot().orders) == 1

    @pytest.mark.parametrize(
        ("bad", "words"),
        [
            (order(size=D("0.00001")), "minimum"),
            (order(size=D("0.0000000001")), "lot"),
            (order(limit=D("64900.05")), "tick"),
            (order(symbol="NOPE/USDT"), "unknown symbol"),
            (order(reduce_only=True, position_id="pos-1"), "nothing to reduce"),
            (order(tif=TimeInForce.GTD), "expiry"),
        ],
    )
    def test_what_is_wrong_is_rejected_in_words(self, bad: OrderRequest, words: str) -> None:
        stand = self.stand()
        stand.send(bad)
        stand.wait()
        (end,) = stand.of(bad.id)
        assert isinstance(end, OrderEnded)
        assert end.status is S.REJECTED
        assert words in end.reason

    def test_cancels_of_one_call_end_each_order_once(self) -> None:
        stand = self.stand()
        for number in (1, 2, 3):
            stand.send(order(number))
        stand.wait()
        stand.venue.cancel(["PAPER-1", "PAPER-3"], stand.now)
        stand.venue.cancel(["PAPER-1"], stand.now)
        stand.wait()
        ends = [stand.end(f"PAPER-{number}") for number in (1, 2, 3)]
        assert [end.status if end else None for end in ends] == [S.CANCELLED, None, S.CANCELLED]
        assert [each.id for each in stand.venue.snapshot().orders] == ["PAPER-2"]

    def test_cancelling_what_is_not_there_is_silent(self) -> None:
        stand = self.stand()
        stand.venue.cancel(["PAPER-77"], stand.now)
        stand.wait()
        assert stand.reports == []

    def test_nothing_is_said_of_an_order_after_its_end(self) -> None:
        stand = self.stand()
        stand.send(order())
        stand.wait()
        stand.venue.cancel(["PAPER-1"], stand.now)
        stand.wait()
        said = len(stand.reports)
        stand.trade("64000", "9")
        stand.wait()
        assert len(stand.reports) == said

    def test_post_only_never_takes(self) -> None:
        stand = self.stand()
        stand.send(order(1, limit=D("65001"), post_only=True))
        stand.send(order(2, limit=D("65000"), post_only=True))
        stand.wait()
        end = stand.end("PAPER-1")
        assert end is not None
        assert (end.status, "post-only" in end.reason) == (S.REJECTED, True)
        assert stand.fills("PAPER-1") == stand.fills("PAPER-2") == []
        stand.trade("64990", "9")
        assert {fill.liquidity for fill in stand.fills("PAPER-2")} == {Liquidity.MAKER}

    def test_ioc_takes_what_there_is_and_never_rests(self) -> None:
        stand = self.stand()
        stand.quote("64999", "65001", "0.004")
        stand.send(order(limit=D("65001"), tif=TimeInForce.IOC))
        stand.wait()
        end = stand.end("PAPER-1")
        assert end is not None
        assert (stand.filled("PAPER-1"), end.status) == (D("0.004"), S.CANCELLED)

    def test_gtd_ends_at_its_time_and_fills_no_more(self) -> None:
        stand = self.stand()
        stand.send(order(tif=TimeInForce.GTD, expires=stand.now + 10 * SECOND))
        stand.wait(20)
        end = stand.end("PAPER-1")
        assert end is not None
        assert end.status is S.EXPIRED
        stand.trade("64000", "9")
        assert stand.filled("PAPER-1") == 0

    def test_a_limit_never_fills_at_a_worse_price(self) -> None:
        stand = self.stand()
        stand.send(order(1, limit=D("65001")))
        stand.send(order(2, side=Side.SELL, limit=D("65000")))
        stand.wait()
        stand.trade("66000", "9", Side.BUY)
        assert all(fill.price <= D("65001") for fill in stand.fills("PAPER-1"))
        assert [fill.price >= D("65000") for fill in stand.fills("PAPER-2")] == [True]

    def test_reduce_only_takes_no_more_than_is_held(self) -> None:
        stand = self.stand()
        margin = {"book": AccountBook.MARGIN, "position_id": "pos-1"}
        stand.send(market(1, purpose=Purpose.ENTRY, stop=D(60000), **margin))
        stand.wait()
        assert stand.venue.snapshot().positions == {"pos-1": D("0.01")}
        out = {"purpose": Purpose.EXIT, "side": Side.SELL, "reduce_only": True, **margin}
        stand.send(market(2, size=D("0.008"), **out))
        stand.send(market(3, size=D("0.008"), **out))
        stand.wait()
        assert stand.filled("PAPER-2") + stand.filled("PAPER-3") == D("0.01")
        assert not stand.venue.snapshot().positions
        assert not stand.venue.snapshot().orders

    def test_an_amendment_is_answered_once_and_then_in_force(self) -> None:
        stand = self.stand()
        request = stand.send(order())
        stand.wait()
        stand.amend(replace(request, size=D("0.006"), limit=D("64800"), revision=1))
        stand.wait()
        (answer,) = [each for each in stand.reports if isinstance(each, OrderAmended)]
        assert (answer.revision, answer.size, answer.limit, answer.reason) == (
            1, D("0.006"), D("64800"), "",
        )  # fmt: skip
        stand.trade("64850", "9")
        assert stand.filled("PAPER-1") == 0
        stand.trade("64700", "9")
        assert stand.filled("PAPER-1") == D("0.006")

    def test_an_amendment_that_cannot_be_leaves_the_order_as_it_was(self) -> None:
        stand = self.stand()
        request = stand.send(order(post_only=True))
        stand.wait()
        stand.amend(replace(request, limit=D("65001"), revision=1))
        stand.wait()
        (answer,) = [each for each in stand.reports if isinstance(each, OrderAmended)]
        assert (answer.limit, bool(answer.reason)) == (D("64900"), True)
        stand.trade("64899", "9")
        assert stand.filled("PAPER-1") == D("0.01")

    def test_an_amendment_of_what_is_gone_is_silent(self) -> None:
        stand = self.stand()
        request = stand.send(market())
        stand.wait()
        said = len(stand.reports)
        stand.amend(replace(request, size=D("0.005"), revision=1))
        stand.wait()
        assert len(stand.reports) == said

    def test_the_snapshot_is_what_the_reports_add_up_to(self) -> None:
        stand = self.stand()
        stand.quote("64999", "65001", "0.004")
        stand.send(order(1, limit=D("65001")))
        stand.send(order(2))
        stand.send(market(3, size=D("0.00001")))
        stand.wait()
        held = {each.id: (each.size, each.filled) for each in stand.venue.snapshot().orders}
        assert held == {
            "PAPER-1": (D("0.01"), stand.filled("PAPER-1")), "PAPER-2": (D("0.01"), D(0)),
        }  # fmt: skip

    def test_reports_are_stamped_in_order_and_never_ahead_of_time(self) -> None:
        stand = self.stand()
        for number in range(1, 9):
            stand.send(order(number, limit=D(64990 + number)))
        stand.wait()
        stand.trade("64994.5", "9")
        stamps: Sequence[int] = [report.ts for report in stand.reports]
        assert list(stamps) == sorted(stamps)
        assert stamps[-1] <= stand.now
