"""Keys held down must not act twice; keys typed before something was readable must not act."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from tradeterm.engine.cardview import CardView


@dataclass(slots=True)
class RepeatGuard:
    """Ignores an identical action within ``window`` seconds; holding the key keeps it ignored."""

    window: float
    _last: dict[str, float] = field(default_factory=dict)

    def repeated(self, what: str, now: float) -> bool:
        """Whether ``what`` came just before; notes it in any case."""
        before = self._last.get(what)
        self._last[what] = now
        return before is not None and now - before < self.window


@dataclass(slots=True)
class BurstGuard:
    """Tells a paste that arrives as keys from an operator: nobody types this fast."""

    window: float = 0.2
    keys: int = 8
    """That many within ``window`` seconds: forty a second, more than a held key repeats."""
    _times: deque[float] = field(default_factory=deque)

    def note(self, now: float) -> None:
        """A key came."""
        self._times.append(now)
        while len(self._times) > self.keys:
            self._times.popleft()

    def pasted(self, now: float) -> bool:
        """Whether the last keys came too fast to be meant."""
        return len(self._times) == self.keys and now - self._times[0] < self.window


@dataclass(frozen=True, slots=True)
class Question:
    """An approval being asked: exactly this card, as it was when it was shown."""

    card: CardView
    asked: float
    """Monotonic seconds."""
    timeout: float
    arm_delay: float
    risk: Future[dict[str, Any]] | None = None
    """What risk says to the order at the prices of now, once it has; None: it need not be asked."""

    @property
    def refusal(self) -> str:
        """Why risk would not let the order through now; empty while nothing stands in the way."""
        if self.risk is None or not self.risk.done() or self.risk.exception() is not None:
            return ""
        return str(self.risk.result().get("refusal", ""))

    def armed(self, now: float) -> bool:
        """Whether a ``y`` counts yet."""
        return now - self.asked >= self.arm_delay

    def left(self, now: float) -> float:
        """Seconds until it becomes No."""
        return max(0.0, self.asked + self.timeout - now)

    def withdrawn(self, cards: tuple[CardView, ...]) -> str:
        """Why it can no longer be answered; empty while it can."""
        for card in cards:
            if card.id == self.card.id:
                if card.state != "pending":
                    return f"{number(card.id)} is {card.state}" + (
                        f": {card.reason}" if card.reason else ""
                    )
                if card.content_hash != self.card.content_hash:
                    return f"{number(card.id)} changed since it was shown: look again"
                return ""
        return f"{number(self.card.id)} is gone"


def number(card_id: str) -> str:
    """``card-17`` → ``#17``."""
    return "#" + card_id.rpartition("-")[2]
