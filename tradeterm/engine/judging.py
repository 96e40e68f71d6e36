"""Asks the risk engine, with the account and the market of this very moment."""

from __future__ import annotations

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.hearing import Hearing
from tradeterm.model.account import AccountView
from tradeterm.model.money import ZERO
from tradeterm.model.orders import OrderRequest
from tradeterm.model.outputs import RegimeView
from tradeterm.model.proposals import TradeIntent, Verdict
from tradeterm.model.vocabulary import AgentName
from tradeterm.risk.engine import RiskEngine
from tradeterm.risk.facts import MarketFacts
from tradeterm.risk.spot import SpotWish


class Judging:
    """Verdicts, their journal rows, and the orders they allow."""

    def __init__(self, core: Core, books: Books, risk: RiskEngine, hearing: Hearing) -> None:
        self._core = core
        self._books = books
        self._risk = risk
        self._hearing = hearing

    def margin(self, intent: TradeIntent, parent: str, *, for_card: bool = False) -> Verdict:
        """Judge an entry in its final form; ``for_card`` leaves headroom until the key is hit."""
        account = self._books.account()
        return self._written(
            self._risk.evaluate(
                intent,
                account,
                self._facts(intent.symbol, account),
                verdict_id=self._core.journal.new_id("verdict"),
                parent=parent,
                now=self._core.now,
                for_card=for_card,
            )
        )

    def spot(self, wish: SpotWish, parent: str) -> Verdict:
        """Judge a spot order by its own rules."""
        account = self._books.account()
        return self._written(
            self._risk.spot(
                wish,
                account,
                self._facts(wish.symbol, account),
                verdict_id=self._core.journal.new_id("verdict"),
                parent=parent,
                now=self._core.now,
            )
        )

    def _written(self, verdict: Verdict) -> Verdict:
        """Every verdict is journaled and counted: each decided something."""
        core = self._core
        core.journal.write("verdict", verdict.id, verdict.parent, verdict)
        core.count(core.counters.verdicts, verdict.status.value)
        for code in verdict.codes:
            core.count(core.counters.codes, code)
        return verdict

    def send(self, verdict: Verdict, request: OrderRequest) -> None:
        """Send what the verdict allows; InvalidOrder when the request is anything else."""
        self._books.place(self._risk.approve(verdict, request, self._core.now))

    def _facts(self, symbol: str, account: AccountView) -> MarketFacts:
        core = self._core
        instrument = core.instruments[symbol]
        regime = self._hearing.last(AgentName.REGIME, symbol)
        view = regime.output if regime is not None else None
        return MarketFacts(
            bid=account.bids.get(symbol, ZERO),
            ask=account.asks.get(symbol, ZERO),
            rate=account.rates.get(instrument.quote, ZERO),
            taker_fee=instrument.taker_fee,
            data_age_seconds=core.market.silence(symbol, core.now),
            data_age_limit=core.market.patience(symbol),
            stale=core.market.stale(symbol, core.now),
            regime=view.regime if isinstance(view, RegimeView) else None,
        )
