"""The counterfactual ledger: what every proposed entry would have come to, done or not done.

A ghost is opened where a proposal ends and costs nothing until then. It is followed on closed bars
whenever prices are noted (``pricemarks.py``): the outcome is the same however rarely one looks,
because a look walks all bars since the last one. Nothing here touches the account, the venue or a
later decision; the rows are for ``lab/scores.py`` and ``explain``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.pricemarks import PRICES_TIMER, PriceMarks, PriceMarksState
from tradeterm.engine.timers import NEVER
from tradeterm.execution.hindsight import Bar, Hindsight
from tradeterm.execution.latency import delay
from tradeterm.market.symbol import BARS, SymbolMarket
from tradeterm.model.ghosts import HORIZONS, Ghost, GhostEnd, GhostMark
from tradeterm.model.money import ONE, ZERO, exact
from tradeterm.model.orders import OrderRequest, Position
from tradeterm.model.proposals import Proposal, TradeIntent
from tradeterm.model.stages import ProposalEnd
from tradeterm.model.timing import HOUR, SECOND
from tradeterm.model.vocabulary import (
    AccountBook,
    ExitReason,
    Liquidity,
    OrderType,
    Purpose,
)

GHOST_TIMER: Final = "ghosts"
#: Followed at once; what comes on top is left out, and counted by whoever reads the rows.
MOST: Final = 300
UNFILLED: Final = "unfilled"
#: The decision it stood for was taken back.
WITHDRAWN: Final = "withdrawn"
#: What really was sent is told by its own position.
_DONE: Final = frozenset({ProposalEnd.SENT, ProposalEnd.CUT})


class Followed(msgspec.Struct):
    """A ghost under way."""

    ghost: Ghost
    enters: int
    """When its order reaches the market."""
    taker: Decimal
    """Its fee, a fraction of notional: that of the moment it was opened."""
    position: Position | None = None
    seen: int = 0
    """Stamp of the last bar looked at."""
    blind: int = 0
    """A bar that began before this holds time from before the entry."""
    last: float = 0.0
    """Close of the last bar looked at."""
    rolls: int = NEVER
    """When it next pays for what it borrows."""
    marks: tuple[GhostMark, ...] = ()


class GhostsState(msgspec.Struct):
    """For a snapshot."""

    followed: list[Followed]
    prices: PriceMarksState


class _Bars:
    """The bars of a symbol later than a stamp, as columns: for all of its ghosts at once."""

    def __init__(self, m: SymbolMarket, seen: int) -> None:
        window, self.span = m.window, m.base * SECOND
        most = min(max(0, window.last_ts - seen) // self.span + 1, window.count)
        stamps = window.ends(most)
        self.stamps = stamps[bisect_right(stamps, seen) :]
        first = window.count - len(self.stamps)
        self.opens, self.highs = window.open[first:], window.high[first:]
        self.lows, self.closes = window.low[first:], window.close[first:].tolist()

    def later(self, seen: int) -> int:
        """The first bar after a stamp."""
        return bisect_right(self.stamps, seen)

    def bar(self, index: int, blind: int) -> Bar:
        """One of them; of one that began before ``blind`` its close alone."""
        bar = Bar(
            self.stamps[index], float(self.opens[index]), float(self.highs[index]),
            float(self.lows[index]), self.closes[index],
        )  # fmt: skip
        return bar.closing() if bar.ts - self.span < blind else bar

    def candidates(self, position: Position, first: int) -> Iterator[int]:
        """Where the range touches stop or target, from ``first`` on; mostly the first one does."""
        sign, stop = position.side.sign, float(position.stop)
        target = sign * float("inf") if position.target is None else float(position.target)
        floor, ceiling = (stop, target) if sign > 0 else (target, stop)
        touched = (self.lows[first:] <= floor) | (self.highs[first:] >= ceiling)
        return (first + int(index) for index in touched.nonzero()[0])

    def close_at(self, ts: int, first: int, before: float) -> float:
        """Close of the last bar at or before ``ts``, from ``first`` on, or the one ``before``."""
        index = bisect_right(self.stamps, ts) - 1
        return self.closes[index] if index >= first else before


class Ghosts:
    """Opens, enters, follows and closes them."""

    def __init__(self, core: Core, books: Books) -> None:
        self._core = core
        self._books = books
        currency = core.settings.market.account.currency
        self._hindsights = {
            symbol: Hindsight(core.settings.execution, core.instruments, symbol, currency)
            for symbol in core.instruments
        }
        self._prices = PriceMarks(core)
        self._followed: dict[str, Followed] = {}
        self.timers: dict[str, Callable[[], None]] = {
            GHOST_TIMER: self._arrive,
            PRICES_TIMER: self._look,
        }
        """What runs when one of these falls due."""

    def begin(self, start: int) -> None:
        """A run begins: prices are noted from here on."""
        self._prices.begin(start)

    # -- opening ---------------------------------------------------------------------------

    def ended(
        self, proposal: Proposal, end: ProposalEnd, parent: str, last: TradeIntent | None = None
    ) -> None:
        """A proposal ended; ``last`` is its last form: what was or would have been sent."""
        wish = proposal.intent
        if wish is None or len(self._followed) >= MOST:
            return
        ghost = self._ghost(proposal, wish, end, parent, last)
        if ghost is None:
            return
        core = self._core
        wait = delay(core.settings.execution.latency, core.seed, "ghost", ghost.id)
        taker = self._books.execution.fees.share(Liquidity.TAKER, core.now)
        one = self._followed[ghost.id] = Followed(ghost, core.now + wait, taker)
        core.journal.write("ghost_opened", ghost.id, parent, ghost)
        if core.market.symbol(ghost.symbol).mode == BARS:
            self._enter(one)  # no price comes between two bars: it may as well arrive now
        else:
            self._plan()

    def _ghost(
        self, proposal: Proposal, wish: TradeIntent, end: ProposalEnd, parent: str,
        last: TradeIntent | None,
    ) -> Ghost | None:  # fmt: skip
        """None for what nobody could follow: no price, no stop on the right side, no size."""
        core, symbol = self._core, proposal.symbol
        instrument = core.instruments.get(symbol)
        stop = wish.stop if wish.stop is not None or last is None else last.stop
        if instrument is None or stop is None or symbol not in core.market.symbols:
            return None
        mid, size = self._books.portfolio.mid(symbol), instrument.size(wish.size)
        if mid is None or size <= 0 or stop <= 0 or not wish.leverage > 0:
            return None
        if (wish.entry - stop) * wish.side.sign <= 0 or not self._priced(instrument.quote):
            return None
        if end is ProposalEnd.SENT and last is not None and last.size < size:
            end = ProposalEnd.CUT
        return Ghost(
            id=core.journal.new_id("ghost"), ts=core.now, parent=parent, proposal=proposal.id,
            signal=proposal.parent, proposed=proposal.ts, symbol=symbol, side=wish.side,
            agent=proposal.agent, end=end, asked=size, offered=None if last is None else last.size,
            price=wish.entry, mid=mid, stop=stop, target=wish.target,
            leverage=wish.leverage, confidence=wish.confidence,
            limit=core.settings.execution.time_exit,
        )  # fmt: skip

    def withdraw(self, proposal_id: str) -> None:
        """A decision was taken back: what it would have led to no longer counts."""
        for one in list(self._followed.values()):
            if one.ghost.proposal == proposal_id:
                self._end(one, _nothing(one, WITHDRAWN))

    def _priced(self, asset: str) -> bool:
        """Whether the account currency's price of an asset is known; once it is, it stays so."""
        account = self._core.settings.market.account
        if asset == account.currency or asset in account.parity:
            return True
        priced_by = self._books.portfolio.priced_by(asset)
        return priced_by is not None and self._core.market.symbol(priced_by).mid() is not None

    # -- time ------------------------------------------------------------------------------

    def _arrive(self) -> None:
        """Enter whose order reaches the market."""
        now = self._core.now
        for one in list(self._followed.values()):
            if one.position is None and one.enters <= now:
                self._enter(one)
        self._plan()

    def _plan(self) -> None:
        """One timer, at the next arrival."""
        arrivals = [one.enters for one in self._followed.values() if one.position is None]
        if arrivals:
            self._core.timers.set(GHOST_TIMER, min(arrivals))

    def _look(self) -> None:
        """Note the prices, and walk the bars since the last time."""
        self._prices.due()
        held = [one for one in self._followed.values() if one.position is not None]
        since: dict[str, int] = {}
        for one in held:
            symbol = one.ghost.symbol
            since[symbol] = min(since.get(symbol, NEVER), one.seen)
        market = self._core.market
        bars = {symbol: _Bars(market.symbol(symbol), seen) for symbol, seen in since.items()}
        for one in held:
            self._follow(one, bars[one.ghost.symbol])

    # -- entry -----------------------------------------------------------------------------

    def _enter(self, one: Followed) -> None:
        ghost, core = one.ghost, self._core
        m, hindsight = core.market.symbol(ghost.symbol), self._hindsights[ghost.symbol]
        side = ghost.side.entry
        quoted = hindsight.quoted(m.book, m.price, side, ghost.asked)
        request = OrderRequest(
            id=ghost.id, symbol=ghost.symbol, side=side, type=OrderType.MARKET, size=ghost.asked,
            purpose=Purpose.ENTRY, book=AccountBook.MARGIN, parent=ghost.parent,
            position_id=ghost.id, leverage=ghost.leverage, stop=ghost.stop, target=ghost.target,
            agent=ghost.agent,
        )  # fmt: skip
        rate = self._rate(ghost.symbol, core.now)
        position = hindsight.opened(request, quoted, one.enters, one.taker, rate)
        if position is None:
            self._end(one, _nothing(one, UNFILLED))
            return
        one.position = position
        one.seen, one.blind, one.last = m.window.last_ts, m.ts, m.price
        one.rolls = position.opened + core.settings.execution.margin.interval * SECOND

    def _rate(self, symbol: str, ts: int) -> Decimal:
        """Quote → account currency at ``ts``."""
        quote, portfolio = self._core.instruments[symbol].quote, self._books.portfolio
        if quote == portfolio.currency or (priced_by := portfolio.priced_by(quote)) is None:
            return ONE
        if ts >= self._core.now:
            return portfolio.rate(quote)
        m = self._core.market.symbol(priced_by)
        close = _Bars(m, ts - 2 * m.base * SECOND).close_at(ts, 0, 0.0)
        return exact(close) if close else portfolio.rate(quote)

    # -- following -------------------------------------------------------------------------

    def _follow(self, one: Followed, bars: _Bars) -> None:
        """Walk the bars since the last look: what falls due on the way, and the exit."""
        position, first = one.position, bars.later(one.seen)
        assert position is not None, "only those that were filled are followed"
        hindsight = self._hindsights[one.ghost.symbol]
        struck, until = None, self._core.now + 1
        for index in bars.candidates(position, first):
            bar = bars.bar(index, one.blind)
            if (struck := hindsight.struck(position, bar)) is not None:
                until = bar.ts
                break
        limit = position.opened + one.ghost.limit * SECOND
        position = self._pass_dates(one, position, bars, first, min(until, limit + 1))
        if limit < until:
            close = exact(bars.close_at(limit, first, one.last))
            price = hindsight.slipped(close, position.side.exit)
            self._leave(one, position, price, ExitReason.TIME, limit)
        elif struck is not None:
            self._leave(one, position, *struck, until)
        else:
            one.position = position
            if first < len(bars.stamps):
                one.seen, one.last = bars.stamps[-1], bars.closes[-1]

    def _pass_dates(
        self, one: Followed, position: Position, bars: _Bars, first: int, until: int
    ) -> Position:
        """Rollovers and horizons before ``until``; what they leave of it."""
        for hours in HORIZONS[len(one.marks) :]:
            horizon = position.opened + hours * HOUR
            if horizon >= until:
                break
            position = self._rolled(one, position, bars, first, horizon)
            close = exact(bars.close_at(horizon, first, one.last))
            one.marks += (self._mark(one, position, hours, close, horizon),)
        return self._rolled(one, position, bars, first, until - 1)

    def _rolled(
        self, one: Followed, position: Position, bars: _Bars, first: int, last: int
    ) -> Position:
        """After every rollover up to ``last``; who borrows nothing only lets them pass."""
        if one.rolls > last:
            return position
        interval = self._core.settings.execution.margin.interval * SECOND
        dues = range(one.rolls, last + 1, interval)
        one.rolls += len(dues) * interval
        hindsight = self._hindsights[position.symbol]
        if not (share := hindsight.rollover(position)):
            return position
        owed = [
            exact(bars.close_at(due, first, one.last)) * self._rate(position.symbol, due)
            for due in dues
        ]
        return hindsight.rolled(position, owed, share)

    def _mark(
        self, one: Followed, position: Position, hours: int, close: Decimal, due: int
    ) -> GhostMark:
        """What leaving now would bring."""
        hindsight, rate = self._hindsights[position.symbol], self._rate(position.symbol, due)
        price = hindsight.slipped(close, position.side.exit)
        pnl, _ = hindsight.left(position, price, one.taker, rate)
        return GhostMark(hours, due, price, pnl)

    def _leave(
        self, one: Followed, position: Position, price: Decimal, reason: ExitReason, ts: int
    ) -> None:
        hindsight, rate = self._hindsights[position.symbol], self._rate(position.symbol, ts)
        pnl, costs = hindsight.left(position, price, one.taker, rate)
        notional = position.collateral * position.leverage
        self._end(one, GhostEnd(
            reason.value, position.opened, ts, position.size, position.entry, price, pnl, costs,
            notional, one.marks,
        ))  # fmt: skip

    def _end(self, one: Followed, end: GhostEnd) -> None:
        ghost, core = one.ghost, self._core
        del self._followed[ghost.id]
        core.journal.write("ghost_closed", core.journal.new_id("gend"), ghost.id, end)
        if ghost.end not in _DONE and end.reason != WITHDRAWN:
            text = (
                f"{ghost.symbol} {ghost.side} {ghost.end}: it would have ended by {end.reason} at "
                f"{end.pnl:+.2f} {ghost.id}"
            )
            core.events.add(core.now, "GHOST", "info", text, ghost.id)

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> GhostsState:
        followed: Sequence[Followed] = list(self._followed.values())
        copies = [msgspec.structs.replace(one) for one in followed]
        return GhostsState(copies, self._prices.dump())

    def load(self, state: GhostsState) -> None:
        self._followed = {one.ghost.id: msgspec.structs.replace(one) for one in state.followed}
        self._prices.load(state.prices)


def _nothing(one: Followed, reason: str) -> GhostEnd:
    """The end of a ghost that has no outcome."""
    when, price = one.enters, one.ghost.price
    return GhostEnd(reason, when, when, ZERO, price, None, ZERO, ZERO, ZERO)
