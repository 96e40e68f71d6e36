"""The paper exchange under any program of markets, orders, cancels, time and restarts.

What it reports is held against an account of its own here: what every level showed and what was
taken from it, what every order may still do, what every position holds. After a restart the
exchange that was never restarted runs along, and both must say the same.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.execution.programs import Program, drive
from tests.execution.witness import SYMBOLS, Life, Place, Witness
from tests.execution.world import BTC, XRP, D
from tradeterm.model.market import BookDelta, BookSnapshot, Candle, Levels, MarketEvent, Trade
from tradeterm.model.money import ZERO
from tradeterm.model.orders import (
    ApprovedOrder,
    OrderRequest,
)
from tradeterm.model.timing import MILLISECOND, MINUTE
from tradeterm.model.vocabulary import (
    AccountBook,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)

TICKS = {BTC: D("0.1"), XRP: D("0.00001")}
LOTS = {BTC: D("0.001"), XRP: D(10)}
#: Most orders at once: more only cost time.
CROWD = 12
CLOSING = (Purpose.EXIT, Purpose.STOP, Purpose.TARGET)


class Venue(Witness):
    """Drives one exchange, after a restart two of them."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.symbol_of: dict[str, tuple[str, Side]] = {}
        self.mids = {BTC: 650_000, XRP: 54_000}  # in ticks
        self.count = 0
        self.ops = (
            self.time_passes, self.print_, self.submit, self.submit, self.restate, self.change,
            self.time_passes, self.print_, self.submit, self.cancel, self.bar, self.restart,
            self.amend, self.print_at_ours, self.print_at_ours,
        )  # fmt: skip

    def step(self, program: Program) -> None:
        program.choice(self.ops)(program)
        self.agrees()

    # -- the market --------------------------------------------------------------------------

    def restate(self, program: Program) -> None:
        """A snapshot: the mid may jump, a side may be thin or empty."""
        symbol = program.choice(SYMBOLS)
        self.mids[symbol] += (program.number(256) - 128) * program.choice((1, 1, 10, 40))
        apart = program.choice((4, 4, 4, 300))  # the last reaches beyond the collar of 1 %
        bids, asks = (self._levels(symbol, sign, program.number(5), apart) for sign in (-1, 1))
        self._show(BookSnapshot(self.now, symbol, bids, asks))
        program.say(f"{symbol} book {bids[:2]} {asks[:2]}")

    def _levels(self, symbol: str, sign: int, depth: int, apart: int) -> Levels:
        return tuple(
            (self._price(symbol, sign * (1 + apart * n)), float(LOTS[symbol] * 4 * (n + 1)))
            for n in range(depth)
        )

    def _price(self, symbol: str, ticks: int) -> float:
        return float((self.mids[symbol] + ticks) * TICKS[symbol])

    def change(self, program: Program) -> None:
        """A delta states one level: another size, gone, or a bid that crosses."""
        symbol, away = program.choice(SYMBOLS), program.number(12)
        sign = 1 if program.chance(2) else -1
        size = float(LOTS[symbol] * program.number(6))
        ticks = sign * (1 + away) if not program.chance(16) else -sign
        level = ((self._price(symbol, ticks), size),)
        self._show(BookDelta(self.now, symbol, *((level, ()) if sign < 0 else ((), level))))
        program.say(f"{symbol} level {level} {'ask' if sign > 0 else 'bid'}")

    def _show(self, event: BookSnapshot | BookDelta) -> None:
        for place in self._places():
            place.show(event)
        if isinstance(event, BookDelta) and (event.symbol, Side.BUY) not in self.shown:
            return  # before the first snapshot there is no book
        for side, levels in ((Side.BUY, event.bids), (Side.SELL, event.asks)):
            key = (event.symbol, side)
            if isinstance(event, BookSnapshot):
                self.shown[key] = {}
            for price, size in levels:
                self.shown[key][D(str(price))] = D(str(size))
        for life in self.lives.values():
            if life.accepted:
                life.lowest = min(life.lowest, self.shown_at(life.request))

    def print_(self, program: Program) -> None:
        symbol = program.choice(SYMBOLS)
        ticks = (program.number(64) - 32) * program.choice((1, 1, 10))
        self._print(program, symbol, self._price(symbol, ticks), program.choice(tuple(Side)))

    def print_at_ours(self, program: Program) -> None:
        """A taker meets the level of one of our limits, from the other side as a rule."""
        limits = [life.request for life in self.lives.values() if life.request.limit is not None]
        if limits:
            request = program.choice(limits)
            side = request.side if program.chance(6) else request.side.opposite
            self._print(program, request.symbol, float(request.limit or ZERO), side)

    def _print(self, program: Program, symbol: str, price: float, side: Side) -> None:
        size = LOTS[symbol] * (1 + program.number(16))
        program.say(f"{symbol} {side} prints {size} at {price}")
        for life in self.lives.values():
            request = life.request
            meets = request.symbol == symbol and request.side is side.opposite
            if meets and request.limit == D(str(price)):
                life.printed += size
        self._on_market(Trade(self.now, symbol, price, float(size), side.value))

    def bar(self, program: Program) -> None:
        """A minute goes by and its bar closes."""
        self._wait(MINUTE)
        symbol, spread = program.choice(SYMBOLS), program.number(128)
        opening, close = (self._price(symbol, program.number(64) - 32) for _ in range(2))
        high = max(opening, close) + spread * float(TICKS[symbol])
        low = min(opening, close) - spread * float(TICKS[symbol])
        program.say(f"{symbol} bar {opening} {high} {low} {close}")
        self._on_market(Candle(self.now, symbol, 60, opening, high, low, close, 1.0))

    def _on_market(self, event: MarketEvent) -> None:
        assert isinstance(event, Trade | Candle)
        self.price = event.price if isinstance(event, Trade) else event.close
        self.print = event if isinstance(event, Trade) else None
        self.queued = ZERO
        said = [place.venue.on_market(event) for place in self._places()]
        self.take(said)
        self.print = None
        # What the event left due now (a stop without a book) is for the next moment.
        self._advance()

    def time_passes(self, program: Program) -> None:
        milliseconds = program.choice((1, 40, 200, 700, 3000, 20_000)) * program.number(4)
        program.say(f"{milliseconds} ms pass")
        self._wait(milliseconds * MILLISECOND)

    def _wait(self, duration: int) -> None:
        end = self.now + duration
        while (due := self.place.venue.next_due) <= end:
            self.now = max(due, self.now)
            self._advance()
        self.now = end

    def _advance(self) -> None:
        self.take([place.venue.advance(self.now) for place in self._places()])

    # -- orders ------------------------------------------------------------------------------

    def submit(self, program: Program) -> None:
        if len(self.lives) >= CROWD:
            return
        purpose = program.choice((
            Purpose.ENTRY, Purpose.EXIT, Purpose.STOP, Purpose.TARGET, Purpose.REBALANCE,
            Purpose.ENTRY, Purpose.STOP, Purpose.EXIT,
        ))  # fmt: skip
        request = self._closing(program, purpose) if purpose in CLOSING else None
        request = request or self._opening(program, purpose)
        program.say(
            f"send {request.id} {request.purpose} {request.type} {request.side} {request.size} "
            f"{request.symbol} limit {request.limit} trigger {request.trigger} {request.tif}"
        )
        self.lives[request.id] = Life(request, self.now)
        for place in self._places():
            place.venue.submit(ApprovedOrder(request, "verdict-1", self.now), self.now)
        self._advance()

    def _name(self) -> str:
        self.count += 1
        return f"PAPER-{self.count}"

    def _opening(self, program: Program, purpose: Purpose) -> OrderRequest:
        symbol, side = program.choice(SYMBOLS), program.choice(tuple(Side))
        size = LOTS[symbol] * (1 + program.number(24))
        spot = purpose is not Purpose.ENTRY
        order_id = self._name()
        position_id = None if spot else f"pos-{self.count}"
        if position_id is not None:
            self.symbol_of[position_id] = (symbol, side)
        return OrderRequest(
            id=order_id, symbol=symbol, side=side, size=size, parent="verdict-1",
            purpose=Purpose.REBALANCE if spot else purpose,
            book=AccountBook.SPOT if spot else AccountBook.MARGIN, position_id=position_id,
            stop=None if spot else D(1), **self._terms(program, symbol),  # type: ignore[arg-type]
        )  # fmt: skip

    def _terms(self, program: Program, symbol: str) -> dict[str, object]:
        """Market or limit, for how long."""
        kind = program.number(4)
        if kind == 0:
            return {"type": OrderType.MARKET}
        terms = {
            "type": OrderType.LIMIT,
            "limit": self._limit(program, symbol),
            "tif": (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.GTD, TimeInForce.GTC)[kind],
            "post_only": kind == 3 and program.chance(2),
        }
        if kind == 2:
            terms["expires"] = self.now + program.number(40) * 100 * MILLISECOND
        return terms

    def _limit(self, program: Program, symbol: str) -> Decimal:
        """Near the mid, or where one of ours is already."""
        levels = [
            life.request.limit for life in self.lives.values()
            if life.request.limit is not None and life.request.symbol == symbol
        ]  # fmt: skip
        if levels and program.chance(3):
            return program.choice(levels)
        return D(str(self._price(symbol, program.number(32) - 16)))

    def _closing(self, program: Program, purpose: Purpose) -> OrderRequest | None:
        """Something that only reduces, larger than the position at times."""
        if not self.held:
            return None
        position_id = program.choice(list(self.held))
        symbol, entered = self.symbol_of[position_id]
        size = self.held[position_id] * program.choice((1, 1, 2)) + LOTS[symbol] * program.number(2)
        trigger = self._price(symbol, program.number(64) - 32)
        kinds = (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)
        if purpose is Purpose.TARGET:
            kinds = (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
        kind = program.choice(kinds)
        terms: dict[str, object] = {"type": kind, "trigger": D(str(trigger))}
        if kind is kinds[1]:
            away = (program.number(16) - 4) * (1 if entered is Side.SELL else -1)
            terms["limit"] = D(str(trigger)) + away * TICKS[symbol]
        if purpose is Purpose.EXIT:
            terms = self._terms(program, symbol)
        return OrderRequest(
            id=self._name(), symbol=symbol, side=entered.opposite, size=size, purpose=purpose,
            book=AccountBook.MARGIN, parent=position_id, position_id=position_id, reduce_only=True,
            **terms,  # type: ignore[arg-type]
        )  # fmt: skip

    def cancel(self, program: Program) -> None:
        """One call for one order or several."""
        if self.lives:
            first = program.number(len(self.lives))
            order_ids = list(self.lives)[first : first + 1 + program.number(3)]
            program.say(f"cancel {order_ids}")
            for place in self._places():
                place.venue.cancel(order_ids, self.now)
            self._advance()

    def amend(self, program: Program) -> None:
        """Another price, a smaller size, or both; it arrives later or never."""
        lives = [life for life in self.lives.values() if life.amending is None]
        if not lives:
            return
        request = program.choice(lives).request
        limit = request.limit
        if limit is not None and program.chance(2):
            limit += (program.number(32) - 16) * TICKS[request.symbol]
        size = request.size - LOTS[request.symbol] * program.number(4)
        if request.purpose in (Purpose.STOP, Purpose.TARGET):
            size = request.size  # theirs follows the position and is execution's business
        if size <= 0:
            return
        amended = replace(request, size=size, limit=limit, revision=request.revision + 1)
        program.say(f"amend {request.id} to {size} at {limit}")
        life = self.lives[request.id]
        if request.purpose in (Purpose.STOP, Purpose.TARGET):
            self.taken_as(life, amended)  # held at the venue: at once
        else:
            life.amending = amended
        for place in self._places():
            place.venue.amend(ApprovedOrder(amended, "verdict-1", self.now), self.now)
        self._advance()

    def restart(self, program: Program) -> None:
        """The one that was running runs along from here, as the twin."""
        program.say("restart")
        self.twin, self.place = self.place, self.place.reborn(self.seed)

    def _places(self) -> tuple[Place, ...]:
        return (self.place,) if self.twin is None else (self.place, self.twin)


def test_the_venue_keeps_its_word(capsys: pytest.CaptureFixture[str]) -> None:
    drive(Venue, 0.7, capsys)
