"""When an action makes sense, and what is said while it does not.

Conditions on the picture and on what is under the cursor; each is declared with its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tradeterm.engine.view import ConsoleView, PlanView
from tradeterm.model.commands import (
    ApproveCard,
    CloseLosers,
    ClosePosition,
    Flatten,
    OperatorCommand,
)
from tradeterm.tui.choice import Focus

Condition = Callable[[ConsoleView, Focus], bool]
Reason = Callable[[ConsoleView, Focus], str]

WORKING = frozenset({"pending", "open", "partially_filled"})


class Moment(msgspec.Struct, frozen=True):
    """A condition together with the reason why not; called like the condition alone."""

    holds: Condition
    reason: str | Reason
    """Said after "not possible now:"."""

    def __call__(self, view: ConsoleView, focus: Focus) -> bool:
        return self.holds(view, focus)

    def why_not(self, view: ConsoleView, focus: Focus) -> str:
        """What stands in the way."""
        return self.reason if isinstance(self.reason, str) else self.reason(view, focus)


_ENDED = {
    "finished": "the run is finished, nothing is traded any more; q quits",
    "dead": "the engine died: nothing is traded, no stop is watched any more; q quits",
}


def over(view: ConsoleView) -> str:
    """Why the engine hears nothing any more; empty while it does."""
    return _ENDED.get(view.status.state, "")


#: Commands that send an order to be filled.
_FILLED = (ApproveCard, ClosePosition, CloseLosers, Flatten)


def ordered(view: ConsoleView, text: str) -> str:
    """What a key has set off, in words that hold while the journal cannot be written."""
    return f"waits until the journal can be written: {text}" if _held(view) else text


def filled_by(command: OperatorCommand) -> str:
    """What it takes besides, while the market stands; empty for what needs no fill."""
    return "; space lets it fill" if isinstance(command, _FILLED) else ""


def halt_ordered(view: ConsoleView) -> str:
    """What ``H`` has set off."""
    if _held(view):
        return "HALT waits until the journal can be written; nothing trades before"
    return "HALT sent: no new exposure, entries cancelled, stops stay"


def _held(view: ConsoleView) -> bool:
    """A market of our own stands until its journal can be written; a live one does not."""
    return bool(view.fault) and view.status.mode != "LIVE"


def unless(reason: str | Reason) -> Callable[[Condition], Moment]:
    """Declares a condition with what is said while it does not hold."""
    return lambda condition: Moment(condition, reason)


@unless("")
def always(view: ConsoleView, focus: Focus) -> bool:
    """No condition."""
    return True


def _no_card(view: ConsoleView, focus: Focus) -> str:
    if focus.card is not None and cards_wait(view, focus):
        return f"the selected card is {focus.card.state}; choose a waiting one in pane 2"
    return "no card waits for an answer"


@unless(_no_card)
def card_waits(view: ConsoleView, focus: Focus) -> bool:
    """The selected card waits for an answer."""
    return focus.card is not None and focus.card.state == "pending"


@unless("no card waits for an answer")
def cards_wait(view: ConsoleView, focus: Focus) -> bool:
    """Any card does."""
    return any(card.state == "pending" for card in view.cards)


def _not_deferrable(view: ConsoleView, focus: Focus) -> str:
    if card_waits(view, focus):
        return "it is left to its deadline already"
    return _no_card(view, focus)


@unless(_not_deferrable)
def card_holds(view: ConsoleView, focus: Focus) -> bool:
    """The market waits for the selected card."""
    return card_waits(view, focus) and focus.card is not None and not focus.card.deferred


def _nothing_to_edit(view: ConsoleView, focus: Focus) -> str:
    if card_waits(view, focus):
        return "this card only closes something: there is no size to lower"
    return _no_card(view, focus)


@unless(_nothing_to_edit)
def order_waits(view: ConsoleView, focus: Focus) -> bool:
    """The selected card waits, and would open something."""
    return card_waits(view, focus) and focus.card is not None and not focus.card.closing


@unless("there is no refusal to take back")
def undoable(view: ConsoleView, focus: Focus) -> bool:
    """A refusal can still be taken back."""
    return view.level.undoable


@unless("nobody said anything about what is selected")
def told(view: ConsoleView, focus: Focus) -> bool:
    """Somebody said something about what is selected."""
    return bool(focus.row) if focus.pane == "agents" else focus.card is not None


@unless("choose an agent in pane 6")
def agent_chosen(view: ConsoleView, focus: Focus) -> bool:
    """An agent is under the cursor."""
    return focus.pane == "agents" and bool(focus.row)


@unless("the level is changed in pane 8")
def safety_chosen(view: ConsoleView, focus: Focus) -> bool:
    """The keys act on the safety pane."""
    return focus.pane == "safety" and view.status.known


@unless("the engine is still starting")
def stoppable(view: ConsoleView, focus: Focus) -> bool:
    """There is a market to stop, or (live) a picture of it to freeze."""
    return view.status.known


@unless("this pane has no columns to scroll")
def sideways(view: ConsoleView, focus: Focus) -> bool:
    """The keys act on a table, or on the chart, whose columns are times."""
    return focus.pane in {"", "positions", "orders", "agents", "chart"}


_ROWS = frozenset({"", "positions", "conflicts", "events", "orders", "agents"})


@unless("this pane has no rows to walk")
def rowed(view: ConsoleView, focus: Focus) -> bool:
    """The focused pane has a cursor."""
    return focus.pane in _ROWS


@unless("this pane has no rows to walk")
def ended(view: ConsoleView, focus: Focus) -> bool:
    """It has a first and a last row, or (the chart) an oldest bar and a newest."""
    return focus.pane in _ROWS or focus.pane == "chart"


@unless("nothing was searched for; / filters")
def searched(view: ConsoleView, focus: Focus) -> bool:
    """A text was searched for here, and the keys are not the guided start's."""
    return bool(focus.search) and not focus.touring


