"""How careful the system must be, given what has been failing, and what each level allows."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tradeterm.model.vocabulary import Level
from tradeterm.settings.orchestration import DegradationSettings

LEVELS = (Level.NORMAL, Level.REDUCED, Level.LIMITED, Level.EMERGENCY)
#: The hold that is the operator's own wish.
OPERATOR = "operator"


class Source(StrEnum):
    """Whose failures are counted, each for itself: one's successes say nothing about the other."""

    LLM = "llm"
    API = "api"


class Permission(StrEnum):
    """What a level may still allow. Exits and stops need no permission: they always work."""

    SENTIMENT = "sentiment"
    MODEL_FAN_OUT = "model_fan_out"
    LLM = "llm"
    LLM_FOR_REGIME = "llm_for_regime"
    NEW_EXPOSURE = "new_exposure"


#: DESIGN §6, "permission table".
PERMITTED: dict[Level, frozenset[Permission]] = {
    Level.NORMAL: frozenset(Permission),
    Level.REDUCED: frozenset({Permission.LLM, Permission.LLM_FOR_REGIME, Permission.NEW_EXPOSURE}),
    Level.LIMITED: frozenset({Permission.LLM_FOR_REGIME, Permission.NEW_EXPOSURE}),
    Level.EMERGENCY: frozenset(),
}


class Count(msgspec.Struct):
    """A row of failures, or of successes after them."""

    level: Level = Level.NORMAL
    """What it stands for by itself."""
    failures: int = 0
    successes: int = 0
    last: str = ""
    """What failed last."""


class Cause(msgspec.Struct, frozen=True):
    """One reason for a level below NORMAL, and what ends it."""

    text: str
    level: Level
    recovers: str


class DegradationState(msgspec.Struct):
    """For a snapshot."""

    counts: dict[str, Count]
    held: dict[str, Level]
    ends: dict[str, str]


class Degradation:
    """Level from consecutive failures, plus conditions that hold it down while they last."""

    def __init__(self, settings: DegradationSettings) -> None:
        """NORMAL."""
        self._settings = settings
        self._counts = {source: Count() for source in Source}
        self._held: dict[str, Level] = {}
        self._ends: dict[str, str] = {}
        """Cause → what ends it, where ``hold`` said so."""
        self.level = Level.NORMAL
        """The most careful of counters and conditions."""

    def _reached(self) -> Level:
        """Something changed: the level that follows."""
        counted = (one.level for one in self._counts.values())
        self.level = max((*counted, *self._held.values()), key=LEVELS.index)
        return self.level

    @property
    def cause(self) -> str:
        """Why it is not NORMAL, in words."""
        return ", ".join(one.text for one in self.causes())

    def causes(self) -> tuple[Cause, ...]:
        """Every reason, and when it ends."""
        held = [
            Cause(text, level, self._ends.get(text) or "when that has ended")
            for text, level in self._held.items()
        ]
        counted = [
            Cause(f"{one.last} ({one.failures} failures)", one.level, self._recovery(source, one))
            for source, one in self._counts.items()
            if one.level is not Level.NORMAL
        ]
        return (*held, *counted)

    def _recovery(self, source: Source, count: Count) -> str:
        left = self._settings.successes - count.successes
        what = "valid answers" if source is Source.LLM else "looks at a market that flows"
        return f"one level after {left} {what} in a row; one every {self._settings.probe} s"

    # -- counted -------------------------------------------------------------------------------

    def failed(self, cause: str, source: Source = Source.LLM) -> Level:
        """A request ended without a valid answer after all tries; or the feed's link broke."""
        count = self._counts[source]
        count.failures += 1
        count.successes = 0
        count.last = cause
        reached = sum(count.failures >= limit for limit in self._settings.failures)
        count.level = max(count.level, LEVELS[reached], key=LEVELS.index)
        return self._reached()

    def succeeded(self, source: Source = Source.LLM) -> Level:
        """A request got a valid answer; enough of them in a row recover one level."""
        count = self._counts[source]
        count.successes += 1
        if count.level is Level.NORMAL:
            count.failures = 0
            return self.level
        if count.successes >= self._settings.successes:
            count.level = LEVELS[LEVELS.index(count.level) - 1]
            count.successes = 0
        self._restart(count)
        return self._reached()

    def _restart(self, count: Count) -> None:
        """The next failure is counted from where the level stands."""
        count.failures = (0, *self._settings.failures)[LEVELS.index(count.level)]

    def is_lowered(self, source: Source) -> bool:
        """Whether its failures lowered the level: only its successes bring it back."""
        return self._counts[source].level is not Level.NORMAL

    # -- held ----------------------------------------------------------------------------------

    def hold(self, cause: str, level: Level, ends: str = "") -> Level:
        """Be at least this careful while ``cause`` lasts (stale data, an unwritable journal).

        ``ends``: what has to happen, in words.
        """
        if level is Level.NORMAL:
            return self.release(cause)
        self._held[cause] = level
        if ends:
            self._ends[cause] = ends
        return self._reached()

    def release(self, cause: str) -> Level:
        """``cause`` has ended."""
        if cause not in self._held:
            return self.level
        del self._held[cause]
        self._ends.pop(cause, None)
        return self._reached()

    def wish(self, level: Level) -> Level:
        """The operator's: at least this careful; what failures did beyond it is forgiven.

        Conditions that last are no matter of opinion: they go on holding.
        """
        self.release(OPERATOR)
        if level is not Level.NORMAL:
            self.hold(OPERATOR, level, "when you loosen it")
        for count in self._counts.values():
            count.level = min(count.level, level, key=LEVELS.index)
            count.successes = 0
            self._restart(count)
        return self._reached()

    @property
    def holds(self) -> bool:
        """Whether any cause is on record."""
        return bool(self._held)

    def permits(self, permission: Permission) -> bool:
        """Whether the present level allows it."""
        return permission in PERMITTED[self.level]

    # -- snapshot ------------------------------------------------------------------------------

    def dump(self) -> DegradationState:
        counts = {source.value: msgspec.structs.replace(c) for source, c in self._counts.items()}
        return DegradationState(counts, dict(self._held), dict(self._ends))

    def load(self, state: DegradationState) -> None:
        self._counts = {
            source: msgspec.structs.replace(state.counts[source.value]) for source in Source
        }
        self._held, self._ends = dict(state.held), dict(state.ends)
        self._reached()
