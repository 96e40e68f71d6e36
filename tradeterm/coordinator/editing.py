"""What an operator may change of an order on a card: only what makes it more careful."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from tradeterm.model.commands import EditCard
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, plain
from tradeterm.model.proposals import TradeIntent

#: (what is on the card, what was asked for) → why not; empty when it may be.
Check = Callable[[TradeIntent, Decimal], str]


def edited(intent: TradeIntent, edit: EditCard, instrument: Instrument) -> tuple[TradeIntent, str]:
    """The order after ``edit`` on the venue's grid, or why it may not be: nothing is raised."""
    size = None if edit.size is None else instrument.size(edit.size)
    stop = None if edit.stop is None else instrument.price(edit.stop)
    wishes: tuple[tuple[Decimal | None, Check], ...] = (
        (size, _size), (edit.leverage, _leverage), (stop, _stop),
    )  # fmt: skip
    for wish, check in wishes:
        if wish is not None and (refusal := check(intent, wish)):
            return intent, refusal
    wanted = replace(
        intent,
        size=intent.size if size is None else size,
        leverage=intent.leverage if edit.leverage is None else edit.leverage,
        stop=intent.stop if stop is None else stop,
    )
    if wanted.content_hash() == intent.content_hash():
        return intent, "nothing of it would change"
    return wanted, ""


def _size(intent: TradeIntent, size: Decimal) -> str:
    if not size.is_finite() or size <= 0:
        return f"size {size:f} is less than a lot: refuse the card instead"
    if size > intent.size:
        return f"size {plain(size)} is more than {plain(intent.size)}: an edit may only lower it"
    return ""


def _leverage(intent: TradeIntent, leverage: Decimal) -> str:
    if not leverage.is_finite() or leverage < ONE:
        return f"leverage {leverage:f} is below 1"
    if leverage > intent.leverage:
        there = plain(intent.leverage)
        return f"leverage {plain(leverage)} is more than {there}: an edit may only lower it"
    return ""


def _stop(intent: TradeIntent, stop: Decimal) -> str:
    if not stop.is_finite() or stop <= 0 or (intent.entry - stop) * intent.side.sign <= 0:
        return f"a stop at {stop:f} is on the wrong side of the entry {plain(intent.entry)}"
    if intent.stop is not None and (stop - intent.stop) * intent.side.sign < 0:
        there = plain(intent.stop)
        return f"a stop at {plain(stop)} is farther away than {there}: an edit may only tighten it"
    return ""