@unless("there is no row to copy")
def copyable(view: ConsoleView, focus: Focus) -> bool:
    """A row is under the cursor."""
    return bool(focus.row)


@unless("there is no order book yet")
def booked(view: ConsoleView, focus: Focus) -> bool:
    """There is a book with depth to group."""
    return any(book.bids or book.asks for book in view.books.values())


@unless("nobody said where: there is no directory for it, or console.remember_layout is off")
def rememberable(view: ConsoleView, focus: Focus) -> bool:
    """A layout can be kept."""
    return focus.remembers


@unless("failures are rehearsed on the simulated market only")
def simulated(view: ConsoleView, focus: Focus) -> bool:
    """The market is a simulated one."""
    return view.status.mode == "SIM"


def _no_position(view: ConsoleView, focus: Focus) -> str:
    if not view.positions:
        return "there are no open positions"
    if focus.pane != "positions" or focus.position is None:
        return "choose a position in pane 1"
    return "its exit is out already"


@unless(_no_position)
def position_chosen(view: ConsoleView, focus: Focus) -> bool:
    """A position is under the cursor and not on its way out."""
    return focus.pane == "positions" and focus.position is not None and not focus.position.closing


def losses(view: ConsoleView) -> list[Decimal]:
    """Of every position that would lose money if closed now: what it would have earned."""
    ends = [each.if_closed for each in view.positions if not each.closing]
    return [end for end in ends if end is not None and end < 0]


def _no_loser(view: ConsoleView, focus: Focus) -> str:
    return "no position would lose money now" if view.positions else "there are no open positions"


@unless(_no_loser)
def losing(view: ConsoleView, focus: Focus) -> bool:
    """A position would lose money if it were closed now."""
    return bool(losses(view))


def plan_under_way(view: ConsoleView) -> PlanView | None:
    """There is one at most."""
    plans = view.portfolio.plans
    return next((plan for plan in plans if plan.status in {"open", "paused"}), None)


@unless("no plan is under way")
def planned(view: ConsoleView, focus: Focus) -> bool:
    """A plan is under way."""
    return plan_under_way(view) is not None


@unless("the engine is still starting")
def known(view: ConsoleView, focus: Focus) -> bool:
    """The engine has spoken."""
    return view.status.known


def _no_order(view: ConsoleView, focus: Focus) -> str:
    if focus.pane != "orders" or focus.order is None:
        return "choose a working order in pane 7"
    if focus.order.status not in WORKING:
        return f"it is {focus.order.status} already"
    return "stops and targets stay; x closes their position"


@unless(_no_order)
def order_chosen(view: ConsoleView, focus: Focus) -> bool:
    """An order that may be cancelled is under the cursor."""
    order = focus.order
    return (
        focus.pane == "orders"
        and order is not None
        and order.status in WORKING
        and order.purpose not in {"stop", "target"}
    )


