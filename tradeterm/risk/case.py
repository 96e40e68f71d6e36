"""One trade before the bench: the wish, its final form, and the figures rules go by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ZERO
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.vocabulary import PositionSide, Regime
from tradeterm.risk.burden import Burden
from tradeterm.risk.facts import MarketFacts
from tradeterm.settings.risk import LeverageStep, RiskSettings

HUNDRED = Decimal(100)
Correlation = Callable[[str, str], Decimal]


class Case:
    """Figures of one evaluation. ``None`` where an input is bad: rules then cannot judge."""

    __slots__ = (
        "account",
        "burden",
        "caps",
        "correlation",
        "cut",
        "drawdown",
        "facts",
        "fill",
        "instrument",
        "intent",
        "mid",
        "numbers_ok",
        "settings",
        "trouble",
        "unit_notional",
        "unit_risk",
        "views",
    )

    def __init__(
        self,
        intent: TradeIntent,
        account: AccountView,
        facts: MarketFacts,
        instruments: Mapping[str, Instrument],
        settings: RiskSettings,
        correlation: Correlation,
    ) -> None:
        """Whether numbers, account and market are usable; what follows from them."""
        self.settings = settings
        self.correlation = correlation
        self.account = account
        self.facts = facts
        self.instrument = instruments.get(intent.symbol)
        self.numbers_ok = usable_numbers(intent)
        self.intent = intent
        if self.numbers_ok and self.instrument is not None:
            self.intent = on_grid(intent, self.instrument)
        self.caps: dict[str, Decimal] = {}
        """Rule → leverage it allows."""
        self.cut: set[str] = set()
        """Rules that reduced the trade."""
        self.burden: Burden | None = None
        self.drawdown: Decimal | None = None
        self.views: list[tuple[Decimal, Decimal]] = []
        self.trouble = ""
        """Why the account cannot be computed with."""
        if usable_account(account):
            self._weigh()
            peak = account.peak_equity
            self.drawdown = max((peak - account.equity) * HUNDRED / peak, ZERO)
            self.caps = leverage_caps(settings, facts.regime, self.drawdown, account.loss_streak)
        self.mid: Decimal | None = None
        self.fill: Decimal | None = None
        """The worse of entry and book for this side; what risk and reward are measured from."""
        self.unit_notional = self.unit_risk = ZERO
        if usable_market(facts):
            self.mid = (facts.bid + facts.ask) / 2
            if self.numbers_ok:
                self._measure()

    def _weigh(self) -> None:
        try:
            self.burden = Burden(self.account)
        except ArithmeticError as error:  # unpriced, or a NaN among what is held
            self.trouble = str(error) or type(error).__name__
        else:
            self.views = correlated_views(self.intent, self.burden, self.correlation)

    def _measure(self) -> None:
        intent, facts = self.intent, self.facts
        long = intent.side is PositionSide.LONG
        high = max(intent.entry, facts.ask)
        fill = self.fill = high if long else min(intent.entry, facts.bid)
        self.unit_notional = high * facts.rate
        if intent.stop is not None:
            lost = fill - intent.stop if long else intent.stop - fill
            self.unit_risk = (lost + facts.taker_fee * (fill + intent.stop)) * facts.rate

    @property
    def judgeable(self) -> bool:
        """Whether size limits can be computed at all."""
        return (
            self.burden is not None
            and self.fill is not None
            and self.instrument is not None
            and self.unit_risk > 0
        )

    def share(self, percent: Decimal) -> Decimal:
        """``percent`` of equity."""
        return self.account.equity * percent / HUNDRED

    # -- what a size costs, in account currency --------------------------------------------

    def notional(self, size: Decimal) -> Decimal:
        return size * self.unit_notional

    def collateral(self, size: Decimal) -> Decimal:
        return size * self.unit_notional / self.intent.leverage

    def risk(self, size: Decimal) -> Decimal:
        """Loss when the stop fills at its price, fees on both sides included."""
        return size * self.unit_risk

    def cost(self, size: Decimal) -> Decimal:
        """Cash an entry takes: collateral and taker fee."""
        notional = size * self.unit_notional
        return notional / self.intent.leverage + notional * self.facts.taker_fee

    def stacked(self, size: Decimal) -> Decimal:
        """The largest signed correlated notional among the symbols this trade makes worse."""
        notional = size * self.unit_notional
        return max(carried + notional * weight for carried, weight in self.views)

    def resize(self, size: Decimal) -> None:
        """Take the final size."""
        if size != self.intent.size:
            self.intent = replace(self.intent, size=size)


def correlated_views(
    intent: TradeIntent, burden: Burden, correlation: Correlation
) -> list[tuple[Decimal, Decimal]]:
    """Per symbol: (what it carries in the trade's direction, how much of the trade it feels).

    Seen from symbol *i* the book is E_i = Σ_j ρ_ij · s_j · n_j. A trade of notional *n* and sign
    *s* adds ρ·s·n. It makes *i* worse in the direction d = sign(ρ·s): d·E_i + |ρ|·n must be ≤ L.
    """
    views = []
    signed = burden.signed
    symbols = [intent.symbol, *(s for s in signed if s != intent.symbol)]
    for view in symbols:
        felt = correlation(view, intent.symbol) * intent.side.sign
        if not felt:
            continue
        carried = ZERO
        for other, amount in signed.items():
            carried += correlation(view, other) * amount
        views.append((carried if felt > 0 else -carried, abs(felt)))
    return views


def leverage_caps(
    settings: RiskSettings, regime: Regime | None, drawdown: Decimal, streak: int
) -> dict[str, Decimal]:
    """Rule → the leverage it allows; an unknown regime gets the most careful one."""
    by_regime, top = settings.regime_leverage, settings.max_leverage
    return {
        "leverage": top,
        "leverage_regime": min(by_regime.values()) if regime is None else by_regime[regime],
        "leverage_drawdown": stepped(settings.drawdown_leverage, drawdown, top),
        "leverage_streak": stepped(settings.streak_leverage, streak, top),
    }


def stepped(steps: Iterable[LeverageStep], value: Decimal | int, top: Decimal) -> Decimal:
    """The smallest leverage among the steps that ``value`` has reached."""
    for step in steps:
        if not value < step.at:
            top = min(top, step.leverage)
    return top


def on_grid(intent: TradeIntent, instrument: Instrument) -> TradeIntent:
    """The intent with prices on ticks; sizes are floored to lots when they are fitted."""
    return TradeIntent(
        intent.symbol,
        intent.side,
        instrument.size(intent.size) or intent.size,
        instrument.price(intent.entry),
        None if intent.stop is None else instrument.price(intent.stop),
        None if intent.target is None else instrument.price(intent.target),
        intent.leverage,
        intent.confidence,
    )


def positive(value: Decimal | None) -> bool:
    """A finite amount above zero and small enough to compute with."""
    return value is not None and value.is_finite() and 0 < value < _LARGEST


def usable_numbers(intent: TradeIntent) -> bool:
    """Whether every figure of the intent can be computed with."""
    return (
        positive(intent.size)
        and positive(intent.entry)
        and (intent.stop is None or positive(intent.stop))
        and (intent.target is None or positive(intent.target))
        and positive(intent.leverage)
        and intent.leverage >= 1
        and intent.confidence.is_finite()
        and 0 <= intent.confidence <= 1
    )


def usable_account(account: AccountView) -> bool:
    """Whether the account has equity and every sum is a number."""
    return (
        positive(account.equity)
        and positive(account.peak_equity)
        and positive(account.day_start_equity)
        and all(v.is_finite() for v in (account.cash, account.reserved, account.margin_used))
        and account.loss_streak >= 0
    )


def usable_market(facts: MarketFacts) -> bool:
    """Whether there is a two-sided, uncrossed price, a rate and a fee."""
    return (
        positive(facts.bid)
        and positive(facts.ask)
        and facts.bid <= facts.ask
        and positive(facts.rate)
        and facts.taker_fee.is_finite()
        and 0 <= facts.taker_fee < ONE
    )


_LARGEST = Decimal("1e15")
