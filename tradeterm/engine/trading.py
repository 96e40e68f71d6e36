"""From a signal to an order: consensus, conflict, arbiter, operator, risk, in that order."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.coordinator.coordinator import Considered, Coordinator, CoordinatorState
from tradeterm.coordinator.degradation import Permission
from tradeterm.coordinator.evidence import Evidence
from tradeterm.engine.approver import Approver
from tradeterm.engine.asking import Asking, AskingState
from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.degrading import Degrading, DegradingState
from tradeterm.engine.ghosts import Ghosts, GhostsState
from tradeterm.engine.hearing import ANALYSTS, Hearing
from tradeterm.engine.hodling import Hodling, HodlingState
from tradeterm.engine.judging import Judged, Judging
from tradeterm.engine.rebalancing import Rebalancing, RebalancingState
from tradeterm.engine.refused import Refusal, Refused
from tradeterm.engine.spotting import Spotting
from tradeterm.model.account import AccountView
from tradeterm.model.commands import CommandResult
from tradeterm.model.messages import Message
from tradeterm.model.orders import Order, Position
from tradeterm.model.outputs import AllocationView, Published, TradeSignal
from tradeterm.model.ports import ArbiterAnswer
from tradeterm.model.proposals import (
    Card,
    CardRow,
    Conflict,
    NoConflict,
    Proposal,
    Resolution,
    Verdict,
)
from tradeterm.model.settling import Settle
from tradeterm.model.stages import CARD_ENDS, CARD_STAGES, ProposalEnd, Stage
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    Action,
    AgentName,
    CardState,
    ConflictType,
    ExitReason,
    Purpose,
    ResolutionAction,
    RunState,
    Side,
    Topic,
)
from tradeterm.risk.engine import RiskEngine

#: The entries a signal contradicts: those that still wait for their price are withdrawn.
_AGAINST: Final = {
    Action.BUY: Side.SELL,
    Action.CLOSE_SHORT: Side.SELL,
    Action.SELL: Side.BUY,
    Action.CLOSE_LONG: Side.BUY,
}

LOOKED_FOR: Final = tuple(ConflictType)


class TradingState(msgspec.Struct):
    """What waits: questions at the advisor, entries that follow a close."""

    coordinator: CoordinatorState
    asking: AskingState
    reopen: dict[str, str]
    rebalancing: RebalancingState
    hodling: HodlingState
    judged: list[Judged]
    ghosts: GhostsState
    degrading: DegradingState
    refused: dict[str, Refusal] = msgspec.field(default_factory=dict)


class Trading:
    """The pipeline; every step writes its row and names its parent."""

    def __init__(self, core: Core, books: Books, risk: RiskEngine, approver: Approver) -> None:
        """``approver`` is told when a card opens."""
        self._core = core
        self._books = books
        self.hearing = Hearing(core)
        self.judging = Judging(core, books, risk, self.hearing)
        spotting = Spotting(core, books, self.judging)
        self.rebalancing = Rebalancing(core, books, spotting, self._busy_symbols)
        self.hodling = Hodling(core, books, spotting)
        self._approver = approver
        self.coordinator = Coordinator(
            core.settings.orchestration, core.journal.new_id, core.settings.risk.correlation
        )
        self.degrading = Degrading(core, self.coordinator.degradation)
        self.asking = Asking(core, books.portfolio, self.coordinator, self.degrading)
        self.ghosts = Ghosts(core, books)
        self._refused = Refused(core, books)
        self.watching = False
        """Whether a card is pending: prices are compared with it then."""
        self._reopen: dict[str, str] = {}
        """Position being closed → id of the signal that opens the other side afterwards."""
        books.on_closed = self._position_closed
        books.on_spot_ended = self._spot_ended
        for topic in ANALYSTS.values():
            core.bus.subscribe(topic, "coordinator", self._on_view)
        core.bus.subscribe(Topic.TRADING_SIGNALS, "coordinator", self._on_signal)
        core.bus.subscribe(Topic.PORTFOLIO_UPDATES, "coordinator", self._on_allocation, Published)

    @property
    def next_due(self) -> int:
        """When a card or a parked proposal expires next."""
        return self.coordinator.next_due

    def pending_cards(self) -> list[Card]:
        """Cards waiting for the operator, oldest first."""
        return self.coordinator.pending()

    # -- from the agents -------------------------------------------------------------------

    def _on_view(self, message: Message) -> None:
        """An analyst spoke: parked proposals that waited for it are argued again."""
        now, published = self._core.now, message.payload
        assert isinstance(published, Published)
        for proposal in self.coordinator.release(published.agent, message.symbol, now):
            if self._core.state is not RunState.RUNNING:
                self._dropped(proposal, self._core.state.value, ProposalEnd.VOIDED)
                continue
            considered = self.coordinator.reconsider(
                proposal, self._evidence(proposal.symbol), self._books.account(), now
            )
            if considered is not None:
                self._argue(considered)
            else:
                self._dropped(proposal, "nothing is left to do", ProposalEnd.VOIDED)

    def _moves(self, proposal: Proposal, stage: Stage) -> None:
        """Before anything follows from it: IllegalStage when it may not get there."""
        self.coordinator.proceedings.moves(proposal.id, stage)

    def _dropped(self, proposal: Proposal, why: str, end: ProposalEnd) -> None:
        """A proposal ends without an order or a card: say so."""
        self._moves(proposal, Stage.DROPPED)
        self._core.alert(
            "C-DROPPED", "info", f"{proposal.symbol} {proposal.id}: {why}", proposal.id
        )
        self.ghosts.ended(proposal, end, proposal.id)

    def _on_signal(self, message: Message) -> None:
        """A trading decision was published."""
        published = message.payload
        assert isinstance(published, Published)
        signal = published.output
        assert isinstance(signal, TradeSignal)
        if signal.action is Action.HOLD:
            return
        self._core.counters.signals += 1
        self._books.withdraw(signal.symbol, _AGAINST[signal.action], f"against {published.id}")
        # Under a breaker the proposal is made and vetoed, so that the refusal can be explained.
        if self._core.state is RunState.RUNNING or (
            self._core.tripped and not self._refused.again(signal.symbol, signal.action)
        ):
            self._consider(published, signal.symbol)

    def _consider(self, published: Published, symbol: str, closed: str = "") -> None:
        """Propose what a signal asks for; ``closed`` is the position it turns around."""
        core, account = self._core, self._books.account()
        evidence = self._evidence(symbol)
        if closed:
            considered = self.coordinator.reverse(published, evidence, account, core.now, closed)
        else:
            considered = self.coordinator.consider(published, evidence, account, core.now)
        if considered is None:
            return
        core.counters.routed += 1
        proposal = considered.proposal
        self._moves(proposal, Stage.DETECTED)
        core.journal.write("proposal", proposal.id, published.id, proposal)
        self._argue(considered, account)

    def _evidence(self, symbol: str) -> Evidence:
        held = (position.symbol for position in self._books.execution.positions.values())
        return self.hearing.evidence(symbol, held, rebalance_pending=self.rebalancing.waits)

    # -- the argument ----------------------------------------------------------------------

    def _argue(self, considered: Considered, account: AccountView | None = None) -> None:
        """Veto first (risk outranks everybody), then conflict, then straight to the venue."""
        core = self._core
        proposal, verdict = considered.proposal, None
        if proposal.intent is not None:
            verdict = self.judging.margin(proposal.intent, proposal.id, account)
            considered = self.coordinator.weigh(considered, verdict, core.now)
            if not verdict.allows:
                self._moves(proposal, Stage.VETOED)
                self._refused.note(proposal.intent)
                self.ghosts.ended(proposal, ProposalEnd.VETOED, verdict.id)
                return
        if considered.conflict is not None:
            self._ask(proposal, considered.conflict)
            return
        clear = NoConflict(proposal.symbol, LOOKED_FOR, proposal.consensus.agreeing)
        core.journal.write("no_conflict", core.journal.new_id("clear"), proposal.id, clear)
        self._send(proposal, verdict, proposal.id)

    def _ask(self, proposal: Proposal, conflict: Conflict) -> None:
        core = self._core
        core.journal.write("conflict", conflict.id, proposal.id, conflict)
        for kind in conflict.types:
            core.count(core.counters.detected, kind.value)
        if self.asking.settled_by(conflict) is Settle.BLOCK:
            self._block(proposal, conflict)
            return
        self._moves(proposal, Stage.RESOLVING)
        question = self.coordinator.question(
            proposal, conflict, self._evidence(proposal.symbol), core.now
        )
        self.asking.ask(question)

    def _block(self, proposal: Proposal, conflict: Conflict) -> None:
        """By the settings this kind of conflict ends its proposal: nobody is asked."""
        core = self._core
        resolution = self.coordinator.blocked(conflict, core.now)
        core.journal.write("resolution", resolution.id, conflict.id, resolution)
        core.count(core.counters.resolved, resolution.action.value)
        self._moves(proposal, Stage.ABORTED)
        self.ghosts.ended(proposal, ProposalEnd.ABORTED, resolution.id)

    def answered(self, answer: ArbiterAnswer, answer_id: str) -> None:
        """An arbiter's answer enters: inside its bounds it becomes a resolution."""
        core = self._core
        question = self.asking.take(answer, answer_id)
        if question is None:  # a probe's, or a halt ended the argument meanwhile
            self.show_judgement()
            return
        resolution = self.coordinator.resolve(question, answer, core.now)
        core.journal.write("resolution", resolution.id, answer_id, resolution)
        core.count(core.counters.resolved, resolution.action.value)
        self.show_judgement()
        if core.state is not RunState.RUNNING:
            self._dropped(question.proposal, core.state.value, ProposalEnd.VOIDED)
        elif resolution.action is ResolutionAction.WAIT:
            if self.coordinator.park(question.proposal, question.conflict, core.now):
                self._moves(question.proposal, Stage.WAITING)
            else:
                self._dropped(question.proposal, "has waited long enough", ProposalEnd.WAITED)
        elif resolution.action is ResolutionAction.ABORT:
            self._moves(question.proposal, Stage.ABORTED)
            self.ghosts.ended(question.proposal, ProposalEnd.ABORTED, resolution.id)
        else:
            self._open_card(question.proposal, question.conflict, resolution)

    def show_judgement(self) -> None:
        """An answer was judged: the level may have changed."""
        self.degrading.judge_budget()
        self.asking.plan_probe()

    def _open_card(self, proposal: Proposal, conflict: Conflict, resolution: Resolution) -> None:
        """Ask the operator, if risk would let the resolved trade through at all."""
        core = self._core
        intent, verdict = self.coordinator.apply(resolution, proposal), None
        if intent is not None:
            verdict = self.judging.margin(intent, resolution.id, for_card=True)
            if not verdict.allows:
                self._moves(proposal, Stage.VETOED)
                self.ghosts.ended(proposal, ProposalEnd.VETOED, verdict.id)
                return
            intent = verdict.intent
        price = self._books.portfolio.mid(proposal.symbol)
        if price is None:
            core.risk_alert("R-NO-PRICE", "warning", f"{proposal.symbol} has no price: no card")
            self._dropped(proposal, "there is no price", ProposalEnd.VOIDED)
            return
        self._moves(proposal, Stage.AWAITING)
        card = self.coordinator.open_card(
            proposal, conflict, resolution, intent, verdict, price, core.now
        )
        parent = verdict.id if verdict else resolution.id
        core.journal.write("card", card.id, parent, CardRow.of(card))
        self.watching = True
        core.journal.show()
        self._approver.card_opened(card, core.timers)

    # -- the operator ----------------------------------------------------------------------

    def approve(
        self, card_id: str, content_hash: str, actor: str, command_id: str
    ) -> CommandResult:
        """Approve exactly what the operator saw; risk has the last word at this very moment."""
        core = self._core
        card = self.coordinator.card(card_id)
        verdict = None
        if card is not None and card.intent is not None:
            verdict = self.judging.margin(card.intent, card.id)
        mid = None if card is None else self._books.portfolio.mid(card.proposal.symbol)
        decision = self.coordinator.approve(card_id, content_hash, core.now, actor, verdict, mid)
        if decision.card is not None:
            vetoed = verdict is not None and decision.card.state is CardState.VOID
            self._card_ended(decision.card, verdict.id if verdict and vetoed else command_id)
            if decision.accepted:
                self._send(decision.card.proposal, verdict, decision.card.id)
        return CommandResult(decision.accepted, decision.text)

    def reject(
        self, card_id: str, actor: str, command_id: str, also: bool = False
    ) -> CommandResult:
        """No trade; ``also``: as one refusal with the one before."""
        decision = self.coordinator.reject(card_id, self._core.now, actor, also)
        if decision.card is not None:
            self._card_ended(decision.card, command_id)
        return CommandResult(decision.accepted, decision.text)

    def waits_again(self, card: Card) -> None:
        """A refusal was taken back: it counts as none."""
        self._moves(card.proposal, Stage.AWAITING)
        self._core.counters.cards[CardState.REJECTED.value] -= 1
        self.ghosts.withdraw(card.proposal.id)
        self.watching = True
        self._approver.card_opened(card, self._core.timers)

    def void_all(self, reason: str, parent: str) -> int:
        """End every card (a halt); how many there were."""
        self._reopen.clear()
        for question in self.asking.forget():
            self._dropped(question.proposal, reason, ProposalEnd.VOIDED)
        for proposal in self.coordinator.parked():
            self._dropped(proposal, reason, ProposalEnd.VOIDED)
        ended = self.coordinator.void_all(self._core.now, "halt", reason)
        for card in ended:
            self._card_ended(card, parent)
        return len(ended)

    def tick(self) -> None:
        """Let cards and parked proposals expire, and cards drift away."""
        for card in self.coordinator.tick(self._core.now, self._mids()):
            self._card_ended(card, card.parent)
        for proposal in self.coordinator.expire_parked(self._core.now):
            self._dropped(proposal, "waited its time without being settled", ProposalEnd.WAITED)

    def _card_ended(self, card: Card, parent: str) -> None:
        core = self._core
        self._moves(card.proposal, CARD_STAGES[card.state])
        core.journal.write("card", card.id, parent, CardRow.of(card))
        core.count(core.counters.cards, card.state.value)
        self.watching = bool(self.coordinator.pending())
        if card.state is not CardState.APPROVED:
            self.ghosts.ended(card.proposal, CARD_ENDS[card.state], card.id, card.intent)

    # -- risk and the venue ----------------------------------------------------------------

    def _send(self, proposal: Proposal, verdict: Verdict | None, parent: str) -> None:
        """Closes first (they follow from ``parent``); an entry only with a verdict of now."""
        core, execution = self._core, self._books.execution
        self._moves(proposal, Stage.SENT)
        for position_id in proposal.close_ids:
            position = execution.positions.get(position_id)
            if position is None or self._books.is_closing(position_id):
                continue
            if proposal.reopens:
                self._reopen[position_id] = proposal.parent
            self._books.close(position, ExitReason.SIGNAL, parent)
        if verdict is None or verdict.intent is None:
            return
        request = execution.requests.entry(verdict.intent, core.now, verdict.id, proposal.agent)
        self.judging.send(verdict, request)
        self.ghosts.ended(proposal, ProposalEnd.SENT, verdict.id, verdict.intent)

    def _position_closed(self, position: Position, _fill: str) -> None:
        """The other side is a new proposal with a verdict of its own, once this one is gone."""
        self.hodling.position_closed(position)
        signal_id = self._reopen.pop(position.id, None)
        core = self._core
        if signal_id is None or signal_id in self._reopen.values():
            return
        window = core.settings.orchestration.ttl[Topic.TRADING_SIGNALS] * SECOND
        message = core.bus.latest(
            Topic.TRADING_SIGNALS, position.symbol, AgentName.TRADING.value, core.now, window
        )
        signal = message.payload if message is not None else None
        if isinstance(signal, Published) and signal.id == signal_id:
            self._consider(signal, position.symbol, position.id)
        else:
            text = f"{position.symbol} is not turned around: {signal_id} is no longer the newest"
            core.alert("C-DROPPED", "info", text, position.id)

    # -- the portfolio ---------------------------------------------------------------------

    def _on_allocation(self, message: Message) -> None:
        """Act on a rebalance; a trading decision under way on the same symbols goes first."""
        published = message.payload
        assert isinstance(published, Published)  # of a position that changed nobody is told
        allocation = published.output
        assert isinstance(allocation, AllocationView)
        if self._core.state is RunState.RUNNING:
            self.rebalancing.act(allocation, published.id)

    def _busy_symbols(self) -> set[str]:
        """Symbols on which a trading decision is under way."""
        return self.coordinator.busy_symbols() | self.asking.symbols()

    def _spot_ended(self, order: Order) -> None:
        """A purchase for the bag or an order of a plan came to its end."""
        if order.request.purpose is Purpose.HODL:
            self.hodling.order_ended(order)
        else:
            self.rebalancing.plans.order_ended(order)

    def permits(self, permission: Permission) -> bool:
        """What the degradation level still allows."""
        return self.coordinator.degradation.permits(permission)

    def _mids(self) -> dict[str, Decimal]:
        mid = self._books.portfolio.mid
        mids = ((symbol, mid(symbol)) for symbol in self._core.market.symbols)
        return {symbol: mid for symbol, mid in mids if mid is not None}

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> TradingState:
        """For a snapshot."""
        return TradingState(
            self.coordinator.dump(),
            self.asking.dump(),
            dict(self._reopen),
            self.rebalancing.dump(),
            self.hodling.dump(),
            list(self.judging.recent),
            self.ghosts.dump(),
            self.degrading.dump(),
            self._refused.dump(),
        )

    def load(self, state: TradingState) -> None:
        """Continue as the dumped pipeline would."""
        self.coordinator.load(state.coordinator)
        self.asking.load(state.asking)
        self._reopen = dict(state.reopen)
        self.rebalancing.load(state.rebalancing)
        self.hodling.load(state.hodling)
        self.judging.recent.clear()
        self.judging.recent.extend(state.judged)
        self.ghosts.load(state.ghosts)
        self.watching = bool(self.coordinator.pending())
        self.degrading.load(state.degrading)
        self._refused.load(state.refused)
