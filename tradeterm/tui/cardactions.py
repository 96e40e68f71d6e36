"""The actions on cards, agents and the level."""

from __future__ import annotations

from typing import Final

from tradeterm.tui import moments
from tradeterm.tui.action import Action, Tier

_T = Tier
DECIDE: Final = (
    Action(
        "approve",
        ("a",),
        "Approve",
        "Ask about the selected card; then y sends exactly the order shown",
        _T.ASKS,
        moments.card_waits,
        "Decide",
        1,
    ),
    Action(
        "reject",
        ("r",),
        "Reject",
        "Refuse the selected card: no trade",
        _T.LOWERS,
        moments.card_waits,
        "Decide",
        2,
    ),
    Action(
        "reject_all",
        ("R",),
        "",
        "Refuse every pending card",
        _T.LOWERS,
        moments.cards_wait,
        "Decide",
    ),
    Action(
        "edit_card",
        ("E",),
        "Edit",
        "A more careful order on the selected card: 0.02 or 50% (size), x2, stop 64000; then approve it",
        _T.LOWERS,
        moments.order_waits,
        "Decide",
        15,
    ),
    Action(
        "defer_card",
        ("d",),
        "",
        "Leave the selected card to its deadline: the market goes on; without a key, no trade",
        _T.LOWERS,
        moments.card_holds,
        "Decide",
    ),
    Action(
        "undo",
        ("u",),
        "Undo",
        "Take the last refusal back while its time is not over; sends nothing",
        _T.LOWERS,
        moments.undoable,
        "Decide",
        18,
    ),
    Action(
        "full_text",
        ("o",),
        "",
        "Everything that was said about the selected card, or by the selected agent",
        when=moments.told,
        group="Lists",
    ),
    Action(
        "show_decisions",
        ("D",),
        "",
        "Decisions: every card of the run and what became of it; / filters",
        group="Panes",
    ),
    Action("show_votes", ("A",), "", "Agents: every word and why, whoever spoke", group="Panes"),
)
WATCH: Final = (
    Action(
        "pause_agent",
        ("p",),
        "",
        "Pause the selected agent; when it is paused: resume, which asks y",
        _T.LOWERS,
        moments.agent_chosen,
        "Safety",
    ),
    Action(
        "level",
        ("l",),
        "Level",
        "Change the degradation level (in the safety pane): stricter at once, looser by typing LOOSEN",
        _T.GLOBAL,
        moments.safety_chosen,
        "Safety",
        19,
    ),
    Action(
        "drill",
        ("exclamation_mark",),
        "",
        "Rehearse a failure (SIM): llm-outage, llm-garbage, stale-data, api-errors, journal-stall, "
        "clock-skew, budget; 10m, or as long as you say; 0 ends it",
        _T.LOWERS,
        moments.simulated,
        "Safety",
    ),
)
