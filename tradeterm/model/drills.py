"""Failures that can be rehearsed."""

from __future__ import annotations

from enum import StrEnum


class Drill(StrEnum):
    """Failures that can be rehearsed in a simulated market."""

    LLM_OUTAGE = "llm-outage"
    """Nobody answers."""
    LLM_GARBAGE = "llm-garbage"
    """Answers that are none."""
    STALE_DATA = "stale-data"
    """The market falls silent."""
    API_ERRORS = "api-errors"
    """The exchange's link breaks again and again."""
    JOURNAL_STALL = "journal-stall"
    """The book of record cannot be written."""
    CLOCK_SKEW = "clock-skew"
    """Our clock and the exchange's disagree."""
    BUDGET = "budget"
    """What models may cost today is spent."""
