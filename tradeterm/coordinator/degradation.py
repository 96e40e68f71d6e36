"""How careful the system must be, given what has been failing, and what each level allows."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tradeterm.model.vocabulary import Level
from tradeterm.settings.orchestration import DegradationSettings

LEVELS = (Level.NORMAL, Level.REDUCED, Level.LIMITED, Level.EMERGENCY)


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


class DegradationState(msgspec.Struct):
    """For a snapshot."""

    counted: Level
    failures: int
    successes: int
    last_failure: str
    held: dict[str, Level]


class Degradation:
    """Level from consecutive failures, plus conditions that hold it down while they last."""

    def __init__(self, settings: DegradationSettings) -> None:
        """NORMAL."""
        self._settings = settings
        self._counted = 0
        """Index into LEVELS that the counters stand for."""
        self._failures = 0
        self._successes = 0
        self._last_failure = ""
        self._held: dict[str, Level] = {}

    @property
    def level(self) -> Level:
        """The most careful of counters and conditions."""
        return LEVELS[max([self._counted, *(LEVELS.index(lv) for lv in self._held.values())])]

    @property
    def cause(self) -> str:
        """Why it is not NORMAL, in words."""
        causes = list(self._held)
        if self._counted:
            causes.append(f"{self._last_failure} ({self._failures} failures)")
        return ", ".join(causes)

    def failed(self, cause: str) -> Level:
        """A request ended without a valid answer after all tries."""
        self._failures += 1
        self._successes = 0
        self._last_failure = cause
        reached = sum(self._failures >= limit for limit in self._settings.failures)
        self._counted = max(self._counted, reached)
        return self.level

    def succeeded(self) -> Level:
        """A request got a valid answer; enough of them in a row recover one level."""
        self._successes += 1
        if self._counted and self._successes >= self._settings.successes:
            self._counted -= 1
            self._successes = 0
        self._failures = (0, *self._settings.failures)[self._counted]
        return self.level

    def hold(self, cause: str, level: Level) -> Level:
        """Be at least this careful while ``cause`` lasts (stale data, an unwritable journal)."""
        self._held[cause] = level
        return self.level

    def release(self, cause: str) -> Level:
        """``cause`` has ended."""
        self._held.pop(cause, None)
        return self.level

    @property
    def is_lowered(self) -> bool:
        """Whether failures lowered it: only successes bring it back."""
        return self._counted > 0

    @property
    def holds(self) -> bool:
        """Whether any cause is on record."""
        return bool(self._held)

    def permits(self, permission: Permission) -> bool:
        """Whether the present level allows it."""
        return permission in PERMITTED[self.level]

    def dump(self) -> DegradationState:
        return DegradationState(
            LEVELS[self._counted],
            self._failures,
            self._successes,
            self._last_failure,
            dict(self._held),
        )

    def load(self, state: DegradationState) -> None:
        self._counted = LEVELS.index(state.counted)
        self._failures, self._successes = state.failures, state.successes
        self._last_failure = state.last_failure
        self._held = dict(state.held)
