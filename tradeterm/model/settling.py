"""Who may settle a conflict, by the settings."""

from __future__ import annotations

from enum import StrEnum


class Settle(StrEnum):
    """Who settles a kind of conflict; from most to least careful."""

    BLOCK = "block"
    """Nobody: it ends the proposal."""
    RULE = "rule"
    """The rule arbiter, whatever models there are."""
    LLM = "llm"
    """The role's models, where there are any."""
