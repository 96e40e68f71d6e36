"""The risk engine: the last word over everybody. Verdicts are pure; it holds no state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache, partial

from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ZERO
from tradeterm.model.orders import ApprovedOrder, Order, OrderRequest, Position
from tradeterm.model.proposals import RuleOutcome, TradeIntent, Verdict
from tradeterm.model.vocabulary import VerdictStatus
from tradeterm.risk import permits
from tradeterm.risk.allowances import Allowances
from tradeterm.risk.burden import Sums
from tradeterm.risk.case import Case
from tradeterm.risk.codes import HALTING
from tradeterm.risk.correlation import Correlations
from tradeterm.risk.facts import MarketFacts
from tradeterm.risk.loosening import refusal_to_loosen
from tradeterm.risk.outcomes import FAIL, PASS, REDUCED, broken
from tradeterm.risk.rules import judge
from tradeterm.risk.sizing import fit
from tradeterm.risk.spot import SpotWish, judge_spot
from tradeterm.settings.risk import RiskSettings


class RiskEngine:
    """Judges trades as they would be sent, and is the only source of approved orders."""

    def __init__(self, settings: RiskSettings, instruments: Mapping[str, Instrument]) -> None:
        """Limits and the symbols that may be traded."""
        self._settings = settings
        self._instruments = instruments
        self._correlations = Correlations(settings.correlation)
        self._sums = Sums()
        self._allowances = lru_cache(maxsize=256)(partial(Allowances, settings))
        self._hashed: tuple[TradeIntent | None, str] = (None, "")
        """The intent hashed last: a card, its approval and its order are judged one after another."""

    def follow(self, settings: RiskSettings) -> None:
        """Other limits from here on."""
        self._settings = settings
        self._allowances = lru_cache(maxsize=256)(partial(Allowances, settings))

    # -- verdicts --------------------------------------------------------------------------

    def evaluate(
        self,
        intent: TradeIntent,
        account: AccountView,
        facts: MarketFacts,
        *,
        verdict_id: str,
        parent: str,
        now: int,
        state: str,
        for_card: bool = False,
    ) -> Verdict:
        """Reduce a margin entry until it fits, then judge the final form by every rule.

        ``for_card`` leaves ``card_headroom`` free below each size limit, so that the order on a
        card still fits unchanged when the operator decides. ``state`` is the version of account
        and market this is said about. A what-if is this same call.
        """
        foreseen = None
        try:
            case = Case(
                intent, account, facts, self._instruments, self._settings,
                self._allowances(intent.symbol), self._correlations, self._sums,
            )  # fmt: skip
            fit(case, self._settings.card_headroom if for_card else ZERO)
            intent, found, foreseen = case.intent, judge(case), case.foreseen
        except Exception as error:  # noqa: BLE001 - fail closed: our own bug is never a pass
            found = (broken("evaluation", error),)
        hashed = self._hash(intent)
        return _verdict(intent, hashed, found, verdict_id, parent, now, state, foreseen)

    def spot(
        self,
        wish: SpotWish,
        account: AccountView,
        facts: MarketFacts,
        *,
        verdict_id: str,
        parent: str,
        now: int,
        state: str,
    ) -> Verdict:
        """The rule set of rebalance and DCA orders: spot, unleveraged, without a stop."""
        intent = wish.intent()
        try:
            intent, found = judge_spot(
                wish, account, facts, self._instruments.get(wish.symbol), self._settings
            )
        except Exception as error:  # noqa: BLE001 - fail closed
            found = (broken("evaluation", error),)
        return _verdict(intent, self._hash(intent), found, verdict_id, parent, now, state)

    def _hash(self, intent: TradeIntent) -> str:
        if self._hashed[0] is not intent:
            self._hashed = (intent, intent.content_hash())
        return self._hashed[1]

    # -- permits ---------------------------------------------------------------------------

    def approve(
        self, verdict: Verdict, request: OrderRequest, now: int, state: str
    ) -> ApprovedOrder:
        """Permit exactly the order a verdict on this very state allows; else InvalidOrder."""
        return permits.approve(verdict, request, now, state, self._hash)

    def amend(
        self, order: Order, request: OrderRequest, verdict: Verdict | None, now: int, state: str
    ) -> ApprovedOrder:
        """Permit other terms for a working order: less, or another price under a verdict."""
        return permits.amend(order, request, verdict, now, state)

    def reduce(
        self, request: OrderRequest, positions: Iterable[Position], now: int, *,
        verdict_id: str = "",
    ) -> ApprovedOrder:  # fmt: skip
        """Permit a close, stop or target of one of the open ``positions``, whatever the state."""
        return permits.reduce(request, positions, now, verdict_id)

    def refusal_to_loosen(self, position: Position, stop: Decimal, account: AccountView) -> str:
        """Why a stop may not move away from the market to ``stop``; empty when it may."""
        instrument = self._instruments[position.symbol]
        return refusal_to_loosen(position, stop, account, instrument, self._settings)

    def protect(self, request: OrderRequest, verdict_id: str, now: int) -> ApprovedOrder:
        """Permit a stop or target for a position opened in this very step."""
        return permits.protect(request, verdict_id, now)


def _verdict(
    intent: TradeIntent,
    content_hash: str,
    found: tuple[RuleOutcome, ...],
    verdict_id: str,
    parent: str,
    now: int,
    state: str,
    foreseen: Decimal | None = None,
) -> Verdict:
    told = [rule for rule in found if rule.outcome != PASS]
    failed = [rule.code for rule in told if rule.outcome == FAIL]
    reduced = [rule.code for rule in told if rule.outcome == REDUCED]
    if failed:
        halting = any(code in HALTING for code in failed)
        status = VerdictStatus.HALTED if halting else VerdictStatus.REJECTED
    else:
        status = VerdictStatus.MODIFIED if reduced else VerdictStatus.APPROVED
    return Verdict(
        id=verdict_id,
        ts=now,
        parent=parent,
        status=status,
        codes=tuple(dict.fromkeys(failed or reduced)) if told else (),
        rules=found,
        intent=None if failed else intent,
        content_hash=content_hash,
        state=state,
        foreseen=foreseen,
    )
