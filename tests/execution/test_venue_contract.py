"""The paper exchange keeps the venue contract, with any latency."""

from __future__ import annotations

from tests.execution.venue_contract import Stand, VenueContract
from tests.execution.world import BTC, INSTRUMENTS, START, settings
from tradeterm.execution.paper import PaperExchange
from tradeterm.market.book import OrderBook
from tradeterm.model.market import BookSnapshot, Trade
from tradeterm.model.ports import Venue
from tradeterm.model.timing import MILLISECOND, SECOND
from tradeterm.model.vocabulary import Side
from tradeterm.settings.execution import LatencySettings


class PaperStand(Stand):
    """The paper exchange on one book."""

    def __init__(self, latency: LatencySettings) -> None:
        super().__init__()
        self.now = START
        self.book = OrderBook(BTC)
        self.paper = PaperExchange(settings(latency=latency), INSTRUMENTS, {BTC: self.book}, 7)
        self.venue: Venue = self.paper
        self.quote("64999", "65001")

    def quote(self, bid: str, ask: str, size: str = "1") -> None:
        shown = float(size)
        self.book.snapshot(
            BookSnapshot(self.now, BTC, ((float(bid), shown),), ((float(ask), shown),))
        )

    def trade(self, price: str, size: str = "1", taker: Side = Side.SELL) -> None:
        self.now += MILLISECOND
        event = Trade(self.now, BTC, float(price), float(size), taker.value)
        self.reports += self.venue.on_market(event)

    def wait(self, seconds: float = 2) -> None:
        end = self.now + int(seconds * SECOND)
        while self.paper.next_due <= end:
            self.now = max(self.now, self.paper.next_due)
            self.reports += self.venue.advance(self.now)
        self.now = end


class TestPaper(VenueContract):
    def stand(self) -> Stand:
        return PaperStand(LatencySettings(least=0.04, most=0.6))


class TestPaperWithoutLatency(VenueContract):
    def stand(self) -> Stand:
        return PaperStand(LatencySettings(least=0, most=0))
