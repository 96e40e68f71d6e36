"""Portfolio check: weights of the trading balances against their targets. Plain arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from tradeterm.agents.context import AgentContext
from tradeterm.model.account import AccountView
from tradeterm.model.money import ONE, ZERO, floor_to, plain, total
from tradeterm.model.opinions import TimingOpinion
from tradeterm.model.outputs import AllocationView, RebalanceLeg
from tradeterm.model.vocabulary import Timing
from tradeterm.settings.portfolio import PortfolioSettings

CENT = Decimal("0.01")
POINT = Decimal("0.0001")


class RebalanceAgent:
    """Which spot orders would bring the balances back to their targets, if any are due."""

    def __init__(self, settings: PortfolioSettings) -> None:
        self._settings = settings

    def run(self, ctx: AgentContext) -> AllocationView | None:
        """None while a holding has no price or there is nothing to allocate."""
        account = ctx.account
        values = values_by_asset(account)
        if values is None:
            return None
        whole = total(values.values())
        if whole <= 0:
            return None
        targets = reachable(self._settings.targets, account)
        assets = sorted({*values, *targets})
        weights = {a: (100 * values.get(a, ZERO) / whole).quantize(POINT) for a in assets}
        off = {a: weights[a] - targets.get(a, ZERO) for a in assets}
        deviation = max(abs(points) for points in off.values())
        legs: tuple[RebalanceLeg, ...] = ()
        if deviation >= self._settings.rebalance_threshold:
            wanted = {a: -off[a] * whole / 100 for a in assets if a in targets}
            legs = self._legs(ctx, account, wanted)
        worst = max(assets, key=lambda asset: abs(off[asset]))
        return AllocationView(
            "*",
            {asset: float(weight) for asset, weight in weights.items()},
            {asset: float(target) for asset, target in targets.items()},
            float(deviation),
            legs,
            {"value": float(whole), "deviation": float(deviation), "legs": float(len(legs))},
            f"{worst} is {plain(off[worst].quantize(CENT))} points off its target, "
            f"{plain(self._settings.rebalance_threshold)} allowed; {len(legs)} orders due",
        )

    def spoken(self, ctx: AgentContext, said: TimingOpinion) -> AllocationView | None:
        """The very orders of the rule, when and how a model wants them carried out."""
        view = self.run(ctx)
        if view is None or not view.legs:
            return view
        legs = () if said.timing is Timing.WAIT else view.legs
        reasoning = f"{view.reasoning}; {said.timing}: {said.reasoning}"
        return replace(view, legs=legs, timing=said.timing, reasoning=reasoning)

    def _legs(
        self, ctx: AgentContext, account: AccountView, wanted: dict[str, Decimal]
    ) -> tuple[RebalanceLeg, ...]:
        """Sells first; buys are cut alike to what cash and sells can pay, fees included."""
        cash = account.currency
        amounts = {
            f"{asset}/{cash}": amount
            for asset, amount in wanted.items()
            if asset != cash and abs(amount) >= self._settings.min_order
        }
        sells = {
            symbol: -floor_to(-amount, CENT) for symbol, amount in amounts.items() if amount < 0
        }
        buys = {symbol: amount for symbol, amount in amounts.items() if amount > 0}
        fees = {s: ctx.instruments[s].taker_fee if s in ctx.instruments else ZERO for s in amounts}
        paid = max(account.free, ZERO) + total(-a * (ONE - fees[s]) for s, a in sells.items())
        cost = total(a * (ONE + fees[s]) for s, a in buys.items())
        share = min(ONE, paid / cost) if cost else ONE
        legs = [RebalanceLeg(symbol, amount) for symbol, amount in sells.items()]
        for symbol, amount in buys.items():
            affordable = floor_to(amount * share, CENT)
            if affordable >= self._settings.min_order:
                legs.append(RebalanceLeg(symbol, affordable))
        return tuple(legs)


def reachable(targets: Mapping[str, Decimal], account: AccountView) -> dict[str, Decimal]:
    """The targets; an asset that cannot be traded against cash here stays cash."""
    cash = account.currency
    found = {cash: ZERO}
    for asset, percent in targets.items():
        tradable = asset == cash or account.mid(f"{asset}/{cash}") is not None
        key = asset if tradable else cash
        found[key] = found.get(key, ZERO) + percent
    return found


def values_by_asset(account: AccountView) -> dict[str, Decimal] | None:
    """Worth by asset in account currency, collateral as cash; None when a price is missing."""
    values = {account.currency: account.margin_used}
    for asset, amount in account.holdings.items():
        rate = ONE if asset == account.currency else account.rates.get(asset)
        if rate is None:
            if amount:
                return None
            continue
        values[asset] = values.get(asset, ZERO) + amount * rate
    return values
