"""An account of its own beside the paper exchange: what its reports may and must not say."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from tests.execution.world import BTC, INSTRUMENTS, START, XRP, D, settings
from tradeterm.execution.paper import PaperExchange, PaperState
from tradeterm.market.book import BookState, OrderBook
from tradeterm.model.market import BookDelta, BookSnapshot, Trade
from tradeterm.model.money import ZERO
from tradeterm.model.orders import (
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderRequest,
    VenueReport,
)
from tradeterm.model.vocabulary import (
    Evidence,
    Liquidity,
    OrderStatus,
    Purpose,
    Side,
    TimeInForce,
)

SYMBOLS = (BTC, XRP)
COLLAR = D("0.01")


class Place(msgspec.Struct):
    """An exchange and the books it looks at."""

    books: dict[str, OrderBook]
    venue: PaperExchange

    @staticmethod
    def new(seed: int) -> Place:
        books = {symbol: OrderBook(symbol) for symbol in SYMBOLS}
        instruments = {symbol: INSTRUMENTS[symbol] for symbol in SYMBOLS}
        return Place(books, PaperExchange(settings(), instruments, books, seed))

    def reborn(self, seed: int) -> Place:
        """Another one that was told only what this one wrote down."""
        packed = msgspec.msgpack.encode(
            ({symbol: book.dump() for symbol, book in self.books.items()}, self.venue.dump())
        )
        books, venue = msgspec.msgpack.decode(packed, type=tuple[dict[str, BookState], PaperState])
        other = Place.new(seed)
        for symbol, book in books.items():
            other.books[symbol].load(book)
        other.venue.load(venue)
        return other

    def show(self, event: BookSnapshot | BookDelta) -> None:
        if isinstance(event, BookSnapshot):
            self.books[event.symbol].snapshot(event)
        else:
            self.books[event.symbol].delta(event)


@dataclass
class Life:
    """What an order has done so far."""

    request: OrderRequest
    sent: int
    filled: Decimal = ZERO
    accepted: bool = False
    ended: OrderStatus | None = None
    last: int = 0
    amending: OrderRequest | None = None
    printed: Decimal = ZERO
    """What printed at its price for it since it was accepted."""
    lowest: Decimal = ZERO
    """The least the book showed there since."""
    queued: Decimal = ZERO
    """What it got by its place in the queue."""

    @property
    def working(self) -> bool:
        return self.ended is None and self.filled < self.request.size


class Witness:
    """Knows what every level showed and what was taken, what every order may still do, and what
    every position holds; ``take`` holds every report against it.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.place = Place.new(seed)
        self.twin: Place | None = None
        self.now = START
        self.lives: dict[str, Life] = {}
        self.held: dict[str, Decimal] = {}
        self.shown: dict[tuple[str, Side], dict[Decimal, Decimal]] = {}
        """What every level showed when it was last stated, less what was taken since."""
        self.price = 0.0
        """What the event being looked at printed or closed at."""
        self.print: Trade | None = None
        self.queued = ZERO
        """What this print has filled of the orders that queued at its price."""

    def agrees(self) -> None:
        """What the exchange says it holds is what its reports came to."""
        snapshot = self.place.venue.snapshot()
        working = {order.id: (order.size, order.filled) for order in snapshot.orders}
        assert working == {
            order_id: (life.request.size, life.filled)
            for order_id, life in self.lives.items()
            if life.working
        }
        assert snapshot.positions == self.held
        assert all(size > 0 for size in self.held.values())
        for life in self.lives.values():
            immediate = life.request.tif is TimeInForce.IOC
            assert not (immediate and life.accepted and life.working), "IOC never rests"
        assert self.place.venue.next_due > self.now
        for order_id in [order_id for order_id, life in self.lives.items() if not life.working]:
            del self.lives[order_id]

    def shown_at(self, request: OrderRequest) -> Decimal:
        """What the book shows at an order's limit, on its side."""
        book = self.place.books[request.symbol]
        return D(str(book.size_at(request.side, float(request.limit or ZERO))))

    # -- what is reported --------------------------------------------------------------------

    def take(self, said: list[list[VenueReport]]) -> None:
        assert all(reports == said[0] for reports in said), "a restart changed what happens"
        for report in said[0]:
            life = self.lives[report.order_id]
            assert life.working, f"{report} after the end of it"
            assert max(life.last, life.sent) <= report.ts <= self.now
            life.last = report.ts
            if isinstance(report, OrderAccepted):
                assert not life.accepted
                life.accepted = True
                life.printed, life.lowest = ZERO, self.shown_at(life.request)
            elif isinstance(report, OrderFilled):
                self._filled(life, report)
            elif isinstance(report, OrderAmended):
                self._amended(life, report)
            else:
                assert isinstance(report, OrderEnded)
                self._ended(life, report)

    def taken_as(self, life: Life, request: OrderRequest) -> None:
        """It has these terms now; another price is another queue."""
        moved, life.request = request.limit != life.request.limit, request
        if moved:
            life.printed, life.lowest, life.queued = ZERO, self.shown_at(request), ZERO

    def _amended(self, life: Life, report: OrderAmended) -> None:
        """Taken as sent, or refused and nothing changed."""
        assert life.amending is not None
        asked, life.amending = life.amending, None
        if not report.reason:
            self.taken_as(life, asked)
        assert report.revision == asked.revision
        assert (report.size, report.limit) == (life.request.size, life.request.limit)

    def _ended(self, life: Life, report: OrderEnded) -> None:
        assert (report.status is OrderStatus.REJECTED) == (not life.accepted) or (
            report.status is OrderStatus.CANCELLED
        )
        life.ended = report.status
        if report.status is OrderStatus.EXPIRED:
            assert life.request.expires is None or report.ts >= life.request.expires

    def _filled(self, life: Life, report: OrderFilled) -> None:
        request, price, size = life.request, report.price, report.size
        instrument = INSTRUMENTS[request.symbol]
        assert life.accepted
        assert size > 0
        assert size % instrument.lot == 0
        assert price > 0
        assert price % instrument.tick == 0
        life.filled += size
        assert life.filled <= request.size
        if request.limit is not None:
            assert price <= request.limit if request.side is Side.BUY else price >= request.limit
        if request.expires is not None:
            assert report.ts <= max(request.expires, life.sent)
        assert not (request.post_only and report.liquidity is Liquidity.TAKER)
        if report.evidence is Evidence.BOOK_WALK:
            assert report.liquidity is Liquidity.TAKER
            self._walked(request, price, size)
        elif report.evidence is not Evidence.BAR_ESTIMATE:
            self._made(life, report)
        if request.position_id is not None:
            self._held(request, size)

    def _made(self, life: Life, report: OrderFilled) -> None:
        """A maker fills at its own price, when a print went beyond it or fed its queue."""
        request = life.request
        assert report.liquidity is Liquidity.MAKER
        assert report.price == request.limit
        buys, level = request.side is Side.BUY, float(report.price)
        if report.evidence is Evidence.TRADE_THROUGH:
            assert self.price < level if buys else self.price > level
            return
        assert report.evidence is Evidence.QUEUE
        assert self.print is not None
        assert self.print.price == level
        assert self.print.side == ("sell" if buys else "buy"), "no taker of our side meets us"
        self.queued += report.size
        assert self.queued <= D(str(self.print.size)), "a print filled more than it was"
        life.queued += report.size
        ahead = life.lowest
        assert life.queued <= life.printed - ahead, "it was served before those ahead of it"

    def _walked(self, request: OrderRequest, price: Decimal, size: Decimal) -> None:
        """The level showed that much more than was taken, and every better one is used up."""
        levels = self.shown[request.symbol, request.side.opposite]
        levels[price] -= size
        assert levels[price] >= 0
        buys = request.side is Side.BUY
        better = [p for p in levels if (p < price if buys else p > price)]
        if any(levels[p] for p in better):
            told = self.print
            assert request.purpose is Purpose.STOP, "it passed over what it could have had"
            assert told is not None
            assert told.symbol == request.symbol
            by = D(str(told.price))
            assert price >= by if buys else price <= by
            assert not any(levels[p] for p in better if (p >= by if buys else p <= by))
        if request.limit is None and request.purpose is not Purpose.STOP:
            # Levels are never removed here before they are restated, so the touch is the best
            # one shown: what was taken from it does not move the collar.
            book = self.place.books[request.symbol]
            touch = book.best_ask if request.side is Side.BUY else book.best_bid
            assert touch is not None
            away = abs(price / D(str(touch)) - 1)
            assert away <= COLLAR

    def _held(self, request: OrderRequest, size: Decimal) -> None:
        position_id = request.position_id
        assert position_id is not None
        held = self.held.get(position_id, ZERO) + (-size if request.reduce_only else size)
        assert held >= 0, "a reduce-only order went through zero"
        if held:
            self.held[position_id] = held
        else:
            del self.held[position_id]
