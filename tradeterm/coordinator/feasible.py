"""What an arbiter may do to a trade: worked out before it is asked, told to it, and asked again of
its answer. What breaks the hard bounds makes an answer useless; what only raises risk is ignored.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

import msgspec

from tradeterm.model.money import ONE, ZERO, exact
from tradeterm.model.ports import ArbiterAnswer
from tradeterm.model.proposals import Proposal
from tradeterm.model.vocabulary import PositionSide

#: Hard bounds (DESIGN §6): no setting widens them.
LEAST_LEVERAGE, MOST_LEVERAGE = 1.0, 5.0
ENTRY_RANGE, LEAST_ENTRY = Decimal("0.5"), 0.0001
MOST: Final = 1.0


class Changes(msgspec.Struct, frozen=True):
    """What is left of an answer's wishes: risk lowered, never raised."""

    reduction: Decimal
    leverage: Decimal | None = None
    entry: Decimal | None = None
    ignored: str = ""
    """What was not followed, and why."""


class Feasible(msgspec.Struct, frozen=True):
    """The choices there are for one proposal; no figures where it only closes."""

    side: PositionSide | None
    leverage: Decimal | None
    """As proposed: it may only fall."""
    entry: Decimal | None
    """As proposed: a long's may only fall, a short's only rise."""

    @classmethod
    def of(cls, proposal: Proposal) -> Feasible:
        """For this proposal."""
        intent = proposal.intent
        if intent is None:
            return cls(None, None, None)
        return cls(intent.side, intent.leverage, intent.entry)

    def told(self) -> dict[str, Any]:
        """For whoever is asked: numbers only."""
        told: dict[str, Any] = {"size_reduction": [0, 1]}
        if self.leverage is not None and self.entry is not None:
            told["leverage"] = [1, float(self.leverage)]
            away = self.entry * ENTRY_RANGE
            least, most = self.entry - away, self.entry
            if self.side is PositionSide.SHORT:
                least, most = self.entry, self.entry + away
            told["entry"] = [float(least), float(most)]
        return told

    def flaw(self, answer: ArbiterAnswer) -> str:
        """Which hard bound an answer breaks; empty when none. Nothing is clamped."""
        for name, value, least, most in (
            ("confidence", answer.confidence, 0.0, MOST),
            ("size reduction", answer.size_reduction, 0.0, MOST),
            ("leverage", answer.leverage, LEAST_LEVERAGE, MOST_LEVERAGE),
        ):
            if value is not None and not least <= value <= most:
                return f"{name} {value} is outside {least:g}–{most:g}"
        return self._entry_flaw(answer.entry)

    def _entry_flaw(self, entry: float | None) -> str:
        if entry is None:
            return ""
        if not (math.isfinite(entry) and entry > LEAST_ENTRY):
            return f"entry {entry} is not above {LEAST_ENTRY}"
        if (
            self.entry is not None
            and not abs(exact(entry) - self.entry) <= self.entry * ENTRY_RANGE
        ):
            return f"entry {entry} is more than 50 % away from {self.entry}"
        return ""

    def taken(self, answer: ArbiterAnswer) -> Changes:
        """What of a flawless answer is followed."""
        reduction = exact(answer.size_reduction)
        if self.leverage is None or self.entry is None:  # a close is whole or not at all
            return Changes(ONE if reduction >= 1 else ZERO)
        leverage = None if answer.leverage is None else exact(answer.leverage)
        entry = None if answer.entry is None else exact(answer.entry)
        ignored = ""
        if leverage is not None and not leverage < self.leverage:
            if leverage > self.leverage:
                ignored += f" [leverage {leverage:f} ignored: it would raise risk]"
            leverage = None
        if entry is not None and not self._better(entry, self.entry):
            if entry != self.entry:
                ignored += f" [entry {entry:f} ignored: it is worse than {self.entry:f}]"
            entry = None
        return Changes(reduction, leverage, entry, ignored)

    def _better(self, entry: Decimal, before: Decimal) -> bool:
        return entry < before if self.side is PositionSide.LONG else entry > before
