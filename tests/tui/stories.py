"""What each action of the console does, told as keys and what follows: an action without one fails.

``before`` brings the operator to where the key means something, ``after`` finishes what it began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from tests.tui.conftest import Console
from tests.tui.pictures import busy, with_cards
from tradeterm.engine.riskview import BreakerView
from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import (
    ApproveCard,
    BreakEven,
    CancelEntries,
    CancelOrder,
    CancelPlan,
    CloseLosers,
    ClosePosition,
    DeferCard,
    EditCard,
    EnableTask,
    Flatten,
    Halt,
    MoveStop,
    MoveTarget,
    OperatorCommand,
    Pause,
    Reconcile,
    RejectAll,
    RejectCard,
    ResetBreaker,
    RunDrill,
    SetLevel,
    SetTrailing,
    UndoReject,
)
from tradeterm.model.drills import Drill
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Level
from tradeterm.model.walking import Goal

D = Decimal


def always(desk: Console) -> bool:
    del desk
    return True


@dataclass(frozen=True)
class Story:
    """Keys, then a command, or a word that was not on the screen before, or something to check."""

    sends: OperatorCommand | None = None
    shows: str = ""
    check: Callable[[Console], bool] = always
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    view: ConsoleView | None = None


def on(pane: str) -> Story:
    """Focuses a pane."""
    return Story(check=lambda desk: desk.app.pane == pane and desk.app.focused is not None)


def walks(goal: Goal) -> Story:
    """Leads the market on, with no card waiting; a bar is the chart's."""
    walk = (goal, 60 * SECOND)
    return Story(check=lambda desk: desk.session.walks == [walk], view=with_cards(busy(), []))


def typed(text: str) -> tuple[str, ...]:
    return (*(_NAMES.get(char, char) for char in text), "enter")


_NAMES = {" ": "space", "%": "percent_sign", "-": "minus"}


def _refused() -> ConsoleView:
    view = busy()
    return replace(view, level=replace(view.level, undoable=True))


def _tripped() -> ConsoleView:
    view = busy()
    tripped = BreakerView("daily_loss", 5.1, 5.0, "%", "halts", 1)
    return replace(view, risk=replace(view.risk, breakers=(tripped,)))


def _searching(desk: Console) -> str:
    return desk.app.deck.orders.selected


