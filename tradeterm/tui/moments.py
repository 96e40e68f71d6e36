"""When an action makes sense: conditions on the picture and on what is under the cursor."""

from __future__ import annotations

from collections.abc import Callable

from tradeterm.engine.view import ConsoleView, PlanView
from tradeterm.tui.choice import Focus

Possible = Callable[[ConsoleView, Focus], bool]

WORKING = frozenset({"pending", "open", "partially_filled"})


def always(view: ConsoleView, focus: Focus) -> bool:
    """No condition."""
    return True


def card_waits(view: ConsoleView, focus: Focus) -> bool:
    """The selected card waits for an answer."""
    return focus.card is not None and focus.card.state == "pending"


def cards_wait(view: ConsoleView, focus: Focus) -> bool:
    """Any card does."""
    return any(card.state == "pending" for card in view.cards)


def card_holds(view: ConsoleView, focus: Focus) -> bool:
    """The market waits for the selected card."""
    return card_waits(view, focus) and focus.card is not None and not focus.card.deferred


def order_waits(view: ConsoleView, focus: Focus) -> bool:
    """The selected card waits, and would open something."""
    return card_waits(view, focus) and focus.card is not None and not focus.card.closing


def undoable(view: ConsoleView, focus: Focus) -> bool:
    """A refusal can still be taken back."""
    return view.level.undoable


def told(view: ConsoleView, focus: Focus) -> bool:
    """Somebody said something about what is selected."""
    return bool(focus.row) if focus.pane == "agents" else focus.card is not None


def agent_chosen(view: ConsoleView, focus: Focus) -> bool:
    """An agent is under the cursor."""
    return focus.pane == "agents" and bool(focus.row)


def safety_chosen(view: ConsoleView, focus: Focus) -> bool:
    """The keys act on the safety pane."""
    return focus.pane == "safety" and view.status.known


def stoppable(view: ConsoleView, focus: Focus) -> bool:
    """There is a market to stop, or (live) a picture of it to freeze."""
    return view.status.known


def sideways(view: ConsoleView, focus: Focus) -> bool:
    """The keys act on a table."""
    return focus.pane != "safety"


def simulated(view: ConsoleView, focus: Focus) -> bool:
    """The market is a simulated one."""
    return view.status.mode == "SIM"


def position_chosen(view: ConsoleView, focus: Focus) -> bool:
    """A position is under the cursor and not on its way out."""
    return focus.pane == "positions" and focus.position is not None and not focus.position.closing


def holding(view: ConsoleView, focus: Focus) -> bool:
    """There are positions."""
    return bool(view.positions)


def plan_under_way(view: ConsoleView) -> PlanView | None:
    """There is one at most."""
    plans = view.portfolio.plans
    return next((plan for plan in plans if plan.status in {"open", "paused"}), None)


def planned(view: ConsoleView, focus: Focus) -> bool:
    """A plan is under way."""
    return plan_under_way(view) is not None


def known(view: ConsoleView, focus: Focus) -> bool:
    """The engine has spoken."""
    return view.status.known


def order_chosen(view: ConsoleView, focus: Focus) -> bool:
    """An order that may be cancelled is under the cursor."""
    order = focus.order
    return (
        focus.pane == "orders"
        and order is not None
        and order.status in WORKING
        and order.purpose not in {"stop", "target"}
    )


def entries(view: ConsoleView, focus: Focus) -> bool:
    """Entries are working."""
    return any(order.status in WORKING and order.purpose == "entry" for order in view.orders)


def paced(view: ConsoleView, focus: Focus) -> bool:
    """The market goes at a speed of our choice."""
    return view.status.known and view.status.mode != "LIVE"


def running(view: ConsoleView, focus: Focus) -> bool:
    """Trading is on."""
    return view.status.state == "running"


def resumable(view: ConsoleView, focus: Focus) -> bool:
    """Trading is off."""
    return view.status.state in {"paused", "halted"}


def pausable(view: ConsoleView, focus: Focus) -> bool:
    """Trading is on, or can be again."""
    return running(view, focus) or resumable(view, focus)


def unhalted(view: ConsoleView, focus: Focus) -> bool:
    """Not halted yet."""
    return view.status.state != "halted"


def tripped(view: ConsoleView) -> str:
    """The breaker to look at first: the one that goes furthest."""
    return next((b.name for b in reversed(view.risk.breakers) if b.tripped is not None), "")


def breaker_tripped(view: ConsoleView, focus: Focus) -> bool:
    """A breaker waits for its reset."""
    return bool(tripped(view))


def exposed(view: ConsoleView, focus: Focus) -> bool:
    """There is something to flatten."""
    return bool(view.positions) or entries(view, focus)


def listed(view: ConsoleView, focus: Focus) -> bool:
    """The focused pane has something to tell more about."""
    return bool(focus.row) or focus.pane in {"portfolio", "safety"}


def touring(view: ConsoleView, focus: Focus) -> bool:
    """The guided start shows a line."""
    return focus.touring


def explainable(view: ConsoleView, focus: Focus) -> bool:
    """The row under the cursor has an id in the journal."""
    return focus.pane in {"positions", "conflicts", "orders"} and bool(focus.row)


def filterable(view: ConsoleView, focus: Focus) -> bool:
    """The focused pane has rows a text can narrow."""
    return focus.pane in {"", "positions", "conflicts", "events", "orders", "agents"}
