"""What the settings allow one trade: leverage, confidence and risk, by regime, losses and drawdown."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ZERO, plain
from tradeterm.model.proposals import RuleOutcome
from tradeterm.model.vocabulary import Regime
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.outcomes import PASS
from tradeterm.settings.risk import LeverageStep, RiskSettings

HUNDRED = Decimal(100)


class Allowances:
    """The settings as they hold for one symbol; asked once per verdict, so figures are kept."""

    def __init__(self, settings: RiskSettings, symbol: str) -> None:
        """The tightest of what is set for all, for the base asset and for the symbol."""
        limit = settings.limit
        self._settings = settings
        self.max_leverage = limit("max_leverage", symbol)
        self.max_position = limit("max_position", symbol)
        self.max_risk = limit("max_risk", symbol)
        self.min_confidence = limit("min_confidence", symbol)
        self.min_stop = limit("min_stop", symbol)
        self.max_stop = limit("max_stop", symbol)
        self.max_collar = limit("max_collar", symbol)
        self._minimum: tuple[Instrument | None, str] = (None, "")
        self.expected_slippage = settings.expected_slippage / HUNDRED
        """Fraction of notional."""
        self.texts = _texts(settings, self)
        """Rule → its limit in words, where it is the same for every trade of the symbol."""
        self.spike = float(settings.volatility.ratio)
        self.unusual = float(settings.unusual_move.percent)
        """Floats, as what they are compared with."""
        self.ready = {
            rule: RuleOutcome(rule, code, value, self.texts.get(rule, limit), PASS)
            for rule, code, value, limit in (
                ("symbol", RiskCode.UNKNOWN_SYMBOL, symbol, "a known symbol"),
                ("repeated", RiskCode.REPEATED, "never", ""),
                ("unusual_move", RiskCode.UNUSUAL_MOVE, "unknown", ""),
                ("volatility", RiskCode.VOLATILITY, "not warm", ""),
            )
        }
        """Rule → what it finds of the symbol on most days."""
        self._leverage: dict[tuple[Regime | None, int], dict[str, Decimal]] = {}
        self._confidence: dict[tuple[Regime | None, int], tuple[Decimal, str]] = {}
        self._risk: dict[tuple[Regime | None, Decimal], tuple[Decimal, str]] = {}
        self._strictest = max(settings.strictness[w] for w in settings.regime_strictness.values())
        self._least_leverage = min(settings.regime_leverage.values())
        self._least_part = min(settings.sizing.regime.values())

    def minimum(self, instrument: Instrument) -> str:
        """The least the venue takes, in words."""
        if self._minimum[0] is not instrument:
            text = f">= {instrument.min_size:f} and {instrument.min_notional:f} {instrument.quote}"
            self._minimum = (instrument, text)
        return self._minimum[1]

    def leverage(
        self, regime: Regime | None, drawdown: Decimal, streak: int, confidence: Decimal
    ) -> dict[str, Decimal]:
        """Rule → the leverage it allows; an unknown regime gets the most careful one."""
        settings, top = self._settings, self.max_leverage
        known = self._leverage.get((regime, streak))
        if known is None:
            least = self._least_leverage
            known = self._leverage[regime, streak] = {
                "leverage": top,
                "leverage_regime": least if regime is None else settings.regime_leverage[regime],
                "leverage_drawdown": top,
                "leverage_streak": _stepped(settings.streak_leverage, streak, top),
                "leverage_confidence": top,
            }
        caps = known.copy()
        if drawdown:
            caps["leverage_drawdown"] = _stepped(settings.drawdown_leverage, drawdown, top)
        for tier in settings.confidence_leverage:
            if confidence < tier.below:
                caps["leverage_confidence"] = min(caps["leverage_confidence"], tier.leverage)
        return caps

    def confidence(self, regime: Regime | None, streak: int) -> tuple[Decimal, str]:
        """The least confidence, also in words; an unknown regime is taken as the strictest."""
        known = self._confidence.get((regime, streak))
        if known is None:
            least = self._least_confidence(regime, streak)
            known = self._confidence[regime, streak] = (least, f">= {least}")
        return known

    def _least_confidence(self, regime: Regime | None, streak: int) -> Decimal:
        settings, add = self._settings, self._strictest
        if regime is not None:
            add = settings.strictness[settings.regime_strictness[regime]]
        steps = [step.add for step in settings.streak_confidence if streak >= step.at]
        return self.min_confidence + add + max(steps, default=ZERO)

    def risk(self, regime: Regime | None, confidence: Decimal) -> tuple[Decimal, str]:
        """Percent of equity a trade may lose at its stop, also in words: by how sure, and where."""
        sizing = self._settings.sizing
        part = sizing.confidence[0].part
        for step in sizing.confidence:
            if confidence >= step.at:
                part = step.part
        known = self._risk.get((regime, part))
        if known is None:
            by_regime = self._least_part if regime is None else sizing.regime[regime]
            percent = self.max_risk * part * by_regime / (HUNDRED * HUNDRED)
            known = self._risk[regime, part] = (percent, f"<= {plain(percent)}")
        return known


def _stepped(steps: Iterable[LeverageStep], value: Decimal | int, top: Decimal) -> Decimal:
    """The smallest leverage among the steps that ``value`` has reached."""
    for step in steps:
        if not value < step.at:
            top = min(top, step.leverage)
    return top


def _texts(settings: RiskSettings, own: Allowances) -> dict[str, str]:
    throttle = settings.throttle
    return {
        "daily_loss": f"< {settings.max_daily_loss}",
        "daily_loss_24h": f"< {settings.max_daily_loss}",
        "weekly_loss": f"< {settings.max_weekly_loss}",
        "drawdown": f"< {settings.max_drawdown}",
        "entry_rate": f"<= {throttle.entries_per_minute}",
        "message_rate": f"<= {throttle.messages_per_minute}",
        "repeated": f">= {throttle.repeat} s",
        "unusual_move": f"<= {settings.unusual_move.percent}",
        "stop_distance": f"{own.min_stop} - {own.max_stop}",
        "reward_risk": f">= {settings.min_reward_risk}",
        "cost": f"<= {settings.max_cost}",
        "collar": f"<= {own.max_collar}",
        "positions_symbol": f"<= {settings.max_positions_per_symbol}",
        "positions": f"<= {settings.max_positions}",
        "volatility": f"<= {settings.volatility.ratio} for the whole size",
        "losses": f"< {settings.max_losses} for the whole size",
        "risk_at_stop": f"<= {own.max_risk}",
        "position_size": f"<= {own.max_position}",
        "exposure": f"<= {settings.max_exposure}",
        "correlated": f"<= {settings.max_correlated}",
        "margin_use": f"<= {settings.max_margin}",
    }
