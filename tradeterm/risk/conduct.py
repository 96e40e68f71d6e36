"""What was done lately: entries sent, losses taken, and how long they keep the next entry waiting."""

from __future__ import annotations

from collections import deque

import msgspec

from tradeterm.model.orders import OrderRequest, Position
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.vocabulary import Purpose, Side
from tradeterm.risk.facts import Standing
from tradeterm.settings.risk import RiskSettings

TRADE, LOSS, LOSSES, REBALANCE = "trade", "loss", "losses in a row", "rebalance"


class ConductState(msgspec.Struct, frozen=True):
    """Conduct, written down."""

    until: dict[str, int]
    entries: list[int]
    messages: list[int]
    same: dict[str, int]
    halved: bool


class Conduct:
    """Cool-downs that only ever lengthen, and the stamps of what was sent in the last minute."""

    def __init__(self, settings: RiskSettings) -> None:
        self._settings = settings
        self._until: dict[str, int] = {}
        """``cause`` or ``cause symbol`` → end (ns of market time)."""
        self._entries: deque[int] = deque(maxlen=settings.throttle.entries_per_minute + 1)
        self._messages: deque[int] = deque(maxlen=settings.throttle.messages_per_minute + 1)
        self._same: dict[str, int] = {}
        """``side symbol`` → when it was last entered."""
        self._names: dict[str, tuple[tuple[tuple[str, str], ...], str, str]] = {}
        """Symbol → (cool-downs and their causes; its long and its short entries in ``_same``)."""
        self.halved = False
        """The next entry is half as large."""

    def follow(self, settings: RiskSettings) -> None:
        """Other limits from here on; what was sent and what was begun stays."""
        self._settings = settings
        self._entries = deque(self._entries, settings.throttle.entries_per_minute + 1)
        self._messages = deque(self._messages, settings.throttle.messages_per_minute + 1)

    # -- what happens --------------------------------------------------------------------------

    def sent(self, request: OrderRequest, now: int) -> None:
        """An order leaves."""
        self._messages.append(now)
        if request.purpose is Purpose.ENTRY:
            self._entries.append(now)
            self._same[f"{request.side} {request.symbol}"] = now
            self.halved = False

    def cancelled(self, now: int) -> None:
        """A cancel leaves."""
        self._messages.append(now)

    def entered(self, symbol: str, now: int) -> None:
        """A position opened or grew."""
        self._wait(f"{TRADE} {symbol}", now, self._settings.cooldown.trade)

    def settled(self, position: Position, streak: int, now: int) -> None:
        """A position closed; ``streak`` counts the losing trades in a row, this one included."""
        if position.pnl >= 0:
            return
        settings = self._settings
        self._wait(LOSS, now, settings.cooldown.loss)
        steps = [step.seconds for step in settings.streak_cooldown if streak >= step.at]
        self._wait(LOSSES, now, max(steps, default=0))

    def rebalanced(self, now: int) -> None:
        """Spot orders towards the targets were decided."""
        self._wait(REBALANCE, now, self._settings.cooldown.rebalance)

    def _wait(self, cause: str, now: int, seconds: int) -> None:
        """A later, shorter one never shortens a longer one."""
        until = now + seconds * SECOND
        if seconds and until > self._until.get(cause, 0):
            self._until[cause] = until

    # -- what follows --------------------------------------------------------------------------

    def until(self, cause: str) -> int:
        """When a cool-down ends (ns); 0 when it never began."""
        return self._until.get(cause, 0)

    def running(self, now: int) -> dict[str, int]:
        """Cool-downs that are not over, by cause (and symbol), with their ends."""
        return {cause: end for cause, end in self._until.items() if end > now}

    def standing(self, symbol: str, now: int, tripped: tuple[str, ...] = ()) -> Standing:
        """What bears on the next entry of a symbol."""
        until, same = self._until, self._same
        names = self._names.get(symbol)
        if names is None:
            waits = ((TRADE, f"{TRADE} {symbol}"), (LOSS, LOSS), (LOSSES, LOSSES))
            names = (waits, f"{Side.BUY} {symbol}", f"{Side.SELL} {symbol}")
            self._names[symbol] = names
        causes, long, short = names
        running = [(name, until[key]) for name, key in causes if until.get(key, 0) > now]
        return Standing(
            tuple(running),
            _recent(self._entries, now),
            _recent(self._messages, now),
            (_since(same.get(long), now), _since(same.get(short), now)),
            tripped,
            self.halved,
        )

    def dump(self) -> ConductState:
        """For a snapshot."""
        return ConductState(
            dict(self._until), list(self._entries), list(self._messages), dict(self._same),
            self.halved,
        )  # fmt: skip

    def load(self, state: ConductState) -> None:
        """Continue as the dumped one would."""
        self._until, self._same = dict(state.until), dict(state.same)
        self._entries = deque(state.entries, maxlen=self._entries.maxlen)
        self._messages = deque(state.messages, maxlen=self._messages.maxlen)
        self.halved = state.halved


def _recent(stamps: deque[int], now: int) -> int:
    since = now - MINUTE
    return sum([ts > since for ts in stamps]) if stamps and stamps[-1] > since else 0


def _since(ts: int | None, now: int) -> float | None:
    return None if ts is None else (now - ts) / SECOND