@unless("no entry is working")
def entries(view: ConsoleView, focus: Focus) -> bool:
    """Entries are working."""
    return any(order.status in WORKING and order.purpose == "entry" for order in view.orders)


@unless("a live market goes at its own pace")
def paced(view: ConsoleView, focus: Focus) -> bool:
    """The market goes at a speed of our choice."""
    return view.status.known and view.status.mode != "LIVE"


@unless("trading is off already")
def running(view: ConsoleView, focus: Focus) -> bool:
    """Trading is on."""
    return view.status.state == "running"


@unless("trading is on")
def resumable(view: ConsoleView, focus: Focus) -> bool:
    """Trading is off."""
    return view.status.state in {"paused", "halted"}


@unless("the engine is still starting, or the run is finished")
def pausable(view: ConsoleView, focus: Focus) -> bool:
    """Trading is on, or can be again."""
    return running(view, focus) or resumable(view, focus)


@unless("it is halted already; P resumes")
def unhalted(view: ConsoleView, focus: Focus) -> bool:
    """Not halted yet."""
    return view.status.state != "halted"


def tripped(view: ConsoleView) -> str:
    """The breaker to look at first: the one that goes furthest."""
    return next((b.name for b in reversed(view.risk.breakers) if b.tripped is not None), "")


@unless("no breaker is tripped")
def breaker_tripped(view: ConsoleView, focus: Focus) -> bool:
    """A breaker waits for its reset."""
    return bool(tripped(view))


@unless("there are no positions and no working entries")
def exposed(view: ConsoleView, focus: Focus) -> bool:
    """There is something to flatten."""
    return bool(view.positions) or entries(view, focus)


@unless("there is no row to tell more about")
def listed(view: ConsoleView, focus: Focus) -> bool:
    """The focused pane has something to tell more about."""
    return bool(focus.row) or focus.pane in {"book", "portfolio", "safety"}


@unless("the guided start is not shown; ^t begins it")
def touring(view: ConsoleView, focus: Focus) -> bool:
    """The guided start shows a line."""
    return focus.touring


def subject(view: ConsoleView, focus: Focus) -> str:
    """The id of what is under the cursor (of an agent, its name); empty when nothing is."""
    if focus.pane == "events":
        return next((each.subject for each in view.events if str(each.seq) == focus.row), "")
    if focus.pane == "portfolio":
        portfolio = view.portfolio
        ended = max(portfolio.plans, key=lambda plan: plan.created, default=None)
        urgent = (*portfolio.differences, plan_under_way(view), ended)
        return next((each.id for each in urgent if each is not None), "")
    return focus.row if focus.pane in {"positions", "conflicts", "orders", "agents"} else ""


def _nothing_to_explain(view: ConsoleView, focus: Focus) -> str:
    if focus.pane == "portfolio":
        return "there was no plan yet, and nothing differs from the venue"
    if focus.pane in {"book", "chart", "safety"}:
        return "choose a row of positions, cards, orders, events or agents, or the portfolio"
    return "there is no row under the cursor that the journal knows"


@unless(_nothing_to_explain)
def explainable(view: ConsoleView, focus: Focus) -> bool:
    """What is under the cursor has a story in the journal."""
    return bool(subject(view, focus))


@unless("this pane has no rows to filter")
def filterable(view: ConsoleView, focus: Focus) -> bool:
    """The focused pane has rows a text can narrow."""
    return focus.pane in _ROWS


def _not_steppable(view: ConsoleView, focus: Focus) -> str:
    if view.status.walking:
        return f"the market is on its way to {view.status.walking}; esc stops it"
    return paced.why_not(view, focus)


@unless(_not_steppable)
def steppable(view: ConsoleView, focus: Focus) -> bool:
    """The market can be led on step by step."""
    return paced(view, focus) and not over(view) and not view.status.walking


def _not_jumpable(view: ConsoleView, focus: Focus) -> str:
    if steppable(view, focus):
        return "a card waits: decide it, or leave it to its deadline with d"
    return _not_steppable(view, focus)


@unless(_not_jumpable)
def jumpable(view: ConsoleView, focus: Focus) -> bool:
    """Nothing waits for the operator that would run out of time on the way."""
    held = any(card.state == "pending" and not card.deferred for card in view.cards)
    return steppable(view, focus) and not held
