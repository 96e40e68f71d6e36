"""The portfolio as the screen and ``tradeterm portfolio`` show it: allocation, plans, earnings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tradeterm.agents.rebalance import reachable, values_by_asset
from tradeterm.engine.engine import Engine
from tradeterm.engine.reconciliation import told
from tradeterm.engine.view import (
    AllocationLine,
    BagView,
    DifferenceView,
    EarningsView,
    HeadroomView,
    PlanLegView,
    PlanView,
    PortfolioView,
    TierView,
    cents,
)
from tradeterm.model.account import EXTERNAL, HODL, LLM, AccountView
from tradeterm.model.money import ZERO, plain, total
from tradeterm.model.orders import Position
from tradeterm.model.timing import iso
from tradeterm.model.vocabulary import Purpose
from tradeterm.portfolio.plans import Plan


def portfolio_view(engine: Engine, account: AccountView) -> PortfolioView:
    """Reads only."""
    return PortfolioView(
        allocation=_allocation(engine, account),
        threshold=float(engine.core.settings.portfolio.rebalance_threshold),
        bags=_bags(engine, account),
        plans=_plans(engine),
        earnings=earnings(engine, account),
        tier=_tier(engine),
        headroom=tuple(
            HeadroomView(room.name, room.left, room.limit)
            for room in engine.books.execution.headroom(engine.now).rooms
        ),
        differences=tuple(
            DifferenceView(each.id, each.ts, told(each), each.symbol)
            for each in engine.reconciliation.open.values()
        ),
    )


def _allocation(engine: Engine, account: AccountView) -> tuple[AllocationLine, ...]:
    values = values_by_asset(account)
    if values is None:
        return ()
    whole = total(values.values())
    targets = reachable(engine.core.settings.portfolio.targets, account)
    return tuple(
        AllocationLine(
            asset,
            values.get(asset, ZERO),
            float(100 * values.get(asset, ZERO) / whole) if whole > 0 else 0.0,
            float(targets.get(asset, ZERO)),
        )
        for asset in sorted({*values, *targets})
    )


def _bags(engine: Engine, account: AccountView) -> tuple[BagView, ...]:
    portfolio = engine.books.portfolio
    held, waiting = portfolio.ledger.account(HODL), portfolio.earmarks.amounts()
    return tuple(
        BagView(
            asset,
            held.get(asset, ZERO),
            _worth(held.get(asset, ZERO), asset, account),
            waiting.get(asset, ZERO),
        )
        for asset in dict.fromkeys((*engine.core.settings.portfolio.hodl.split, *held))
    )


def _worth(amount: Decimal, asset: str, account: AccountView) -> Decimal | None:
    rate = account.rates.get(asset)
    return ZERO if not amount else None if rate is None else amount * rate


def _plans(engine: Engine) -> tuple[PlanView, ...]:
    plans = engine.trading.rebalancing.plans
    current = plans.current
    going = () if current is None or current.purpose is not Purpose.DCA else (current,)
    return tuple(_plan(plan) for plan in (*going, *reversed(plans.ended)))


def _plan(plan: Plan) -> PlanView:
    return PlanView(
        id=plan.id,
        status=plan.status.value,
        reason=plan.reason,
        created=plan.created,
        batch=plan.batch,
        batches=plan.batches,
        next_due=None if plan.status.is_terminal else plan.following,
        expires=plan.expires,
        legs=tuple(
            PlanLegView(
                leg.symbol, leg.side.value, leg.amount, leg.filled, leg.size, leg.failures,
                leg.reason,
            )
            for leg in plan.legs
        ),
    )  # fmt: skip


def _tier(engine: Engine) -> TierView:
    fees, now = engine.books.execution.fees, engine.now
    tier = fees.tier(now)
    steps = (step.volume for step in engine.core.settings.market.fees.tiers)
    following = next((volume for volume in steps if volume > tier.volume), None)
    return TierView(tier.maker, tier.taker, fees.volume(now), following)


def earnings(engine: Engine, account: AccountView) -> EarningsView:
    """Everything owned, less what came from outside, is what prices and costs have left.

    So the parts add up whatever was traded; assets without a price count as nothing.
    """
    portfolio, rates = engine.books.portfolio, account.rates

    def worth(assets: dict[str, Decimal]) -> Decimal:
        return total(amount * rates.get(asset, ZERO) for asset, amount in assets.items())

    ledger = portfolio.ledger
    llm = worth(ledger.account(LLM))
    brought = -worth(ledger.account(EXTERNAL)) - llm
    owned = account.equity + worth(ledger.account(HODL))
    carry = engine.core.counters.carry + total(p.carry for p in account.positions)
    fees = worth(portfolio.fees()) - carry
    return EarningsView(owned - brought + fees + carry, fees, carry, llm)


def portfolio_facts(engine: Engine) -> dict[str, Any]:
    """What ``tradeterm portfolio`` prints: money as decimal strings, times as ISO-8601 UTC."""
    account = engine.books.account()
    view = portfolio_view(engine, account)
    won = view.earnings
    return {
        "market_time": iso(engine.now),
        "currency": account.currency,
        "equity": plain(account.equity),
        "free": plain(account.free),
        "allocation": [
            {
                "asset": line.asset,
                "value": _cents(line.value),
                "weight": round(line.weight, 2),
                "target": round(line.target, 2),
                "off": round(line.weight - line.target, 2),
            }
            for line in view.allocation
        ],
        "hodl": [
            {
                "asset": bag.asset,
                "amount": plain(bag.amount),
                "worth": None if bag.worth is None else _cents(bag.worth),
                "earmarked": plain(bag.earmarked),
            }
            for bag in view.bags
        ],
        "plans": [_plan_facts(plan) for plan in view.plans],
        "profit": {
            name: _cents(getattr(won, name)) for name in ("price", "fees", "carry", "llm", "net")
        },
        "positions": [_position_facts(engine, p, account) for p in account.positions],
        "fee_tier": None if view.tier is None else _tier_facts(view.tier),
        "rate_limits": [
            {"name": room.name, "left": room.left, "of": room.of} for room in view.headroom
        ],
        "differences": [
            {"id": each.id, "ts": iso(each.ts), "symbol": each.symbol, "text": each.text}
            for each in view.differences
        ],
    }


def _plan_facts(plan: PlanView) -> dict[str, Any]:
    return {
        "id": plan.id,
        "status": plan.status,
        "reason": plan.reason,
        "batch": plan.batch,
        "batches": plan.batches,
        "next": None if plan.next_due is None else iso(plan.next_due),
        "filled": _cents(plan.filled),
        "amount": _cents(plan.amount),
        "legs": [
            {
                "symbol": leg.symbol,
                "side": leg.side,
                "filled": _cents(leg.filled),
                "amount": _cents(leg.amount),
                "reason": leg.reason,
            }
            for leg in plan.legs
        ],
    }


def _position_facts(engine: Engine, position: Position, account: AccountView) -> dict[str, Any]:
    price = cents(position.realised) + cents(engine.books.unrealised(position, account))
    fees, carry = cents(position.fees), cents(position.carry)
    return {
        "id": position.id,
        "symbol": position.symbol,
        "side": position.side.value,
        "price": _cents(price),
        "fees": _cents(fees),
        "carry": _cents(carry),
        "net": _cents(price - fees - carry),
    }


def _tier_facts(tier: TierView) -> dict[str, Any]:
    return {
        "maker": plain(tier.maker),
        "taker": plain(tier.taker),
        "volume": _cents(tier.volume),
        "next_volume": None if tier.next_volume is None else plain(tier.next_volume),
    }


def _cents(amount: Decimal) -> str:
    return plain(cents(amount))
