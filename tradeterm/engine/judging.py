"""Asks the risk engine, with the account and the market of this very moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.correlations import Correlations
from tradeterm.engine.hearing import Hearing
from tradeterm.market.symbol import SymbolMarket
from tradeterm.market.turbulence import Turbulence, turbulence
from tradeterm.model.account import AccountView
from tradeterm.model.money import ZERO
from tradeterm.model.orders import Order, OrderRequest
from tradeterm.model.outputs import RegimeView
from tradeterm.model.proposals import TradeIntent, Verdict
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AccountBook, AgentName, PositionSide, Purpose, Side
from tradeterm.risk.engine import RiskEngine
from tradeterm.risk.facts import MarketFacts, Standing
from tradeterm.risk.spot import SpotWish

#: ATR for stops is taken from the longest warm timeframe up to this one (seconds).
ATR_TIMEFRAME = 3600
#: Verdicts kept for the screen.
RECENT = 20


class Judged(msgspec.Struct, frozen=True, gc=False):
    """A verdict in one line, for the screen."""

    id: str
    ts: int
    symbol: str
    side: str
    status: str
    codes: tuple[str, ...]


class Judging:
    """Verdicts, their journal rows, and the orders they allow."""

    def __init__(self, core: Core, books: Books, risk: RiskEngine, hearing: Hearing) -> None:
        self._core = core
        self._books = books
        self._risk = risk
        self._hearing = hearing
        self._correlations = Correlations(core.market, core.settings.risk.measured_correlation)
        self.recent: deque[Judged] = deque(maxlen=RECENT)
        """The last verdicts on entries, oldest first."""
        self.on_entry: Callable[[OrderRequest], None] = _nobody
        """Told about every entry that has left; set by the agents."""
        self._turbulence: dict[str, tuple[int, Turbulence, tuple[tuple[str, int], ...]]] = {}
        """Symbol → its closes then, what they said and the cool-downs (with ends) that began:
        worked out once per candle."""

    def margin(
        self, intent: TradeIntent, parent: str, account: AccountView | None = None, *,
        for_card: bool = False,
    ) -> Verdict:  # fmt: skip
        """Judge an entry in its final form; ``for_card`` leaves headroom until the key is hit.

        ``account`` is that of this very moment, where the caller has looked at it already.
        """
        verdict_id = self._core.journal.new_id("verdict")
        account = account or self._books.account()
        verdict = self._judged(intent, account, verdict_id, parent, for_card=for_card)
        self._written(verdict)
        self.recent.append(
            Judged(
                verdict.id, verdict.ts, intent.symbol, intent.side, verdict.status, verdict.codes
            )
        )  # fmt: skip
        return verdict

    def at_another_price(self, order: Order, size: Decimal, limit: Decimal, parent: str) -> Verdict:
        """Judge the open rest of a working order at another limit, as if it were sent anew."""
        request, now = order.request, self._core.now
        rest = size - order.filled
        account = self._books.account(without=order.id)
        verdict_id = self._core.journal.new_id("verdict")
        facts = self.facts(request.symbol, account)
        if request.book is AccountBook.SPOT:
            wish = SpotWish(request.symbol, request.side, rest, limit)
            return self._written(self._risk.spot(
                wish, account, facts, verdict_id=verdict_id, parent=parent, now=now,
                state=self.state,
            ))  # fmt: skip
        side = PositionSide.LONG if request.side is Side.BUY else PositionSide.SHORT
        intent = TradeIntent(
            request.symbol, side, rest, limit, request.stop, request.target, request.leverage,
            request.confidence,
        )  # fmt: skip
        return self._written(self._risk.evaluate(
            intent, account, facts, verdict_id=verdict_id, parent=parent, now=now,
            state=self.state,
        ))  # fmt: skip

    def amend(self, order: Order, request: OrderRequest, verdict: Verdict | None) -> None:
        """Send other terms for a working order; InvalidOrder when nobody allowed them."""
        core = self._core
        approved = self._risk.amend(order, request, verdict, core.now, self.state)
        self._books.booked(self._books.execution.amend(approved, core.now))

    def what_if(self, intent: TradeIntent) -> Verdict:
        """The verdict an entry would get now; nothing is written and nothing changes."""
        return self._judged(intent, self._books.account(), "what-if", "", for_card=False)

    def _judged(
        self, intent: TradeIntent, account: AccountView, verdict_id: str, parent: str, *,
        for_card: bool,
    ) -> Verdict:  # fmt: skip
        return self._risk.evaluate(
            intent, account, self.facts(intent.symbol, account), verdict_id=verdict_id,
            parent=parent, now=self._core.now, state=self.state, for_card=for_card,
        )  # fmt: skip

    def spot(self, wish: SpotWish, parent: str) -> Verdict:
        """Judge a spot order by its own rules."""
        account = self._books.account()
        return self._written(
            self._risk.spot(
                wish,
                account,
                self.facts(wish.symbol, account),
                verdict_id=self._core.journal.new_id("verdict"),
                parent=parent,
                now=self._core.now,
                state=self.state,
            )
        )

    @property
    def state(self) -> str:
        """The version of account, market and limits: the inputs taken, the bookings they led to."""
        return f"{self._core.stamp.input}.{self._books.revision}{self._core.settings_mark}"

    def _written(self, verdict: Verdict) -> Verdict:
        """Every verdict is journaled and counted: each decided something."""
        core = self._core
        core.journal.write("verdict", verdict.id, verdict.parent, verdict)
        core.count(core.counters.verdicts, verdict.status)
        for code in verdict.codes:
            core.count(core.counters.codes, code)
        return verdict

    def send(self, verdict: Verdict, request: OrderRequest) -> None:
        """Send what the verdict allows; InvalidOrder when the request is anything else."""
        self._books.place(self._risk.approve(verdict, request, self._core.now, self.state))
        if request.purpose is Purpose.ENTRY:
            self.on_entry(request)

    # -- facts ---------------------------------------------------------------------------------

    def facts(self, symbol: str, account: AccountView) -> MarketFacts:
        """What a verdict on this symbol goes by; a symbol that is not of this run has no price."""
        core = self._core
        instrument = core.instruments.get(symbol)
        if instrument is None or symbol not in core.market.symbols:
            return _NOWHERE
        regime = self._hearing.last(_REGIME, symbol)
        view = regime.output if regime is not None else None
        m, now = core.market.symbol(symbol), core.now
        _, wild, ends = self._wildness(symbol)
        return MarketFacts(
            bid=account.bids.get(symbol, ZERO),
            ask=account.asks.get(symbol, ZERO),
            rate=account.rates.get(instrument.quote, ZERO),
            taker_fee=instrument.taker_fee,
            data_age_seconds=core.market.silence(symbol, now),
            data_age_limit=core.market.patience(symbol),
            stale=core.market.stale(symbol, now),
            regime=view.regime if isinstance(view, RegimeView) else None,
            atr=_atr(m),
            volatility=wild.ratio,
            move=wild.move_to(m.price),
            standing=self._standing(symbol, ends),
            measured=self._correlations.measured(),
            unreconciled=core.unreconciled(symbol),
            restricted=core.restricted(symbol),
            health=core.health,
        )

    def _standing(self, symbol: str, ends: tuple[tuple[str, int], ...]) -> Standing:
        """What was done lately, and what the market did to this symbol (its cool-downs' ends)."""
        now = self._core.now
        found = self._books.conduct.standing(symbol, now, tuple(self._core.tripped))
        if not ends:
            return found
        running = tuple([one for one in ends if one[1] > now])
        return msgspec.structs.replace(found, cooldowns=found.cooldowns + running)

    def turbulent(self, symbol: str) -> tuple[tuple[str, int], ...]:
        """Cool-downs the market itself began on a symbol, with their ends."""
        _, _, ends = self._wildness(symbol)
        now = self._core.now
        return tuple([one for one in ends if one[1] > now]) if ends else ends

    def _wildness(self, symbol: str) -> tuple[int, Turbulence, tuple[tuple[str, int], ...]]:
        m = self._core.market.symbol(symbol)
        seen = self._turbulence.get(symbol)
        if seen is None or seen[0] != m.closes:
            risk = self._core.settings.risk
            move, wait = risk.unusual_move, risk.cooldown
            wild = turbulence(
                m, float(risk.volatility.ratio), float(move.percent), move.within,
                max(wait.volatility, wait.unusual_move),
            )  # fmt: skip
            begun = (
                ("volatility", wild.spike, wait.volatility),
                ("unusual move", wild.moved, wait.unusual_move),
            )
            ends = tuple(
                (cause, began + seconds * SECOND)
                for cause, began, seconds in begun
                if began and seconds
            )
            seen = self._turbulence[symbol] = (m.closes, wild, ends)
        return seen


def _atr(m: SymbolMarket) -> float | None:
    for timeframe in reversed(m.windows):
        if timeframe <= ATR_TIMEFRAME and (atr := m.atr(timeframe)) is not None:
            return atr
    return None


def _nobody(_request: OrderRequest) -> None:
    """Before the agents are there."""


_REGIME = AgentName.REGIME
_NOWHERE = MarketFacts(
    bid=ZERO, ask=ZERO, rate=ZERO, taker_fee=ZERO, data_age_seconds=float("inf"),
    data_age_limit=0.0, stale=True, regime=None,
)  # fmt: skip
