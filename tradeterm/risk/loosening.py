"""Whether a stop may move away from the market: the rules an entry's stop has to fit, again."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.orders import Position
from tradeterm.model.vocabulary import RunState
from tradeterm.settings.risk import RiskSettings

HUNDRED = Decimal(100)


def refusal_to_loosen(
    position: Position, stop: Decimal, account: AccountView, instrument: Instrument,
    settings: RiskSettings,
) -> str:  # fmt: skip
    """Why not, or an empty string. Distance and risk are measured from the entry price."""
    if account.state is RunState.HALTED:
        return "halted: a stop may only be tightened"
    limit = settings.limit("max_stop", position.symbol)
    loss = (position.entry - stop) * position.side.sign
    distance = loss * HUNDRED / position.entry
    if not distance <= limit:
        return f"the stop would be {distance:.2f} % from the entry; risk allows {limit:f} %"
    rate = account.rates.get(instrument.quote)
    if rate is None:
        return f"no rate for {instrument.quote}: what would be lost is unknown"
    fees = instrument.taker_fee * (position.entry + stop)
    risk = (loss + fees) * position.size * rate
    allowed = account.equity * settings.limit("max_risk", position.symbol) / HUNDRED
    if not (allowed.is_finite() and risk <= allowed):
        return f"{risk:.2f} {account.currency} would be lost there; risk allows {allowed:.2f}"
    return ""
