"""Any interleaving of market, orders, cancels, time and restarts keeps the books honest.

Here every wish is granted, with little money at times: no risk engine keeps orders away from what
the account can pay for. The long machines are ``test_venue_machine.py`` and, with risk, margin and
the operator in the loop, ``tests/engine/test_account_machine.py``.
"""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.execution.world import BTC, CROSS, D, World
from tradeterm.model.account import EXTERNAL, FEES, MARKET, PNL, TRADING
from tradeterm.model.money import ZERO
from tradeterm.model.orders import Filled, Order, OrderChanged, OrderRequest
from tradeterm.model.pnl import price_gain
from tradeterm.model.vocabulary import (
    AccountBook,
    OrderType,
    PositionSide,
    Purpose,
    Side,
)

STEPS, EXAMPLES = 40, 60
TICKS = {BTC: 0.1, CROSS: 0.00000001}


class Granted(RuleBasedStateMachine):
    """Drives the real execution, exchange and ledger; checks after every step."""

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        self.seed = seed
        self.deposit = "3000" if seed % 2 else "200000"
        self.world = World(deposit=self.deposit, seed=seed)
        self.mids = {BTC: 65000.0, CROSS: 0.00000840}
        self.count = 0
        for symbol in (BTC, CROSS):
            self._restate(symbol, 1, 3)
            self.world.trade(symbol, self.mids[symbol])

    def _restate(self, symbol: str, spread: int, depth: int) -> None:
        tick, mid = TICKS[symbol], self.mids[symbol]
        size = 0.02 if symbol == BTC else 3000.0
        bids = tuple(
            (round(mid - tick * (spread + 7 * n), 8), size * (n + 1)) for n in range(depth)
        )
        asks = tuple(
            (round(mid + tick * (spread + 7 * n), 8), size * (n + 1)) for n in range(depth)
        )
        self.world.book(symbol, bids, asks)

    @rule(
        symbol=st.sampled_from([BTC, CROSS]), move=st.floats(-0.03, 0.03), depth=st.integers(1, 4)
    )
    def market_moves(self, symbol: str, move: float, depth: int) -> None:
        self.mids[symbol] = round(self.mids[symbol] * (1 + move) / TICKS[symbol]) * TICKS[symbol]
        self._restate(symbol, 1, depth)
        self.world.trade(symbol, round(self.mids[symbol], 8))

    @rule(symbol=st.sampled_from([BTC, CROSS]))
    def book_crosses(self, symbol: str) -> None:
        self.world.delta(symbol, bids=((round(self.mids[symbol] * 1.2, 8), 1.0),))

    @rule(seconds=st.floats(0.01, 3))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(
        symbol=st.sampled_from([BTC, CROSS]), side=st.sampled_from(PositionSide),
        lots=st.integers(1, 60), leverage=st.integers(1, 5), distance=st.integers(5, 50),
        aimed=st.booleans(),
    )  # fmt: skip
    def enter(
        self, symbol: str, side: PositionSide, lots: int, leverage: int, distance: int,
        aimed: bool,
    ) -> None:  # fmt: skip
        assume(len(self.world.execution.positions) < 6)
        size = D("0.001") * lots if symbol == BTC else D(150) * lots
        self.world.enter(
            symbol, side, str(size), self._at(symbol, -distance * side.sign),
            self._at(symbol, 2 * distance * side.sign) if aimed else None, leverage,
        )  # fmt: skip

    def _at(self, symbol: str, thousandths: int) -> str:
        tick = D(str(TICKS[symbol])).normalize()
        level = D(str(self.mids[symbol])) * (1000 + thousandths) / 1000
        return f"{(level / tick).to_integral_value() * tick:f}"

    @rule(lots=st.integers(1, 60), thousandths=st.integers(-10, 10))
    def limit_entry(self, lots: int, thousandths: int) -> None:
        self.count += 1
        self.world.send(OrderRequest(
            id=f"LIMIT-{self.count}", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT,
            size=D("0.001") * lots, purpose=Purpose.ENTRY, book=AccountBook.MARGIN,
            parent="verdict-1", limit=D(self._at(BTC, thousandths)),
            position_id=f"limit-{self.count}", stop=D(self._at(BTC, thousandths - 20)),
            leverage=D(2),
        ))  # fmt: skip

    @rule(symbol=st.sampled_from([BTC, CROSS]), side=st.sampled_from(Side), lots=st.integers(1, 30))
    def spot(self, symbol: str, side: Side, lots: int) -> None:
        size = D("0.001") * lots if symbol == BTC else D(150) * lots
        self.world.send(self.world.execution.requests.spot(
            symbol, side, size, Purpose.REBALANCE, self.world.now, "verdict-1"
        ))  # fmt: skip

    @precondition(lambda self: self.world.execution.positions)
    @rule(data=st.data(), part=st.integers(1, 4))
    def close(self, data: st.DataObject, part: int) -> None:
        position = data.draw(st.sampled_from(list(self.world.execution.positions.values())))
        free = position.size - self.world.execution.closing(position.id)
        size = (free * part / 4).quantize(D("0.00000001"))
        assume(size > 0)
        self.world.close(position, str(size))

    @rule()
    def cancel_entries(self) -> None:
        self.world.take(self.world.execution.cancel_entries(self.world.now, "halted"))

    @rule()
    def restart(self) -> None:
        self.world = self.world.reborn(lambda: World(deposit=self.deposit, seed=self.seed))

    # -- what must hold ----------------------------------------------------------------------

    @invariant()
    def fills_fit_their_orders(self) -> None:
        filled: dict[str, Decimal] = {}
        latest: dict[str, Order] = {}
        for event in self.world.events:
            if isinstance(event, Filled):
                order_id = event.fill.order_id
                filled[order_id] = filled.get(order_id, ZERO) + event.fill.size
            elif isinstance(event, OrderChanged):
                latest[event.order.id] = event.order
        for order_id, order in latest.items():
            assert filled.get(order_id, ZERO) == order.filled <= order.request.size
        assert self.world.execution.take_notices() == []

    @invariant()
    def postings_sum_to_zero(self) -> None:
        sums: dict[str, Decimal] = {}
        for entry in self.world.entries:
            for posting in entry.postings:
                sums[posting.asset] = sums.get(posting.asset, ZERO) + posting.amount
        assert not any(sums.values())

    @invariant()
    def nothing_is_unprotected_or_overprotected(self) -> None:
        execution = self.world.execution
        for position in execution.positions.values():
            stop, target = execution.protective(position.id)
            assert stop is not None
            assert stop.remaining == position.size > 0
            assert (target is None) == (position.target is None)
            assert target is None or target.remaining == position.size
            assert execution.closing(position.id) <= position.size
        for order in execution.working.values():
            assert not order.request.reduce_only or order.request.position_id in execution.positions

    @invariant()
    def reducing_never_flips_or_grows(self) -> None:
        for event in self.world.fills:
            if event.before is not None and event.after is not None and event.exit_reason:
                assert ZERO <= event.after.size < event.before.size
                assert event.after.side is event.before.side

    @invariant()
    def ledger_equals_what_fills_alone_say(self) -> None:
        """Equity, cash and collateral recomputed without looking at the ledger."""
        cash: dict[str, Decimal] = {"USDT": D(self.deposit)}
        margin: dict[str, Decimal] = {}
        for event in self.world.fills:
            fill = event.fill
            if fill.book is AccountBook.SPOT:
                base, quote = fill.symbol.split("/")
                sign = 1 if fill.side is Side.BUY else -1
                cash[base] = cash.get(base, ZERO) + sign * fill.size
                cash[quote] = cash.get(quote, ZERO) - sign * fill.size * fill.price - fill.fee
                continue
            assert event.after is not None
            key = event.after.id
            before = margin.get(key, ZERO)
            if event.exit_reason is None:
                margin[key] = before + fill.size * fill.price * fill.rate / event.after.leverage
                cash["USDT"] -= margin[key] - before + fill.fee
            else:
                assert event.before is not None
                back = before * fill.size / event.before.size
                gain = price_gain(event.before, fill.price, fill.size, fill.rate)
                margin[key] = before - back
                cash["USDT"] += back + max(gain, fill.fee - back) - fill.fee
        slack = D("0.00000002") * (len(self.world.fills) + 1)
        for asset, amount in cash.items():
            assert abs(self.world.balance(TRADING, asset) - amount) <= slack
        collateral = sum((p.collateral for p in self.world.execution.positions.values()), ZERO)
        assert self.world.portfolio.ledger.margin("USDT") == collateral
        assert abs(sum(margin.values(), ZERO) - collateral) <= slack

    @invariant()
    def accounts_of_ours_are_never_overdrawn(self) -> None:
        for account, assets in self.world.portfolio.ledger.balances().items():
            if account not in (EXTERNAL, MARKET, PNL):
                assert all(amount >= 0 for amount in assets.values()), (account, assets)
        assert self.world.balance(FEES) >= 0


TestGranted = Granted.TestCase
TestGranted.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
