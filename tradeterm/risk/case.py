"""One trade before the bench: the wish, its final form, and the figures rules go by."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from msgspec.structs import replace

from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ZERO, exact
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.vocabulary import PositionSide
from tradeterm.risk.allowances import HUNDRED, Allowances
from tradeterm.risk.burden import Burden, Sums
from tradeterm.risk.correlation import Correlations, correlated_views
from tradeterm.risk.facts import MarketFacts
from tradeterm.risk.limits import Limit
from tradeterm.settings.risk import RiskSettings


class Case:
    """Figures of one evaluation. ``None`` where an input is bad: rules then cannot judge."""

    __slots__ = (
        "account", "allowances", "burden", "caps", "cut", "drawdown", "facts", "fill", "fitting",
        "foreseen", "instrument", "intent", "leverage_text", "limits", "long", "lost", "mid",
        "numbers_ok", "one_percent", "settings", "sizing_text", "stop_set", "trouble",
        "unit_notional", "unit_risk", "views",
    )  # fmt: skip

    def __init__(
        self,
        intent: TradeIntent,
        account: AccountView,
        facts: MarketFacts,
        instruments: Mapping[str, Instrument],
        settings: RiskSettings,
        allowances: Allowances,
        correlations: Correlations,
        sums: Sums,
    ) -> None:
        """Whether numbers, account and market are usable; what follows from them."""
        self.settings = settings
        self.allowances = allowances
        self.account = account
        self.facts = facts
        self.instrument = instruments.get(intent.symbol)
        self.numbers_ok = usable_numbers(intent)
        self.intent = intent
        self.long = intent.side is PositionSide.LONG
        self.cut: set[str] = set()
        """Rules that changed the trade."""
        self.stop_set = False
        """Whether the stop is risk's own."""
        if self.numbers_ok and self.instrument is not None:
            self.intent = on_grid(intent, self.instrument)
            if intent.stop is None:
                self._set_stop(self.instrument)
        self.caps: dict[str, Decimal] = {}
        """Rule → leverage it allows."""
        self.sizing_text = ""
        """What sizing allows, in words."""
        self.fitting = False
        """Whether the wish fits every limit as it is: no need to ask them again."""
        self.foreseen: Decimal | None = None
        """The size standing policy leaves of a larger wish."""
        self.leverage_text = ""
        """The final leverage in words."""
        self.limits: dict[str, tuple[Limit, ...]] = {}
        """Rule → what it allows of what grows with the size; filled when the leverage is known."""
        self.burden: Burden | None = None
        self.drawdown: Decimal | None = None
        self.lost: dict[Decimal, tuple[Decimal, str]] = {}
        """Base → percent of it that is gone, also in words: on most days the bases are one."""
        self.views: list[tuple[Decimal, Decimal]] = []
        self.one_percent = ZERO
        """Of equity."""
        self.trouble = ""
        """Why the account cannot be computed with."""
        if usable_account(account):
            self.one_percent = account.equity / HUNDRED
            self._weigh(correlations, sums)
            peak = account.peak_equity
            gone = (peak - account.equity) * HUNDRED / peak
            self.drawdown = gone if gone > ZERO else ZERO
            if self.numbers_ok:
                self.caps = allowances.leverage(
                    facts.regime, self.drawdown, account.loss_streak, intent.confidence
                )
        self.mid: Decimal | None = None
        self.fill: Decimal | None = None
        """The worse of entry and book for this side; what risk and reward are measured from."""
        self.unit_notional = self.unit_risk = ZERO
        if usable_market(facts):
            self.mid = (facts.bid + facts.ask) / 2
            if self.numbers_ok:
                self._measure()

    def _set_stop(self, instrument: Instrument) -> None:
        """A stop by the ATR, inside the bounds of stop distances, where the settings allow it."""
        atr, factor, entry = self.facts.atr, self.settings.atr_stop, self.intent.entry
        if atr is None or not 0 < atr < float("inf") or not factor:
            return
        least = entry * self.allowances.min_stop / HUNDRED + instrument.tick
        most = entry * self.allowances.max_stop / HUNDRED - instrument.tick
        distance = max(min(exact(atr) * factor, most), least)
        stop = instrument.price(entry - distance if self.long else entry + distance)
        if stop > 0:
            self.intent = replace(self.intent, stop=stop)
            self.stop_set = True
            self.cut.add("stop")

    def _weigh(self, correlations: Correlations, sums: Sums) -> None:
        intent, known = self.intent, correlations.given(self.facts.measured)
        try:
            held = sums.of(self.account)
            self.burden = burden = Burden(self.account, held)
            self.views = correlated_views(
                intent.symbol, 1 if self.long else -1, burden.signed, known
            )
        except ArithmeticError as error:  # unpriced, or a NaN among what is held or measured
            self.burden = None
            self.trouble = str(error) or type(error).__name__

    def _measure(self) -> None:
        intent, facts = self.intent, self.facts
        long, entry, ask = self.long, intent.entry, facts.ask
        high = ask if ask > entry else entry
        fill = self.fill = high if long else min(entry, facts.bid)
        self.unit_notional = high * facts.rate
        if intent.stop is not None:
            lost = fill - intent.stop if long else intent.stop - fill
            self.unit_risk = (lost + facts.taker_fee * (fill + intent.stop)) * facts.rate

    def resize(self, size: Decimal) -> None:
        """Take the final size."""
        if size != self.intent.size:
            self.intent = replace(self.intent, size=size)


