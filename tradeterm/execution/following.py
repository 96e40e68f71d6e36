"""How the stop of the only position follows a run of bars: found beforehand, then put down.

A bar that only moves a stop decides nothing else: no order fires, no margin is judged. So what it
does can be told from its figures, bar after bar, before any of it happens; ``execution.on_market``
would do exactly that (``tests/engine/test_quiet.py`` compares both).
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from math import inf
from typing import Final

from msgspec.structs import replace

from tradeterm.execution.guards import Band, Guards
from tradeterm.execution.paper import PaperExchange
from tradeterm.execution.protection import Protection
from tradeterm.execution.stops import StopRules
from tradeterm.model.money import exact
from tradeterm.model.orders import ApprovedOrder, ExecutionEvent, Position, PositionChanged
from tradeterm.model.vocabulary import ExitReason, PositionSide

#: As far as a float can be off: the line only says when to look.
_MARGIN: Final = 1e-9


class Following:
    """A stop on its way along a run of bars; nothing of it has happened yet."""

    __slots__ = ("_ahead", "_long", "_rules", "high", "low", "position", "steps")

    def __init__(self, position: Position, rules: StopRules, low: float, high: float) -> None:
        """Prices strictly between ``low`` and ``high`` concern nothing but the stop."""
        self.position = position
        self.steps: list[Position] = []
        """The position after each move of its stop; ``updated`` is the bar's stamp."""
        self.low, self.high = low, high
        self._rules = rules
        self._long = position.side is PositionSide.LONG
        self._ahead = inf
        self._stand()

    def _stand(self) -> None:
        """The stop is where ``position`` says: what lies behind it, and what moves it again."""
        position, stop = self.position, float(self.position.stop)
        line = self._rules.moves_from(position)
        if self._long:
            self.low = max(self.low, stop)
            self._ahead = inf if line is None else float(line) * (1 - _MARGIN)
        else:
            self.high = min(self.high, stop)
            self._ahead = -inf if line is None else float(line) * (1 + _MARGIN)

    def band(self, floor: float, ceiling: float) -> tuple[float, float]:
        """Strictly between the two, and inside ``floor`` and ``ceiling``, the stop stays."""
        if self._long:
            return max(floor, self.low), min(ceiling, self.high, self._ahead)
        return max(floor, self.low, self._ahead), min(ceiling, self.high)

    def clears(self, low: float, high: float) -> bool:
        """Whether a bar sets nothing off but the stop's next move."""
        return self.low < low and high < self.high

    def step(self, ts: int, low: float, high: float, close: float) -> bool:
        """Let a bar move the stop; False (and no change) when it sets something off."""
        if not self.clears(low, high):
            return False
        move = self._rules.move(self.position, exact(high if self._long else low))
        if move is None:
            return True
        level, kind = move
        if close <= float(level) if self._long else close >= float(level):
            return False  # it closed beyond where its own extreme has put the stop
        self.position = replace(self.position, stop=level, stop_kind=kind, updated=ts)
        self.steps.append(self.position)
        self._stand()
        return True


class Follower:
    """Begins followings, and makes their steps true."""

    def __init__(
        self, positions: MutableMapping[str, Position], guards: Guards, rules: StopRules,
        protection: Protection, venue: PaperExchange,
    ) -> None:  # fmt: skip
        self._positions = positions
        self._guards = guards
        self._rules = rules
        self._protection = protection
        self._venue = venue
        self._last: ApprovedOrder | None = None
        """The stop at the last step that came true, when the venue has not heard of it."""

    def begin(self, symbol: str) -> Following | None:
        """What lies before the stop of the only position; None when there is more to look at."""
        bands: Mapping[str, Band] = self._guards.bands
        if len(self._positions) != 1 or len(bands) != 1:
            return None  # with a rate that moves there are two bands
        (position,) = self._positions.values()
        band, (stop, _) = bands.get(symbol), self._protection.of(position.id)
        if position.symbol != symbol or band is None or stop is None:
            return None
        if position.stop_kind is ExitReason.LIQUIDATION:
            return None
        between = self._venue.between(stop.request)
        if between is None:
            return None
        low, high = between
        if position.side is PositionSide.LONG:
            low = max(low, band.low)
        else:
            high = min(high, band.high)
        return Following(position, self._rules, low, high)

    def moved(self, after: Position) -> list[ExecutionEvent]:
        """A step of a following comes true."""
        stop, _ = self._protection.of(after.id)
        assert stop is not None, "seen when the following began"
        self._positions[after.id] = after
        changed, self._last = self._protection.follow(stop, after)
        return [PositionChanged(after, "protected", stop.id), changed]

    def arrived(self, symbol: str, now: int) -> None:
        """After the last step: the venue holds the stop there, and the bands are those of it."""
        if self._last is not None:
            self._venue.amend(self._last, now)
            self._last = None
        self._guards.reband(symbol)
