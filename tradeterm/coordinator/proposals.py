"""From a trading decision to a proposal: what exactly would be opened or closed.

Netting, stated once. Positions of one symbol are never hedged:
- BUY opens a long and SELL a short, beside positions of the same side as far as risk's limits go
  (2 per symbol, 5 in all, orders counted that are pending or whose fate is unknown).
- A BUY beside a short (a SELL beside a long) first closes every position of that side. The other
  side is opened by a new proposal with its own verdict, once the close has filled.
- CLOSE_LONG and CLOSE_SHORT close what is open on that side and never open anything.
- Every close is reduce-only: all closes of a position together never ask for more than it has, and
  where a stop was faster the venue fills only what is left.
"""

from __future__ import annotations

from collections.abc import Sequence

from tradeterm.coordinator.consensus import boosted, consensus
from tradeterm.coordinator.evidence import Evidence
from tradeterm.model.account import AccountView
from tradeterm.model.orders import Position
from tradeterm.model.outputs import Published, TradeSignal
from tradeterm.model.proposals import Proposal, TradeIntent
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Action, PositionSide
from tradeterm.settings.orchestration import OrchestrationSettings

_OPENS = {Action.BUY: PositionSide.LONG, Action.SELL: PositionSide.SHORT}
_CLOSES = {Action.CLOSE_LONG: PositionSide.LONG, Action.CLOSE_SHORT: PositionSide.SHORT}


def propose(
    published: Published,
    evidence: Evidence,
    account: AccountView,
    settings: OrchestrationSettings,
    proposal_id: str,
    now: int,
) -> Proposal:
    """The proposal of a signal that asks for something (see ``wants``).

    A signal against an open position closes it and opens nothing: the other side is opened by a
    new proposal, once the close has filled.
    """
    signal = _signal(published)
    side = _OPENS.get(signal.action)
    close_ids = tuple(p.id for p in to_close(signal, account.positions))
    leaning = side or _opposite(_CLOSES[signal.action])
    found = consensus(leaning, evidence)
    intent = None
    if side is not None and not close_ids:
        intent = TradeIntent(
            signal.symbol,
            side,
            signal.size,
            signal.entry,
            signal.stop,
            signal.target,
            signal.leverage,
            boosted(signal.confidence, found.multiplier, settings.confidence_cap),
        )
    return Proposal(
        id=proposal_id,
        ts=now,
        expires=now + settings.conflicts.wait_ttl * SECOND,
        parent=published.id,
        inputs=published.inputs,
        agent=published.agent,
        intent=intent,
        symbol=signal.symbol,
        close_ids=close_ids,
        consensus=found,
        reopens=side is not None and bool(close_ids),
    )


def wants(published: Published, account: AccountView) -> bool:
    """Whether the signal asks for anything: not HOLD, nor a close of what is not open."""
    signal = _signal(published)
    if signal.action in _CLOSES:
        return bool(to_close(signal, account.positions))
    return signal.action in _OPENS


def to_close(signal: TradeSignal, positions: Sequence[Position]) -> list[Position]:
    """The open positions the signal closes: named ones, or those it runs against."""
    side = _CLOSES.get(signal.action)
    if side is None and signal.action in _OPENS:
        side = _opposite(_OPENS[signal.action])
    return [p for p in positions if p.symbol == signal.symbol and p.side is side]


def _signal(published: Published) -> TradeSignal:
    signal = published.output
    assert isinstance(signal, TradeSignal)
    return signal


def _opposite(side: PositionSide) -> PositionSide:
    return PositionSide.SHORT if side is PositionSide.LONG else PositionSide.LONG
