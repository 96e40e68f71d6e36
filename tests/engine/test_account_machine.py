"""The whole account under any program: risk, orders, exits, margin, operator, restarts.

The real engine with its agents switched off; entries go through the risk engine, everything else
is the operator's, the market's or time's doing. After every step a second set of books, kept from
the journal's fills alone, has to agree, and what must never happen must not have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

import pytest

from tests.engine.bookkeeper import KINDS, ZERO, Bookkeeper
from tests.engine.machine import settings
from tests.execution.programs import STEPS, Program, drive
from tradeterm.engine.approver import Approver
from tradeterm.engine.engine import Engine
from tradeterm.engine.eventlog import EVENT_KINDS
from tradeterm.model.commands import (
    AmendOrder,
    BreakEven,
    CancelEntries,
    CancelOrder,
    CloseLosers,
    ClosePosition,
    Command,
    Flatten,
    Halt,
    MoveStop,
    MoveTarget,
    Pause,
    Reconcile,
    Resume,
    SetTrailing,
)
from tradeterm.model.market import BookSnapshot, MarketEvent, Trade
from tradeterm.model.orders import Position
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.timing import MILLISECOND, SECOND
from tradeterm.model.vocabulary import (
    AgentName,
    MarketMode,
    PositionSide,
    Purpose,
    Regime,
    RunState,
    Side,
)
from tradeterm.risk.spot import SpotWish

START = 1_748_822_400 * SECOND
BTC, XRP, CROSS = SYMBOLS = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
#: With so many steps everything listed at the end has come up many times.
ENOUGH = 150_000
#: Amount limits wide open, so that the counting ones and the purse are what stops an entry.
OPEN = (
    *(f"orchestration.schedule.{name.value}.enabled=false" for name in AgentName),
    *(f"risk.regime_leverage.{name.value}=5" for name in Regime),
    "risk.max_exposure=400", "risk.max_correlated=400", "risk.max_margin=100",
    "risk.max_daily_loss=90", "risk.max_weekly_loss=90", "risk.max_drawdown=90",
    "risk.max_losses=100", "risk.throttle.repeat=0", "risk.throttle.entries_per_minute=1000",
    "risk.throttle.messages_per_minute=10000", "risk.cooldown.trade=0", "risk.cooldown.loss=0",
    "risk.cooldown.unusual_move=0", "risk.streak_cooldown=[]", "risk.streak_confidence=[]",
    "risk.streak_leverage=[]", "risk.drawdown_leverage=[]",
    "risk.unusual_move.percent=90", "orchestration.degradation.failures=[100, 200, 300]",
)  # fmt: skip
RESTING = (
    "execution.entry={type: limit, post_only: false, expiry: 600}", "execution.break_even=0.8",
    "execution.target=take_profit_limit", "execution.trailing.activation=0.5",
)  # fmt: skip
LIMITED = ("execution.stop=stop_loss_limit", "execution.stop_limit_offset=0.2")
#: Everything at market; everything that can rest resting; stops that may be passed over. By seed.
VARIANTS = (settings(*OPEN), settings(*OPEN, *RESTING), settings(*OPEN, *LIMITED))


class Account:
    """Drives an engine (some programs: two, of which one is never restarted)."""

    seen: ClassVar[Counter[str]] = Counter()
    """What came up in all programs."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = START
        self.mids = {BTC: Decimal(65_000), XRP: Decimal("0.54"), CROSS: Decimal("0.00000831")}
        self.chosen = VARIANTS[seed % len(VARIANTS)]
        found = {symbol: self.chosen.market.instrument(symbol) for symbol in SYMBOLS}
        self.instruments = {symbol: one for symbol, one in found.items() if one is not None}
        self.keeper = Bookkeeper(
            self.instruments,
            self.chosen.execution.margin,
            self._mid,
            self._exit,
            seen=self.seen,
        )
        self.engine = self._new()
        self.twin = self._new() if seed % 8 < 2 else None
        self._listen(self.engine)
        for engine in self._engines():
            engine.begin(START, "run")
        self.ops = (
            self.time_passes, self.market_moves, self.enter, self.market_moves, self.enter,
            self.market_moves, self.close, self.market_moves, self.protect, self.enter,
            self.spot, self.cancel, self.order_about, self.restart, self.market_moves,
            self.time_passes, self.lose_sight,
        )  # fmt: skip
        for symbol in SYMBOLS:
            self._show(symbol, 3)

    def _new(self) -> Engine:
        return Engine(self.chosen, self.instruments, SYMBOLS, MarketMode.SIM, self.seed, Approver())

    def _listen(self, engine: Engine) -> None:
        said = engine.core.events.record

        def hear(kind: str, row_id: str, body: object, now: int) -> None:
            said(kind, row_id, body, now)
            self.keeper.hear(kind, row_id, body, now)

        journal = engine.core.journal
        journal._listen, journal._heard = hear, EVENT_KINDS | KINDS

    def _engines(self) -> tuple[Engine, ...]:
        return (self.engine,) if self.twin is None else (self.engine, self.twin)

    def _quote(self, symbol: str) -> tuple[Decimal, Decimal]:
        bid, ask = self.engine.core.market.symbol(symbol).quote()
        return Decimal(str(bid)), Decimal(str(ask))

    def _mid(self, symbol: str) -> Decimal:
        return sum(self._quote(symbol), ZERO) / 2

    def _exit(self, symbol: str, long: bool) -> Decimal:
        return self._quote(symbol)[0 if long else 1]

    # -- a step ------------------------------------------------------------------------------

    def step(self, program: Program) -> None:
        program.choice(self.ops)(program)
        self.keeper.moved_by_hand.clear()
        engine, keeper = self.engine, self.keeper
        account = engine.books.account()
        assert abs(account.equity - keeper.equity()) <= keeper.slack
        assert account.reserved >= 0
        assert account.cash >= 0
        assert engine.core.counters.failures == 0
        assert keeper.all_rolled(engine.now)
        self._all_protected()
        self._limits_hold()
        if self.twin is not None:
            assert engine.core.journal.digest == self.twin.core.journal.digest, "a restart changed"

    def _all_protected(self) -> None:
        """Every position has a working stop of its size at its level, in this very step."""
        execution = self.engine.books.execution
        assert {p.id: p.size for p in execution.positions.values()} == {
            name: held.size for name, held in self.keeper.held.items()
        }
        for position in execution.positions.values():
            stop, target = execution.protective(position.id)
            assert stop is not None, f"{position.id} stands without a stop"
            assert stop.remaining == position.size
            assert stop.request.trigger == position.stop
            assert stop.request.side is position.side.exit
            if position.target is not None:
                assert target is not None
                assert target.remaining == position.size
            assert execution.closing(position.id) <= position.size

    def _limits_hold(self) -> None:
        """At most 2 per symbol and 5 in all; what is pending counts."""
        pending = {
            order.request.position_id: order.request.symbol
            for order in self.keeper.orders.values()
            if order.request.purpose is Purpose.ENTRY
        }
        symbols = pending | {name: held.symbol for name, held in self.keeper.held.items()}
        assert len(symbols) <= 5
        assert all(count <= 2 for count in Counter(symbols.values()).values())
        self.seen["most positions"] = max(self.seen["most positions"], len(symbols))

    # -- the market --------------------------------------------------------------------------

    def market_moves(self, program: Program) -> None:
        """The book is stated anew and a trade prints; at times the price jumps a long way."""
        symbol = program.choice(SYMBOLS)
        thousandths = (program.number(33) - 16) * program.choice((1, 1, 1, 1, 1, 5, 5, 20))
        self.mids[symbol] *= 1 + Decimal(thousandths) / 2000
        self.now += (1 + program.number(20)) * 100 * MILLISECOND
        program.say(f"{symbol} moves to {self.mids[symbol]:.8f}")
        self._show(symbol, 1 + program.number(4))

    def _show(self, symbol: str, depth: int) -> None:
        tick, mid = self.instruments[symbol].tick, self.instruments[symbol].price(self.mids[symbol])
        size = {BTC: 0.02, XRP: 2500.0, CROSS: 2500.0}[symbol]
        bids, asks = (
            tuple((float(mid + sign * tick * (1 + 9 * n)), size * (n + 1)) for n in range(depth))
            for sign in (-1, 1)
        )
        self._feed(BookSnapshot(self.now, symbol, bids, asks))
        self._feed(Trade(self.now, symbol, float(mid), size / 10, "sell"))

    def _feed(self, event: MarketEvent) -> None:
        for engine in self._engines():
            while not engine.run([event], 0, 1):
                engine.take_rows()
            engine.take_rows()

    def time_passes(self, program: Program) -> None:
        seconds = program.choice((1, 20, 1, 5, 60, 5, 1, 20, 5, 1, 20, 3600)) * (
            1 + program.number(5)
        )
        self.now += seconds * SECOND
        program.say(f"{seconds} s pass")
        for engine in self._engines():
            while engine.advance(self.now):
                engine.take_rows()

    # -- entries -----------------------------------------------------------------------------

    def enter(self, program: Program) -> None:
        """A fresh market and an intent for the risk engine, too large at times."""
        if self.engine.core.state is not RunState.RUNNING and program.chance(2):
            self._order(Resume())
        symbol, side = program.choice(SYMBOLS), program.choice(tuple(PositionSide))
        self._show(symbol, 1 + program.number(4))
        instrument, mid = self.instruments[symbol], self.mids[symbol]
        away = Decimal(11 + program.number(17)) / 1000 * side.sign
        rate = Decimal(1) if instrument.quote == "USDT" else self.mids[BTC]
        worth = Decimal(50 + 20 * program.number(100))
        leverage = Decimal(1 + program.number(5))
        confidence = Decimal("0.95")
        intent = TradeIntent(
            symbol, side, instrument.size(worth / mid / rate), instrument.price(mid),
            instrument.price(mid * (1 - away)), instrument.price(mid * (1 + 4 * away)),
            leverage, confidence,
        )  # fmt: skip
        program.say(f"enter {side} {intent.size} {symbol} x{leverage}")
        for engine in self._engines():
            self._judged(engine, intent)

    def _judged(self, engine: Engine, intent: TradeIntent) -> None:
        judging, books = engine.trading.judging, engine.books
        verdict = judging.margin(intent, "test")
        if verdict.allows and verdict.intent is not None:
            assert engine.core.state is RunState.RUNNING, "an entry while halted"
            request = books.execution.requests.entry(
                verdict.intent, engine.core.now, verdict.id, "trading_decision"
            )
            judging.send(verdict, request)
        for code in verdict.codes:
            self.seen[f"verdict {code}"] += 1
        self.seen[f"verdict {verdict.status}"] += 1
        self._done(engine)

    @staticmethod
    def _done(engine: Engine) -> None:
        """As after any input: what was sent is due some time."""
        engine._plan()
        engine.take_rows()

    def spot(self, program: Program) -> None:
        symbol, side = program.choice((BTC, XRP)), program.choice(tuple(Side))
        self._show(symbol, 3)
        size = self.instruments[symbol].size(Decimal(20 + program.number(200)) / self.mids[symbol])
        program.say(f"spot {side} {size} {symbol}")
        for engine in self._engines():
            judging = engine.trading.judging
            price = self._quote(symbol)[1 if side is Side.BUY else 0]
            verdict = judging.spot(SpotWish(symbol, side, size, price), "test")
            if verdict.allows and verdict.intent is not None:
                judging.send(verdict, engine.books.execution.requests.spot(
                    symbol, side, verdict.intent.size, Purpose.REBALANCE, engine.core.now,
                    verdict.id,
                ))  # fmt: skip
            self._done(engine)

    # -- the operator ------------------------------------------------------------------------

    def _order(self, command: Command) -> None:
        self.now += MILLISECOND
        said = [engine.command(command, self.now) for engine in self._engines()]
        assert all(result == said[0] for result in said)
        word = "done" if said[0].accepted else "refused"
        self.seen[f"{type(command).__name__} {word}"] += 1
        for engine in self._engines():
            engine.take_rows()

    def _position(self, program: Program) -> Position | None:
        positions = list(self.engine.books.execution.positions.values())
        return program.choice(positions) if positions else None

    def _near(self, symbol: str, program: Program, spread: int) -> Decimal:
        thousandths = program.number(2 * spread + 1) - spread
        price = self.mids[symbol] * (1 + Decimal(thousandths) / 1000)
        return self.instruments[symbol].price(price)

    def close(self, program: Program) -> None:
        position = self._position(program)
        if position is None:
            return
        part, instrument = program.choice((0, 5, 3, 20)), self.instruments[position.symbol]
        size = instrument.size(position.size * part / 10) if part else None
        limit = None if program.chance(2) else self._near(position.symbol, program, 10)
        command = ClosePosition(
            position_id=position.id, size=size, limit=limit,
            post_only=limit is not None and program.chance(3),
        )  # fmt: skip
        program.say(f"close {position.id} {size} limit {limit}")
        self._order(command)

    def protect(self, program: Program) -> None:
        """Move a stop either way, a target, switch trailing, or break even."""
        position = self._position(program)
        if position is None:
            return
        kind = program.choice((MoveStop, SetTrailing, BreakEven, MoveTarget, MoveStop))
        price = self._near(position.symbol, program, 25)
        command: Command
        if kind is MoveStop:
            self.keeper.moved_by_hand.add(position.id)
            command = MoveStop(position_id=position.id, price=price)
        elif kind is MoveTarget:
            gone = program.chance(4)
            command = MoveTarget(position_id=position.id, price=None if gone else price)
        elif kind is SetTrailing:
            command = SetTrailing(position_id=position.id, on=program.chance(2))
        else:
            command = BreakEven(position_id=position.id)
        program.say(str(command))
        self._order(command)

    def cancel(self, program: Program) -> None:
        """Cancel or amend any working order, protective ones too: those it must refuse."""
        orders = list(self.engine.books.execution.working.values())
        if not orders:
            return
        order = program.choice(orders)
        command: Command = CancelOrder(order_id=order.id)
        if program.chance(2):
            size = self.instruments[order.request.symbol].size(order.request.size / 2)
            command = AmendOrder(
                order_id=order.id, size=size if program.chance(2) else None,
                limit=self._near(order.request.symbol, program, 10),
            )  # fmt: skip
        program.say(str(command))
        self._order(command)

    def lose_sight(self, program: Program) -> None:
        """Nobody knows what became of the orders: they count on, until the venue tells."""
        if program.chance(4):
            program.say("all orders out of sight")
            for engine in self._engines():
                books = engine.books
                books.booked(books.execution.lose_sight("lost", engine.core.now))
                self._done(engine)
            self.seen["out of sight"] += 1

    def order_about(self, program: Program) -> None:
        makers: tuple[Callable[[], Command], ...] = (
            Resume, CloseLosers, CancelEntries, Resume, Reconcile, Halt, Resume, Pause, Resume,
            Flatten, Resume,
        )  # fmt: skip
        command = program.choice(makers)()
        program.say(str(command))
        self._order(command)

    def restart(self, program: Program) -> None:
        """A new engine that was told only what the snapshot says."""
        if program.chance(2):
            return
        program.say("restart")
        body = self.engine.dump()
        self.engine = self._new()
        self.engine.load(body)
        self._listen(self.engine)


def test_the_account_stays_honest(capsys: pytest.CaptureFixture[str]) -> None:
    Account.seen.clear()
    drive(Account, 0.3, capsys)
    seen = Account.seen
    with capsys.disabled():
        print(", ".join(f"{name} {count:,}" for name, count in sorted(seen.items())))  # noqa: T201
    if STEPS < ENOUGH:
        return
    exits = ("stop", "target", "trailing", "break_even", "operator", "liquidation")
    tried = {f"exit {reason}" for reason in exits}
    tried |= {"rollover", "hodl", "verdict positions_total", "verdict positions_per_symbol"}
    tried |= {"fill book_walk", "fill trade_through", "MoveStop done", "AmendOrder done"}
    assert tried <= set(seen), f"never came up: {sorted(tried - set(seen))}"
    assert seen["most positions"] == 5
