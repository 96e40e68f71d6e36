"""Commands: what the operator orders, one handler each. Reducing is never refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradeterm.engine.absorbing import Absorbing
from tradeterm.engine.amending import Amending
from tradeterm.engine.analysis import Analysis
from tradeterm.engine.books import Books
from tradeterm.engine.breaking import Breaking
from tradeterm.engine.core import Core
from tradeterm.engine.deciding import Deciding
from tradeterm.engine.protecting import Protecting
from tradeterm.engine.reconciliation import Reconciliation
from tradeterm.engine.trading import Trading
from tradeterm.engine.welfare import Welfare
from tradeterm.model.commands import (
    AbsorbExit,
    AdoptDifference,
    AmendOrder,
    ApproveCard,
    BookModelCosts,
    CancelEntries,
    CancelOrder,
    CancelPlan,
    Command,
    CommandResult,
    DeferCard,
    EditCard,
    EnableTask,
    Flatten,
    ForceRun,
    Halt,
    Pause,
    Reconcile,
    RejectAll,
    RejectCard,
    ReportHealth,
    ReportTask,
    ResetBreaker,
    Resume,
    SetLevel,
    UndoReject,
)
from tradeterm.model.vocabulary import AgentName, ExitReason, Priority, Purpose, RunState, Topic

_Handler = Callable[[Any, str], CommandResult]


class Operator:
    """Carries out commands; every one is journaled before its consequences."""

    def __init__(
        self,
        core: Core,
        books: Books,
        trading: Trading,
        analysis: Analysis,
        reconciliation: Reconciliation,
        breaking: Breaking,
    ) -> None:
        """The parts a command can reach."""
        self._core = core
        self._books = books
        self._trading = trading
        self._analysis = analysis
        self._breaking = breaking
        self._welfare = Welfare(core, books)
        deciding = Deciding(core, trading)
        self._handlers: dict[type[Command], _Handler] = {
            ApproveCard: self._approve,
            RejectCard: self._reject,
            RejectAll: self._reject_all,
            UndoReject: deciding.undo_reject,
            DeferCard: deciding.defer,
            EditCard: deciding.edit,
            CancelOrder: self._cancel,
            CancelEntries: self._cancel_entries,
            CancelPlan: self._cancel_plan,
            ResetBreaker: breaking.reset,
            Halt: self._halt,
            Resume: self._resume,
            Pause: self._pause,
            Flatten: self._flatten,
            ForceRun: self._force_run,
            EnableTask: self._enable_task,
            Reconcile: reconciliation.reconcile,
            AdoptDifference: reconciliation.adopt,
            ReportHealth: self.report_health,
            ReportTask: self._task_died,
            SetLevel: self._level,
            AbsorbExit: Absorbing(core, books).absorb,
            BookModelCosts: trading.asking.book,
            AmendOrder: Amending(core, books, trading.judging).amend,
            **Protecting(core, books).handlers,
        }

    def handles(self, kind: type[Command], handler: _Handler) -> None:
        """Another part takes commands of this kind."""
        self._handlers[kind] = handler

    def carry_out(self, command: Command, kind: str = "command") -> CommandResult:
        """Journal and execute one command; ``kind`` is ``policy`` when no person gave it."""
        core = self._core
        command_id = core.journal.new_id("cmd")
        core.journal.write(kind, command_id, "", command)
        core.bus.publish(
            Topic.COORDINATOR_COMMANDS,
            command.actor,
            "*",
            command,
            core.now,
            priority=Priority.URGENT,
        )
        result = self._handlers[type(command)](command, command_id)
        if result.text:
            severity = "info" if result.accepted else "warning"
            text = f"{command.actor}: {result.text}"
            core.events.add(core.now, "CMD", severity, text, command_id)
        return result

    def _approve(self, command: ApproveCard, command_id: str) -> CommandResult:
        return self._trading.approve(
            command.card_id, command.content_hash, command.actor, command_id
        )

    def _reject(self, command: RejectCard, command_id: str) -> CommandResult:
        return self._trading.reject(command.card_id, command.actor, command_id)

    def _reject_all(self, command: RejectAll, command_id: str) -> CommandResult:
        cards = self._trading.pending_cards()
        for place, card in enumerate(cards):
            self._trading.reject(card.id, command.actor, command_id, also=place > 0)
        return CommandResult(bool(cards), f"{len(cards)} card(s) rejected")

    def _cancel(self, command: CancelOrder, command_id: str) -> CommandResult:
        order = self._books.execution.working.get(command.order_id)
        if order is None:
            return CommandResult(False, f"no working order {command.order_id}")
        if order.request.purpose in (Purpose.STOP, Purpose.TARGET):
            return CommandResult(
                False, f"{order.id} protects {order.request.position_id}; close the position"
            )
        self._books.cancel(order.id, "operator")
        return CommandResult(
            True, f"cancelling {order.id} {order.request.symbol} {order.request.side}"
        )

    def _cancel_entries(self, command: CancelEntries, command_id: str) -> CommandResult:
        count = self._books.cancel_entries("operator")
        return CommandResult(True, f"cancelling {count} {'entry' if count == 1 else 'entries'}")

    def _cancel_plan(self, command: CancelPlan, command_id: str) -> CommandResult:
        return self._trading.rebalancing.plans.cancel(command.plan_id, command_id)

    def _halt(self, command: Halt, command_id: str) -> CommandResult:
        already = self._core.state is RunState.HALTED
        said = command.reason not in {"", command.actor}
        reason = f"{command.actor}: {command.reason}" if said else command.actor
        cancelled, voided = self.halt(reason, command_id)
        if already:
            return CommandResult(True, "already halted")
        return CommandResult(
            True,
            f"HALTED: {cancelled} entry cancels sent, {voided} cards void, "
            f"{len(self._books.execution.positions)} positions protected",
        )

    def halt(self, reason: str, parent: str) -> tuple[int, int]:
        """No new exposure from here on: (entries cancelled, cards voided)."""
        self._breaking.taken_over()
        self._core.set_state(RunState.HALTED, reason, parent)
        cancelled = self._books.cancel_entries("halt")
        voided = self._trading.void_all("halted", parent)
        return cancelled, voided

    def _resume(self, command: Resume, command_id: str) -> CommandResult:
        if self._core.state is RunState.RUNNING:
            return CommandResult(False, "already running")
        if refusal := self._breaking.refusal():
            return CommandResult(False, refusal)
        self._breaking.taken_over()
        self._core.set_state(RunState.RUNNING, command.reason or command.actor, command_id)
        self._core.flattening = False
        return CommandResult(True, "running")

    def _pause(self, command: Pause, command_id: str) -> CommandResult:
        if self._core.state is RunState.HALTED:
            return CommandResult(False, "halted; a pause would loosen that")
        self._breaking.taken_over()
        self._core.set_state(RunState.PAUSED, command.actor, command_id)
        return CommandResult(True, "paused: no new proposals, analysis goes on")

    def _flatten(self, command: Flatten, command_id: str) -> CommandResult:
        self.halt(f"{command.actor}: flatten", command_id)
        closing = 0
        for position in list(self._books.execution.positions.values()):
            if not self._books.is_closing(position.id):
                self._books.close(position, ExitReason.OPERATOR, command_id)
                closing += 1
        self._core.flattening = True  # from now on late arrivals are closed, not those above
        return CommandResult(True, f"closing {closing} position(s), halted")

    def report_health(self, command: ReportHealth, command_id: str) -> CommandResult:
        """What clock and journal are like; beyond their limits they hold the level."""
        result = self._welfare.report(command, command_id)
        self._trading.degrading.judge_health()
        return result

    def _task_died(self, command: ReportTask, command_id: str) -> CommandResult:
        told = f"{command.task} died: {command.why}"
        if command.begun_again:
            self._core.risk_alert("E-TASK", "error", f"{told}; it was begun again", command_id)
            return CommandResult(True, "")
        text = f"{told}; halted, exits go on; restart tradeterm"
        self._core.risk_alert("E-TASK", "critical", text, command_id)
        self.halt(f"{command.actor}: E-TASK {command.task}", command_id)
        return CommandResult(True, "")

    def _level(self, command: SetLevel, command_id: str) -> CommandResult:
        result = self._trading.degrading.wish(command.level, command_id)
        self._trading.asking.plan_probe()
        return result

    def _force_run(self, command: ForceRun, command_id: str) -> CommandResult:
        agent = _agent(command.task)
        if agent is None:
            return _unknown_task(command.task)
        plan = self._trading.rebalancing.plans.current
        if agent is AgentName.PORTFOLIO:
            self._trading.rebalancing.force()
        self._analysis.run_task(agent)
        if agent is AgentName.PORTFOLIO and plan is not None:
            return CommandResult(True, f"{agent} ran; {plan.id} goes on: one plan at a time")
        return CommandResult(True, f"{agent} ran")

    def _enable_task(self, command: EnableTask, command_id: str) -> CommandResult:
        agent = _agent(command.task)
        if agent is None:
            return _unknown_task(command.task)
        self._analysis.agenda.enable(agent, command.enabled)
        return CommandResult(True, f"{agent} {'on' if command.enabled else 'off'}")


def _agent(name: str) -> AgentName | None:
    return AgentName(name) if name in AgentName.__members__.values() else None


def _unknown_task(name: str) -> CommandResult:
    known = ", ".join(agent.value for agent in AgentName)
    return CommandResult(False, f"no task {name!r}; there are {known}")