def on_grid(intent: TradeIntent, instrument: Instrument) -> TradeIntent:
    """The intent with prices on ticks; sizes are floored to lots when they are fitted."""
    tick, entry, stop, target = instrument.tick, intent.entry, intent.stop, intent.target
    if not (
        intent.size % instrument.lot
        or entry % tick
        or (stop is not None and stop % tick)
        or (target is not None and target % tick)
    ):
        return intent
    size = instrument.size(intent.size) or intent.size
    entry = instrument.price(entry)
    if stop is not None:
        stop = instrument.price(stop)
    if target is not None:
        target = instrument.price(target)
    if (size, entry, stop, target) == (intent.size, intent.entry, intent.stop, intent.target):
        return intent
    return replace(intent, size=size, entry=entry, stop=stop, target=target)


def positive(value: Decimal | None) -> bool:
    """A finite amount above zero and small enough to compute with."""
    return value is not None and value.is_finite() and ZERO < value < _LARGEST


def usable_numbers(intent: TradeIntent) -> bool:
    """Whether every figure of the intent can be computed with."""
    try:
        return (
            ZERO < intent.size < _LARGEST
            and ZERO < intent.entry < _LARGEST
            and (intent.stop is None or ZERO < intent.stop < _LARGEST)
            and (intent.target is None or ZERO < intent.target < _LARGEST)
            and (intent.wished is None or ZERO < intent.wished < _LARGEST)
            and ONE <= intent.leverage < _LARGEST
            and ZERO <= intent.confidence <= ONE
        )
    except InvalidOperation:  # a NaN is neither less nor more
        return False


def usable_account(account: AccountView) -> bool:
    """Whether the account has equity and every sum is a number."""
    try:
        return (
            ZERO < account.equity < _LARGEST
            and ZERO < account.day_start_equity < _LARGEST
            and ZERO < account.high_equity < _LARGEST
            and ZERO < account.week_start_equity < _LARGEST
            and ZERO < account.peak_equity < _LARGEST
            and account.cash.is_finite()
            and account.reserved.is_finite()
            and account.margin_used.is_finite()
            and account.loss_streak >= 0
        )
    except InvalidOperation:
        return False


def usable_market(facts: MarketFacts) -> bool:
    """Whether there is a two-sided, uncrossed price, a rate and a fee."""
    try:
        return (
            ZERO < facts.bid <= facts.ask < _LARGEST
            and ZERO < facts.rate < _LARGEST
            and ZERO <= facts.taker_fee < ONE
        )
    except InvalidOperation:
        return False


_LARGEST = Decimal("1e15")