STORIES: dict[str, Story] = {
    # cards
    "approve": Story(ApproveCard(card_id="card-17", content_hash="hash17"), after=("y",)),
    "reject": Story(RejectCard(card_id="card-17")),
    "reject_all": Story(RejectAll()),
    "edit_card": Story(
        EditCard(card_id="card-17", content_hash="hash17", size=D("0.025")), after=typed("50%")
    ),
    "defer_card": Story(DeferCard(card_id="card-17")),
    "undo": Story(UndoReject(), view=_refused()),
    "full_text": Story(shows="What was said, #17"),
    "show_decisions": Story(shows="━ Decisions"),
    "show_votes": Story(shows="RSI 58 of 100"),
    # positions, orders, plans
    "close_position": Story(ClosePosition(position_id="pos-1")),
    "close_part": Story(ClosePosition(position_id="pos-1", size=D("0.21")), after=typed("50%")),
    "close_losers": Story(CloseLosers(), after=("y",)),
    "move_stop": Story(MoveStop(position_id="pos-1", price=D(64000)), after=typed("64000")),
    "move_target": Story(MoveTarget(position_id="pos-1", price=D(67000)), after=typed("67000")),
    "break_even": Story(BreakEven(position_id="pos-1")),
    "trailing": Story(SetTrailing(position_id="pos-1", on=False)),
    "cancel_order": Story(CancelOrder(order_id="ord-6"), before=("7", "j", "j")),
    "cancel_entries": Story(CancelEntries()),
    "cancel_plan": Story(CancelPlan(plan_id="plan-2"), after=("y",)),
    "reconcile": Story(Reconcile()),
    "what_if": Story(
        after=typed("long 0.1 stop 64000 target 70000"),
        check=lambda desk: len(desk.session.questions) == 1,
    ),
    # safety
    "halt": Story(Halt()),
    "pause": Story(Pause()),
    "reset_breaker": Story(
        ResetBreaker(breaker="daily_loss", reason="checked"),
        view=_tripped(),
        after=typed("checked"),
    ),
    "pause_agent": Story(EnableTask(task="technical_analysis", enabled=False), before=("6",)),
    "level": Story(SetLevel(level=Level.LIMITED), before=("8",), after=typed("limited")),
    "drill": Story(RunDrill(drill=Drill.LLM_OUTAGE, seconds=300), after=typed("llm-outage 5m")),
    "flatten": Story(Flatten(), after=tuple("FLATTEN")),
    # the market's pace is no trading
    "market": Story(check=lambda desk: desk.session.pauses == [True]),
    "faster": Story(check=lambda desk: desk.session.speeds == [120.0]),
    "slower": Story(check=lambda desk: desk.session.speeds == [30.0]),
    "step_event": walks(Goal.EVENT),
    "step_second": walks(Goal.SECOND),
    "step_bar": walks(Goal.BAR),
    "jump_conflict": walks(Goal.CONFLICT),
    "jump_fill": walks(Goal.FILL),
    "jump_warning": walks(Goal.WARNING),
    # panes and pages
    "show_positions": Story(before=("3",), check=lambda desk: desk.app.pane == "positions"),
    "show_conflicts": on("conflicts"),
    "show_book": on("book"),
    "show_chart": on("chart"),
    "show_events": on("events"),
    "show_agents": on("agents"),
    "show_orders": on("orders"),
    "show_safety": on("safety"),
    "show_portfolio": on("portfolio"),
    "show_performance": Story(shows="━ Performance"),
    "show_journal": Story(shows="━ Journal"),
    "show_settings": Story(shows="━ Settings"),
    "show_scores": Story(shows="━ Who was right"),
    "jump": Story(shows="[c] 2 Conflicts"),
    "taller": Story(check=lambda desk: desk.app.deck.positions.size.height == 10),
    "shorter": Story(check=lambda desk: desk.app.deck.positions.size.height == 6),
    "planned_sizes": Story(
        before=("vertical_line",), check=lambda desk: desk.app.deck.positions.size.height == 8
    ),
    "next_pane": on("conflicts"),
    "previous_pane": on("portfolio"),
    "zoom": Story(check=lambda desk: "Safety" not in desk.text),
    # lists
    "left": Story(before=("7", "l", "l"), check=lambda desk: desk.app.deck.orders.sideways == 1),
    "right": Story(before=("7",), check=lambda desk: desk.app.deck.orders.sideways == 1),
    "down": Story(check=lambda desk: desk.app.deck.positions.selected == "pos-2"),
    "up": Story(before=("G",), check=lambda desk: desk.app.deck.positions.selected == "pos-2"),
    "page_down": Story(check=lambda desk: desk.app.deck.positions.selected == "pos-3"),
    "page_up": Story(before=("G",), check=lambda desk: desk.app.deck.positions.selected == "pos-1"),
    "top": Story(before=("G",), check=lambda desk: desk.app.deck.positions.selected == "pos-1"),
    "bottom": Story(check=lambda desk: desk.app.deck.positions.selected == "pos-3"),
    "detail": Story(shows="Position BTC/USDT"),
    "explain": Story(shows="━ Why pos-1"),
    "filter": Story(shows="filter: short", after=tuple("short")),
    "next_hit": Story(
        before=("7", "slash", *"target", "enter", "escape", "g"),
        check=lambda desk: _searching(desk) == "ord-5",
    ),
    "previous_hit": Story(
        before=("7", "slash", *"BTC", "enter", "escape", "g"),
        check=lambda desk: _searching(desk) == "ord-3",
    ),
    "copy_id": Story(check=lambda desk: desk.app.clipboard == "pos-1"),
    "copy_row": Story(check=lambda desk: desk.app.clipboard.startswith("pos-1 BTC/USDT ▲ long")),
    "errors_only": Story(shows="errors and warnings only"),
    "follow_events": Story(shows="reading · f follows"),
    # how it is shown
    "finer": Story(before=("right_square_bracket",), shows="Chart BTC/USDT 1m"),
    "coarser": Story(shows="Chart BTC/USDT 5m"),
    "candles": Story(before=("4",), shows="BTC/USDT 1m · line"),
    "indicators": Story(check=lambda desk: "EMA ∙9" not in desk.text),
    "follow_cursor": Story(shows="Book BTC/USDT stays"),
    "previous_symbol": Story(shows="Book XRP/BTC"),
    "next_symbol": Story(shows="Book XRP/USDT"),
    "finer_book": Story(before=("full_stop", "full_stop"), shows="Book BTC/USDT ×2"),
    "coarser_book": Story(before=("full_stop",) * 2, shows="Book BTC/USDT ×10"),
    "themes": Story(shows="Theme"),
    "save_layout": Story(shows="layout kept for the next start"),
    "redraw": Story(),
    "debug_line": Story(shows="screen late p99"),
    "take_screenshot": Story(shows="screenshot in"),
    "tour": Story(shows="1/6 simulated market"),
    "tour_next": Story(before=("ctrl+t",), shows="2/6"),
    "tour_end": Story(before=("ctrl+t",), check=lambda desk: "1/6" not in desk.text),
    "back": Story(before=("z",), shows="8 Safety"),
    "command_palette": Story(shows="Command …"),
    "show_help": Story(shows="Agents propose, you approve or refuse"),
    "quit": Story(shows="Quit?"),
    "hint_quit": Story(shows="q or ctrl+q quits"),
}


def without_store(desk: Console, folder: Path) -> None:
    """Reports have a file to ask for, and the console a place for what it writes."""
    desk.session.store = folder / "run.db"
    desk.app.options = replace(desk.app.options, layout=folder / "layout.json")
