"""Every action of the console, once: bindings, footer, help and palette are made from this table."""

from __future__ import annotations

from textual.binding import Binding

from tradeterm.engine.view import ConsoleView
from tradeterm.tui import moments
from tradeterm.tui.action import Action, Tier
from tradeterm.tui.cardactions import DECIDE, WATCH
from tradeterm.tui.choice import Focus

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
        "Close every position that would lose money now, costs included",
        _T.LOWERS,
        moments.holding,
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
        "End the DCA plan under way: what was bought stays, nothing more is",
        _T.LOWERS,
        moments.planned,
        "Trade",
    ),
    Action(
        "reconcile",
        ("V",),
        "",
        "Compare orders, positions and balances with the venue now",
        _T.VIEW,
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
        ("H",),
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
        "Close everything at market and halt, by typing FLATTEN",
        _T.GLOBAL,
        moments.exposed,
        "Safety",
        10,
    ),
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
    Action("show_positions", ("1",), "", "Positions", group="Panes"),
    Action("show_conflicts", ("2",), "", "Conflicts: the cards waiting for you", group="Panes"),
    Action("show_book", ("3",), "", "Order book", group="Panes"),
    Action("show_chart", ("4",), "", "Chart", group="Panes"),
    Action("show_events", ("5",), "", "Events", group="Panes"),
    Action("show_agents", ("6",), "", "Agents", group="Panes"),
    Action("show_orders", ("7",), "", "Orders", group="Panes"),
    Action("show_safety", ("8",), "", "Safety: levels and limits", group="Panes"),
    Action("show_portfolio", ("9",), "", "Portfolio: allocation, plans, earnings", group="Panes"),
    Action(
        "show_performance",
        ("0",),
        "",
        "Performance: equity, drawdown, months, ratios, trades by group",
        group="Panes",
    ),
    Action(
        "explain",
        ("v",),
        "",
        "Why: everything that led to the selected row, and what followed",
        when=moments.explainable,
        group="Lists",
    ),
    Action("show_journal", ("J",), "", "Journal: the newest thousand rows", group="Panes"),
    Action(
        "show_settings",
        ("ctrl+o",),
        "",
        "Settings in force; / filters, others than default stand out",
        group="Panes",
    ),
    Action(
        "show_scores",
        ("W",),
        "",
        "Who was right: agents, models, resolvers, you, risk rules, plain holding",
        group="Panes",
    ),
    Action("next_pane", ("tab",), "", "Next pane", group="Panes"),
    Action("previous_pane", ("shift+tab",), "", "Previous pane", group="Panes"),
    Action(
        "zoom", ("z",), "Zoom", "Give the pane the whole screen, and back", group="Panes", rank=14
    ),
    Action("left", ("h", "left"), "", "Wide tables: columns to the left", group="Lists"),
    Action(
        "right",
        ("l", "right"),
        "",
        "Wide tables: columns to the right",
        when=moments.sideways,
        group="Lists",
    ),
    Action("down", ("j", "down"), "", "Down", group="Lists"),
    Action("up", ("k", "up"), "", "Up", group="Lists"),
    Action("page_down", ("ctrl+d", "pagedown"), "", "Half a page down", group="Lists"),
    Action("page_up", ("ctrl+u", "pageup"), "", "Half a page up", group="Lists"),
    Action("top", ("g", "home"), "", "First row", group="Lists"),
    Action("bottom", ("G", "end"), "", "Last row; in events also: follow", group="Lists"),
    Action(
        "detail",
        ("enter",),
        "Detail",
        "Everything about the selected row; never executes anything",
        when=moments.listed,
        group="Lists",
        rank=9,
    ),
    Action(
        "filter",
        ("slash",),
        "Filter",
        "Show only rows that contain a text (!text: only those that do not)",
        when=moments.filterable,
        group="Lists",
        rank=11,
    ),
    Action("errors_only", ("e",), "", "Events: warnings and errors only", group="Lists"),
    Action("finer", ("left_square_bracket",), "", "Chart: finer timeframe", group="View"),
    Action("coarser", ("right_square_bracket",), "", "Chart: coarser timeframe", group="View"),
    Action(
        "next_symbol",
        ("s", "full_stop"),
        "Symbol",
        "Next symbol for book and chart (they also follow the cursor)",
        group="View",
        rank=13,
    ),
    Action("previous_symbol", ("comma",), "", "Previous symbol", group="View"),
    Action("next_theme", ("t",), "", "Next theme: dusk, paper, contrast", group="View"),
    Action("take_screenshot", ("S",), "", "Screenshot as SVG, beside the log", group="View"),
    Action("tour", ("ctrl+t",), "", "Guided start in six lines: from the beginning", group="View"),
    Action("tour_next", ("n",), "", "Guided start: next line", when=moments.touring, group="View"),
    Action("tour_end", ("N",), "", "Guided start: end it", when=moments.touring, group="View"),
    Action("back", ("escape",), "", "One step back: question, filter, zoom", group="View"),
    Action("command_palette", ("ctrl+p", "colon"), "", "Every command by name", group="View"),
    Action("show_help", ("question_mark", "f1"), "Help", "This page", group="View", rank=7),
    Action(
        "quit",
        ("q", "ctrl+q"),
        "Quit",
        "Quit; asks first when positions, orders or cards are open",
        group="View",
        rank=8,
    ),
    Action("hint_quit", ("ctrl+c",), "", "Says how to quit; never kills the engine", group="View"),
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
