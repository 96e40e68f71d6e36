"""How orders meet the market: takers walk the book, makers wait for prints, bars estimate.

What it decides, once:
- With a book, takers walk it (evidence ``book_walk``). Without one they fill at the last price or
  bar close plus slippage (``bar_estimate``). Waiting for the next bar's open would keep an order
  cancellable for a whole bar in which a real venue had long filled it.
- A limit that rests is a maker. A print beyond its price means that the level was consumed, us
  included: all of it fills (``trade_through``), however large; a print at its price feeds the
  queue first and then us, as far as it goes (``queue``, see ``queue.py``). A book that merely
  shows a price beyond ours fills nothing: the print that follows does.
- A print says that what was better than it is gone: a stop it sets off fills no better than it,
  and where a book that lags behind shows nothing from there on, at the print plus slippage.
- Stops and targets execute as market orders, their limit variants become a limit order behind
  everybody else at its price. A market stop has no collar and stays until it is done; a market
  target's rest beyond the collar goes back to waiting; any other rest is cancelled.
- On bars a limit needs a range strictly beyond it and fills at its limit; a stop fills at the
  worse of its level and the open, before any target of the same bar; a limit variant whose price
  is then out of reach rests and is judged by the bars to come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from tradeterm.execution.depth import Depth, Taken
from tradeterm.execution.floor import Floor
from tradeterm.execution.latency import Step
from tradeterm.execution.resting import TRIGGERED_LIMITS, Live, Resting, bar_fires, bar_reference
from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, Trade
from tradeterm.model.money import ONE, ceil_to, exact, floor_to
from tradeterm.model.orders import NO_FUNDS, OrderRequest, VenueReport
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    Evidence,
    Liquidity,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from tradeterm.settings.execution import ExecutionSettings

#: How long an exit waits before it tries an unusable or empty book again.
RETRY: Final = SECOND

#: How much of a size the account can pay for at a price.
Affordable = Callable[[OrderRequest, Decimal, Decimal], Decimal]


class Matching:
    """Fills what is on the floor; reports go to the list given."""

    def __init__(
        self,
        floor: Floor,
        settings: ExecutionSettings,
        instruments: Mapping[str, Instrument],
        books: Mapping[str, OrderBook],
        affordable: Affordable,
    ) -> None:
        self._floor = floor
        self._instruments = instruments
        self._books = books
        self._affordable = affordable
        self._depths = {s: Depth(books[s], i) for s, i in instruments.items() if s in books}
        self._collar = settings.max_slippage / 100
        self._slip = settings.bar_slippage / 100

    def relist(self, instrument: Instrument) -> None:
        """The venue has other steps from now on."""
        self._floor.queue(instrument.symbol).relist(instrument)
        if (depth := self._depths.get(instrument.symbol)) is not None:
            depth.relist(instrument)

    # -- what the market did -----------------------------------------------------------------

    def on_price(
        self, rest: Resting, price: float, ts: int, trade: Trade | None = None
    ) -> list[VenueReport]:
        """A price traded; ``trade`` is its print, when it is one and not a bar's close."""
        out: list[VenueReport] = []
        queued: list[Live] = []
        rest.matching = True
        self._floor.made.clear()
        for live in rest.fired_by_price(price):
            if live.request.id not in self._floor.orders:
                continue  # an earlier one of this very event closed its position
            if not live.is_limit:
                self._set_off(live, ts, out, trade if live.is_stop else None)
            elif live.passed_by(price):
                self._made(live, ts, live.remaining, Evidence.TRADE_THROUGH, out)
                self._note_entry(live.request, ts, price)
            else:
                queued.append(live)
        if trade is not None and queued:
            self._serve(rest, queued, trade, out)
        self._look_again(rest)
        return out

    def _serve(
        self, rest: Resting, queued: list[Live], trade: Trade, out: list[VenueReport]
    ) -> None:
        for live, part in self._floor.queue(rest.symbol).served(queued, trade):
            if live.request.id in self._floor.orders:
                self._made(live, trade.ts, part, Evidence.QUEUE, out)

    def on_bar(self, rest: Resting, bar: Candle) -> list[VenueReport]:
        """A bar's range, where nothing finer is known."""
        out: list[VenueReport] = []
        rest.matching = True
        self._floor.made.clear()
        for live in rest.fired_by_bar(bar):
            if live.request.id not in self._floor.orders:
                continue
            if live.is_limit:
                self._made(live, bar.ts, live.remaining, Evidence.BAR_ESTIMATE, out)
                self._note_entry(live.request, bar.ts, bar)
            else:
                self._set_off_on_bar(live, bar, out)
        self._look_again(rest)
        return out

    def fire(self, live: Live, ts: int) -> list[VenueReport]:
        """Set a resting stop off at market whatever the price; no effect when it already is."""
        out: list[VenueReport] = []
        # Its limit, if it had one, does not hold a liquidation up.
        waits = live.triggered or live.request.id in self._floor.rests[live.request.symbol].orders
        if waits:
            self._floor.unrest(live)
            live.triggered = False
            self.execute(live, ts, out)
        return out

    def _note_entry(self, request: OrderRequest, ts: int, by: float | Candle) -> None:
        if request.purpose is Purpose.ENTRY and request.position_id is not None:
            self._floor.made[request.position_id] = ts, by

    def overtaken(self, live: Live, ts: int, out: list[VenueReport]) -> bool:
        """Set a stop off by the very print or bar that filled its entry and went on through it.

        The price came to the entry first, so what lay beyond was reached with the position open.
        """
        when, by = self._floor.made.pop(live.request.position_id or "", (0, 0.0))
        if when != ts or not live.is_stop:
            return False
        if isinstance(by, Candle):
            struck = bar_fires(live, by)
            if struck:
                self._set_off_on_bar(live, by, out)
        else:
            struck = live.reached_by(by)
            if struck:
                self._set_off(live, ts, out)
        return struck

    def recross(self, rest: Resting, bar: Candle) -> list[VenueReport]:
        """Stops beyond a bar's close fill at their level."""
        out: list[VenueReport] = []
        for live in rest.fired_by_price(bar.close):
            if live.request.id in self._floor.orders and live.is_stop:
                self._floor.unrest(live)
                level, live.triggered = live.level, live.request.type in TRIGGERED_LIMITS
                self._estimate(live, bar.ts, level, out)
        return out

    def _look_again(self, rest: Resting) -> None:
        rest.fresh = rest.matching = False
        rest.reband()
        self._floor.lose_interest(rest)

    def _set_off(
        self, live: Live, ts: int, out: list[VenueReport], by: Trade | None = None
    ) -> None:
        self._floor.unrest(live)
        live.triggered = live.request.type in TRIGGERED_LIMITS
        self.execute(live, ts, out, None if by is None else exact(by.price))

    def _set_off_on_bar(self, live: Live, bar: Candle, out: list[VenueReport]) -> None:
        self._floor.unrest(live)
        reference, stop = bar_reference(live, bar), live.is_stop
        live.triggered = live.request.type in TRIGGERED_LIMITS
        if live.triggered and not stop and bar_fires(live, bar):
            self._made(live, bar.ts, live.remaining, Evidence.BAR_ESTIMATE, out)
        else:
            self._estimate(live, bar.ts, reference, out)

    # -- filling -----------------------------------------------------------------------------

    def execute(
        self, live: Live, ts: int, out: list[VenueReport], by: Decimal | None = None
    ) -> None:
        """Take what the market offers now, nothing better than the print that set it off."""
        book = self._books.get(live.request.symbol)
        if book is None or not book.ready:
            last = self._floor.rests[live.request.symbol].last
            if last is not None:
                self._estimate(live, ts, exact(last), out)
            else:
                self._leave(live, ts, "no price", out)
        elif not book.usable:
            self._leave(live, ts, "no usable book", out)
        else:
            self._walk(live, ts, out, by)

    def _walk(self, live: Live, ts: int, out: list[VenueReport], by: Decimal | None) -> None:
        request, floor = live.request, self._floor
        short = False

        def afford(price: Decimal, size: Decimal) -> Decimal:
            nonlocal short
            granted = self._affordable(request, price, size)
            short = short or granted < size
            return granted

        depth = self._depths[request.symbol]
        fills = depth.take(request.side, floor.wanted(live), self._worst(live), afford, by)
        for price, size in fills:
            floor.fill(live, ts, price, size, Liquidity.TAKER, Evidence.BOOK_WALK, out)
        if request.id in floor.orders and by is not None and not short and self._lags(request, by):
            self._estimate(live, ts, by, out)
        elif request.id in floor.orders:
            bound = "limit" if live.is_limit else "collar"
            self._leave(live, ts, NO_FUNDS if short else f"no depth within {bound}", out)

    def _lags(self, request: OrderRequest, by: Decimal) -> bool:
        """Whether the book still shows a better touch than the print that came."""
        touch = self._floor.touch(request)
        if touch is None:
            return False
        return touch < by if request.side is Side.BUY else touch > by

    def _worst(self, live: Live) -> Decimal | None:
        """The worst price a taker accepts; None for stops, which must get out."""
        request = live.request
        if live.is_limit:
            return request.limit
        touch = self._floor.touch(request)
        if request.purpose is Purpose.STOP or touch is None:
            return None
        return touch * (ONE + self._collar if request.side is Side.BUY else ONE - self._collar)

    def _estimate(self, live: Live, ts: int, price: Decimal, out: list[VenueReport]) -> None:
        """Fill everything at a price nobody quoted, slippage against us, on the tick."""
        request, floor = live.request, self._floor
        price = slipped(price, request.side, self._slip, self._instruments[request.symbol].tick)
        if request.limit is not None and live.is_limit:
            beyond = price > request.limit if request.side is Side.BUY else price < request.limit
            if beyond:
                self._leave(live, ts, "no depth within limit", out)
                return
        size = self._affordable(request, price, floor.wanted(live))
        if size > 0:
            floor.fill(live, ts, price, size, Liquidity.TAKER, Evidence.BAR_ESTIMATE, out)
        if request.id in floor.orders:
            self._leave(live, ts, NO_FUNDS, out)

    def _made(
        self, live: Live, ts: int, size: Decimal, evidence: Evidence, out: list[VenueReport]
    ) -> None:
        """Fill a resting limit at its own price; what cannot be paid for is cancelled."""
        floor, price = self._floor, live.level
        wanted = min(size, floor.wanted(live))
        granted = self._affordable(live.request, price, wanted)
        if granted > 0:
            floor.fill(live, ts, price, granted, Liquidity.MAKER, evidence, out)
        if granted < wanted and live.request.id in floor.orders:
            floor.end(live, ts, OrderStatus.CANCELLED, NO_FUNDS, out)

    # -- what is left ------------------------------------------------------------------------

    def _leave(self, live: Live, ts: int, reason: str, out: list[VenueReport]) -> None:
        """Decide what becomes of the unfilled rest of an order that took what there was."""
        request = live.request
        if live.is_limit:
            waits = request.tif is not TimeInForce.IOC and reason != NO_FUNDS
        else:
            waits = request.purpose is Purpose.TARGET
        insists = request.type is OrderType.MARKET and request.reduce_only and not live.filled
        if waits:
            self._floor.rest(live)
        elif not live.is_limit and (request.purpose is Purpose.STOP or insists):
            self._floor.agenda.plan(ts + RETRY, Step.CONTINUE, request.id)
        else:
            self._floor.end(live, ts, OrderStatus.CANCELLED, reason, out)

    # -- state -------------------------------------------------------------------------------

    def dump(self) -> dict[str, list[Taken]]:
        """What was taken from the books and not restated."""
        return {symbol: depth.dump() for symbol, depth in self._depths.items()}

    def load(self, state: Mapping[str, list[Taken]]) -> None:
        """Remember what was dumped."""
        for symbol, taken in state.items():
            self._depths[symbol].load(taken)


def slipped(price: Decimal, side: Side, slip: Decimal, tick: Decimal) -> Decimal:
    """A taker's price where nobody quoted one: ``slip`` (a fraction) against it, on the tick."""
    if side is Side.BUY:
        return ceil_to(price * (ONE + slip), tick)
    return max(floor_to(price * (ONE - slip), tick), tick)
