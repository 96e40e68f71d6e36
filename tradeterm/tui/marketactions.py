"""The actions on the market's pace."""

from __future__ import annotations

from typing import Final

from tradeterm.tui import moments
from tradeterm.tui.action import Action, Tier

_T = Tier
MARKET: Final = (
    Action(
        "market",
        ("space",),
        "Market",
        "Stop or start the market (SIM and REPLAY); LIVE: freeze the picture, the market goes on",
        _T.VIEW,
        moments.stoppable,
        "Market",
        5,
    ),
    Action(
        "faster",
        ("plus", "equals_sign"),
        "",
        "Market faster: 1, 2, 5, 10, 30, 60 … 1800, max",
        _T.VIEW,
        moments.paced,
        "Market",
    ),
    Action("slower", ("minus",), "", "Market slower", _T.VIEW, moments.paced, "Market"),
    Action(
        "step_event",
        ("apostrophe",),
        "",
        "One event of the market on, and stand there",
        _T.VIEW,
        moments.steppable,
        "Market",
    ),
    Action(
        "step_second",
        ("right_parenthesis",),
        "",
        "One second of the market on",
        _T.VIEW,
        moments.steppable,
        "Market",
    ),
    Action(
        "step_bar",
        ("right_curly_bracket",),
        "",
        "To the close of the next bar of the chart's timeframe",
        _T.VIEW,
        moments.steppable,
        "Market",
    ),
    Action(
        "jump_conflict",
        ("number_sign",),
        "",
        "To the next conflict at full speed, and stand there; esc or space stops on the way",
        _T.VIEW,
        moments.jumpable,
        "Market",
    ),
    Action(
        "jump_fill",
        ("dollar_sign",),
        "",
        "To the next fill at full speed, and stand there",
        _T.VIEW,
        moments.jumpable,
        "Market",
    ),
    Action(
        "jump_warning",
        ("asterisk",),
        "",
        "To the next warning, or worse, at full speed, and stand there",
        _T.VIEW,
        moments.jumpable,
        "Market",
    ),
)
