"""Builds what the screen shows of the degradation level. Reads only."""

from __future__ import annotations

from typing import Final

from tradeterm.coordinator.degradation import Permission
from tradeterm.engine.engine import Engine
from tradeterm.engine.levelview import CauseView, DrillView, LevelView, PermitView

WORDS: Final = {
    Permission.SENTIMENT: "sentiment",
    Permission.MODEL_FAN_OUT: "model fan-out",
    Permission.LLM: "models",
    Permission.LLM_FOR_REGIME: "models on regimes",
    Permission.NEW_EXPOSURE: "new exposure",
}


def level_view(engine: Engine) -> LevelView:
    """Causes, permissions, drills."""
    coordinator = engine.trading.coordinator
    degradation = coordinator.degradation
    permits = tuple(PermitView(words, degradation.permits(one)) for one, words in WORDS.items())
    return LevelView(
        causes=tuple(
            CauseView(one.text, one.level.value, one.recovers) for one in degradation.causes()
        ),
        permits=(*permits, PermitView("exits and stops", True)),
        drills=tuple(
            DrillView(drill.value, until) for drill, until in engine.drilling.running().items()
        ),
        undoable=coordinator.can_undo(engine.now),
    )
