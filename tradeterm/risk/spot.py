"""Spot orders (rebalance, DCA): their own rules; they are never refused for lacking a stop."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ZERO
from tradeterm.model.proposals import RuleOutcome, TradeIntent
from tradeterm.model.vocabulary import Level, PositionSide, RunState, Side
from tradeterm.risk.allowances import HUNDRED
from tradeterm.risk.case import positive, usable_market
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.facts import MarketFacts
from tradeterm.risk.outcomes import (
    broken,
    changed,
    fresh,
    in_step,
    judged,
    open_to_entries,
    percent,
    reconciled,
    recorded,
    unjudged,
)
from tradeterm.settings.risk import RiskSettings


class SpotWish(msgspec.Struct, frozen=True, gc=False):
    """A spot order somebody wants; ``price`` is what it is expected to fill at (quote)."""

    symbol: str
    side: Side
    size: Decimal
    price: Decimal

    def intent(self) -> TradeIntent:
        """As a verdict carries it: no stop marks it as spot."""
        side = PositionSide.LONG if self.side is Side.BUY else PositionSide.SHORT
        return TradeIntent(self.symbol, side, self.size, self.price, None, None, ONE, ONE)


class _Spot(msgspec.Struct, frozen=True, gc=False):
    intent: TradeIntent
    account: AccountView
    facts: MarketFacts
    instrument: Instrument | None
    settings: RiskSettings
    usable: bool
    """Symbol, numbers and market can be computed with."""

    @property
    def available(self) -> Decimal:
        """What the order is paid from: base when selling, unreserved quote when buying."""
        assert self.instrument is not None
        holdings, account = self.account.holdings, self.account
        if self.intent.side is PositionSide.SHORT:
            return holdings.get(self.instrument.base, ZERO)
        if self.instrument.quote == account.currency:
            return account.free
        return holdings.get(self.instrument.quote, ZERO)

    @property
    def unit(self) -> Decimal:
        """What one base unit takes out of ``available``: fees come on top of a purchase."""
        if self.intent.side is PositionSide.SHORT:
            return ONE
        return max(self.intent.entry, self.facts.ask) * (ONE + self.facts.taker_fee)


def judge_spot(
    wish: SpotWish,
    account: AccountView,
    facts: MarketFacts,
    instrument: Instrument | None,
    settings: RiskSettings,
) -> tuple[TradeIntent, tuple[RuleOutcome, ...]]:
    """The final form, and every rule's finding on it."""
    intent = wish.intent()
    usable = (
        instrument is not None
        and positive(intent.size)
        and positive(intent.entry)
        and usable_market(facts)
    )
    spot = _Spot(intent, account, facts, instrument, settings, usable)
    cut: set[str] = set()
    if usable and instrument is not None:
        spot, cut = _fitted(spot, instrument)
    found = (_guarded(name, rule, spot) for name, rule in SPOT_RULES)
    return spot.intent, tuple(changed(f) if f.rule in cut else f for f in found)


def _fitted(spot: _Spot, instrument: Instrument) -> tuple[_Spot, set[str]]:
    intent = replace(
        spot.intent,
        entry=instrument.price(spot.intent.entry),
        size=instrument.size(spot.intent.size) or spot.intent.size,
    )
    spot = replace(spot, intent=intent)
    unit, available = spot.unit, spot.available
    if intent.size * unit <= available:
        return spot, set()
    size = instrument.size(available / unit)
    if size > 0 and not size * unit <= available:
        size -= instrument.lot
    if not size > 0:
        return spot, set()
    return replace(spot, intent=replace(intent, size=size)), {"cash"}


def _guarded(name: str, rule: Callable[[_Spot], RuleOutcome], spot: _Spot) -> RuleOutcome:
    if not spot.usable and rule in _COMPUTED:
        return unjudged(name)
    try:
        return rule(spot)
    except Exception as error:  # noqa: BLE001 - fail closed
        return broken(name, error)


def _run_state(spot: _Spot) -> RuleOutcome:
    """Plans pause with the system."""
    state = spot.account.state
    code = RiskCode.PAUSED if state is RunState.PAUSED else RiskCode.HALTED
    return judged("run_state", code, str(state), "running", ok=state is RunState.RUNNING)


def _level(spot: _Spot) -> RuleOutcome:
    level = spot.account.level
    ok = level in (Level.NORMAL, Level.REDUCED, Level.LIMITED)
    return judged("level", RiskCode.EMERGENCY, str(level), "below EMERGENCY", ok=ok)


def _symbol(spot: _Spot) -> RuleOutcome:
    if spot.facts.restricted and spot.intent.side is PositionSide.LONG:
        return open_to_entries(spot.facts)
    known = spot.instrument is not None
    return judged("symbol", RiskCode.UNKNOWN_SYMBOL, spot.intent.symbol, "a known symbol", ok=known)


def _numbers(spot: _Spot) -> RuleOutcome:
    ok = positive(spot.intent.size) and positive(spot.intent.entry)
    return judged("numbers", RiskCode.BAD_NUMBER, "usable" if ok else "unusable", "usable", ok=ok)


def _market(spot: _Spot) -> RuleOutcome:
    ok = usable_market(spot.facts)
    return judged("market", RiskCode.BAD_MARKET, "usable" if ok else "unusable", "usable", ok=ok)


def _data_age(spot: _Spot) -> RuleOutcome:
    return fresh(spot.facts)


def _reconciled(spot: _Spot) -> RuleOutcome:
    return reconciled(spot.facts)


def _clock_skew(spot: _Spot) -> RuleOutcome:
    return in_step(spot.facts, spot.settings)


def _journal_health(spot: _Spot) -> RuleOutcome:
    return recorded(spot.facts, spot.settings)


def _collar(spot: _Spot) -> RuleOutcome:
    mid = (spot.facts.bid + spot.facts.ask) / 2
    limit = spot.settings.limit("max_collar", spot.intent.symbol)
    away = abs(spot.intent.entry - mid) * HUNDRED / mid
    return judged("collar", RiskCode.COLLAR, percent(away), f"<= {limit}", ok=away <= limit)


def _cash(spot: _Spot) -> RuleOutcome:
    needed, available = spot.intent.size * spot.unit, spot.available
    return judged(
        "cash", RiskCode.CASH, f"{needed:.8f}", f"<= {available:.8f}", ok=needed <= available
    )


def _minimum(spot: _Spot) -> RuleOutcome:
    instrument, intent = spot.instrument, spot.intent
    assert instrument is not None
    ok = instrument.meets_minimum(intent.size, min(intent.entry, spot.facts.bid))
    limit = f">= {instrument.min_size:f} and {instrument.min_notional:f} {instrument.quote}"
    return judged("minimum", RiskCode.MINIMUM, f"{intent.size:f}", limit, ok=ok)


SPOT_RULES: tuple[tuple[str, Callable[[_Spot], RuleOutcome]], ...] = (
    ("run_state", _run_state),
    ("level", _level),
    ("symbol", _symbol),
    ("numbers", _numbers),
    ("market", _market),
    ("data_age", _data_age),
    ("reconciled", _reconciled),
    ("clock_skew", _clock_skew),
    ("journal_health", _journal_health),
    ("collar", _collar),
    ("cash", _cash),
    ("minimum", _minimum),
)
_COMPUTED = frozenset({_collar, _cash, _minimum})
