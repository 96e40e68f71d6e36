"""How the stops of one side follow a run of bars: found beforehand, then put down.

A bar that only moves stops decides nothing else: no order fires, no margin is judged. So what it
does can be told from its figures, bar after bar, before any of it happens; ``execution.on_market``
would do exactly that (``tests/engine/test_quiet.py`` compares both).
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
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
    """Stops of one side on their way along a run of bars; nothing of it has happened yet."""

    __slots__ = ("_ahead", "_lines", "_long", "_rules", "high", "low", "positions", "steps")

    def __init__(
        self, positions: Sequence[Position], rules: StopRules, low: float, high: float
    ) -> None:
        """Prices strictly between ``low`` and ``high`` concern nothing but these stops."""
        self.positions = positions
        self.steps: list[Position] = []
        """A position after each move of its stop; ``updated`` is the bar's stamp."""
        self.low, self.high = low, high
        self._rules = rules
        self._long = positions[0].side is PositionSide.LONG
        self._lines = {position.id: self._stand(position) for position in positions}
        self._look()

    def _stand(self, position: Position) -> float:
        """A stop is where its position says: what lies behind it is off; what moves it again."""
        stop, line = float(position.stop), self._rules.moves_from(position)
        if self._long:
            self.low = max(self.low, stop)
            return inf if line is None else float(line) * (1 - _MARGIN)
        self.high = min(self.high, stop)
        return -inf if line is None else float(line) * (1 + _MARGIN)

    def _look(self) -> None:
        """Find the next line."""
        lines = self._lines.values()
        self._ahead = min(lines) if self._long else max(lines)

    def band(self, floor: float, ceiling: float) -> tuple[float, float]:
        """Strictly between the two, and inside ``floor`` and ``ceiling``, the stops stay."""
        if self._long:
            return max(floor, self.low), min(ceiling, self.high, self._ahead)
        return max(floor, self.low, self._ahead), min(ceiling, self.high)

    def clears(self, low: float, high: float) -> bool:
        """Whether a bar sets nothing off but the stops' next moves."""
        return self.low < low and high < self.high

    def step(self, ts: int, low: float, high: float, close: float) -> bool:
        """Let a bar move the stops; False (and no change) when it sets something off."""
        if not self.clears(low, high):
            return False
        best, after = exact(high if self._long else low), list(self.positions)
        for at, position in enumerate(after):
            move = self._rules.move(position, best)
            if move is None:
                continue
            level, kind = move
            if close <= float(level) if self._long else close >= float(level):
                return False  # it closed beyond where its own extreme has put the stop
            after[at] = replace(position, stop=level, stop_kind=kind, updated=ts)
        for position, before in zip(after, self.positions, strict=True):
            if position is not before:
                self.steps.append(position)
                self._lines[position.id] = self._stand(position)
        self.positions = after
        self._look()
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
        self._last: dict[str, ApprovedOrder] = {}
        """By position: the stop at the last step that came true; the venue has not heard of it."""

    def begin(self, symbol: str) -> Following | None:
        """What lies before the stops of all positions; None when there is more to look at."""
        bands: Mapping[str, Band] = self._guards.bands
        positions, band = tuple(self._positions.values()), bands.get(symbol)
        if band is None or len(bands) != 1:
            return None  # with a rate that moves there are two bands
        stops = [self._protection.of(position.id)[0] for position in positions]
        requests = [stop.request for stop in stops if stop is not None]
        side = positions[0].side
        if len(requests) != len(positions) or any(
            one.side is not side or one.stop_kind is ExitReason.LIQUIDATION for one in positions
        ):
            return None
        between = self._venue.between(symbol, requests)
        if between is None:
            return None
        low, high = between
        if side is PositionSide.LONG:
            low = max(low, band.low)
        else:
            high = min(high, band.high)
        return Following(positions, self._rules, low, high)

    def moved(self, after: Position) -> list[ExecutionEvent]:
        """A step of a following comes true."""
        stop, _ = self._protection.of(after.id)
        assert stop is not None, "seen when the following began"
        self._positions[after.id] = after
        changed, self._last[after.id] = self._protection.follow(stop, after)
        return [PositionChanged(after, "protected", stop.id), changed]

    def arrived(self, symbol: str, now: int) -> None:
        """After the last step: the venue holds the stops there, and the bands are those of it."""
        for approved in self._last.values():
            self._venue.amend(approved, now)
        self._last.clear()
        self._guards.reband(symbol)
