"""Every action of the console, once: bindings, footer, help and palette are made from this table."""

from __future__ import annotations

from collections.abc import Iterable

from textual.binding import Binding

from tradeterm.engine.view import ConsoleView
from tradeterm.tui import moments
from tradeterm.tui.action import Action, Tier, key_text
from tradeterm.tui.cardactions import DECIDE, WATCH
from tradeterm.tui.choice import Focus
from tradeterm.tui.haltkey import HALT_KEYS
from tradeterm.tui.marketactions import MARKET
from tradeterm.tui.viewactions import LISTS, PANES, VIEW

_T = Tier
ACTIONS: tuple[Action, ...] = (
    *DECIDE,
    Action(
        "close_position",
        ("x",),
        "Close",
        "Close the selected position at market",
        _T.LOWERS,
        moments.position_chosen,
        "Trade",
        3,
    ),
    Action(
        "close_part",
        ("X",),
        "",
        "Close part of the selected position: asks how much (0.1 or 50%)",
        _T.LOWERS,
        moments.position_chosen,
        "Trade",
    ),
    Action(
        "close_losers",
        ("L",),
        "",
        "Close every position that would lose money now, costs included; says how many",
        _T.ASKS,
        moments.losing,
        "Trade",
    ),
    Action(
        "move_stop",
        ("m",),
        "Stop",
        "Move the stop of the selected position: asks the price; farther away asks y",
        _T.LOWERS,
        moments.position_chosen,
        "Trade",
        16,
    ),
    Action(
        "move_target",
        ("M",),
        "",
        "Move the target of the selected position: asks the price, or none",
        _T.LOWERS,
        moments.position_chosen,
        "Trade",
    ),
    Action(
        "break_even",
        ("b",),
        "",
        "Stop of the selected position to break-even, fees included",
        _T.LOWERS,
        moments.position_chosen,
        "Trade",
    ),
    Action(
        "trailing",
        ("T",),
        "",
        "Trailing stop of the selected position on or off; off keeps the stop where it is",
        _T.LOWERS,
        moments.position_chosen,
        "Trade",
    ),
    Action(
        "cancel_order",
        ("c",),
        "Cancel",
        "Cancel the selected order (stops and targets stay)",
        _T.LOWERS,
        moments.order_chosen,
        "Trade",
        4,
    ),
    Action(
        "cancel_entries",
        ("C",),
        "",
        "Cancel all working entries; protection stays",
        _T.LOWERS,
        moments.entries,
        "Trade",
    ),
    Action(
        "cancel_plan",
        ("K",),
        "",
        "End the DCA plan under way for good: what was bought stays; says what is left undone",
        _T.ASKS,
        moments.planned,
        "Trade",
    ),
    Action(
        "reconcile",
        ("V",),
        "",
        "Compare orders, positions and balances with the venue now",
        _T.LOWERS,
        moments.known,
        "Trade",
    ),
    Action(
        "what_if",
        ("w",),
        "What if",
        "Ask risk about an order without sending one: long 0.1 stop 64000 target 70000 x3",
        _T.VIEW,
        moments.known,
        "Trade",
        17,
    ),
    Action(
        "halt",
        HALT_KEYS,
        "Halt",
        "HALT at once, from anywhere: no new exposure, entries cancelled, stops stay",
        _T.LOWERS,
        moments.unhalted,
        "Safety",
        6,
    ),
    Action(
        "pause",
        ("P",),
        "Pause trading",
        "Pause trading (analysis goes on); when paused or halted: resume, by typing RESUME",
        _T.LOWERS,
        moments.pausable,
        "Safety",
        12,
    ),
    Action(
        "reset_breaker",
        ("B",),
        "",
        "Reset a tripped breaker by typing why; losses so far no longer count against it",
        _T.GLOBAL,
        moments.breaker_tripped,
        "Safety",
    ),
    *WATCH,
    Action(
        "flatten",
        ("F",),
        "Flatten",
        "Close all margin positions at market and halt, by typing FLATTEN",
        _T.GLOBAL,
        moments.exposed,
        "Safety",
        10,
    ),
    *MARKET,
    *PANES,
    *LISTS,
    *VIEW,
    Action(
        "debug_line",
        ("tilde",),
        "",
        "How the screen itself fares: lateness of its loop, paints, queue; on or off",
        group="View",
    ),
)
BY_NAME = {action.name: action for action in ACTIONS}


def bindings() -> list[Binding]:
    """One priority binding per action, so that a pane or modal can never shadow a key."""
    return [
        Binding(
            ",".join(action.keys),
            action.name,
            action.label or action.help,
            show=False,
            priority=True,
        )
        for action in ACTIONS
    ]


def meant(key: str, pane: str) -> Action | None:
    """What a key would do: in this pane, if it means something of its own there."""
    found = [action for action in ACTIONS if key in action.keys]
    return next((each for each in found if pane in each.panes), found[0] if found else None)


def first_keys(names: Iterable[str]) -> str:
    """``j k`` for down and up, as people write them."""
    return " ".join(key_text(BY_NAME[name].keys[0]) for name in names)


def possible(name: str, view: ConsoleView, focus: Focus) -> bool:
    """Whether the action makes sense now; impossible ones vanish."""
    return BY_NAME[name].possible(view, focus)


def footer(view: ConsoleView, focus: Focus) -> list[Action]:
    """The actions worth a place in the footer, best first."""
    resume_first = moments.resumable(view, focus)
    ranked = sorted(
        (each for each in ACTIONS if each.label),
        key=lambda each: 0 if resume_first and each.name == "pause" else each.rank,
    )
    return [each for each in ranked if each.possible(view, focus)]
