"""Rows as the engine writes them: one whole trade, and fillers."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from tradeterm.adapters.store.migrations import MIGRATIONS, Migration
from tradeterm.model.account import Entry, Posting
from tradeterm.model.commands import ApproveCard
from tradeterm.model.messages import Row, Settled, SystemEvent
from tradeterm.model.orders import Fill, Order, OrderRequest, Position
from tradeterm.model.outputs import Published, TechnicalView, TradeSignal
from tradeterm.model.ports import ArbiterQuestion
from tradeterm.model.proposals import (
    Card,
    CardRow,
    Conflict,
    Consensus,
    Proposal,
    Resolution,
    RuleOutcome,
    TradeIntent,
    Verdict,
)
from tradeterm.model.vocabulary import (
    AccountBook,
    Action,
    AgentName,
    Bias,
    CardState,
    ConflictType,
    Evidence,
    ExitReason,
    Liquidity,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    ResolutionAction,
    ResolvedBy,
    Side,
    VerdictStatus,
)

START = 1_750_000_000_000_000_000
SECOND = 1_000_000_000


class Story:
    """Collects rows; time passes one second per row."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.now = START

    def tell(self, kind: str, row_id: str, parent: str, body: object) -> None:
        self.now += SECOND
        self.rows.append(
            Row(self.now, kind, row_id, parent, len(self.rows) + 1, msgspec.json.encode(body))
        )


def filler(count: int, first: int = 1) -> list[Row]:
    """Rows that project nothing."""
    return [
        Row(
            START + n,
            "system",
            f"sys-{n}",
            "",
            n,
            msgspec.json.encode(SystemEvent("feed_gap", "info", f"number {n} " + "x" * 120)),
        )
        for n in range(first, first + count)
    ]


def run_started(name: str = "run-1") -> Row:
    return Row(
        START,
        "run_started",
        name,
        "",
        0,
        msgspec.json.encode({"run": name, "settings": {"risk": {"max_leverage": 5}}}),
    )


def order(
    row_id: str,
    verdict: str,
    purpose: Purpose,
    side: Side,
    size: str = "0.5",
    position: str | None = None,
    parent: str = "",
) -> Order:
    request = OrderRequest(
        id=row_id,
        symbol="BTC/USDT",
        side=side,
        type=OrderType.MARKET,
        size=Decimal(size),
        purpose=purpose,
        book=AccountBook.MARGIN,
        parent=parent or verdict,
        reduce_only=purpose is not Purpose.ENTRY,
        position_id=position,
        stop=Decimal("99000.0") if purpose is Purpose.ENTRY else None,
    )
    return Order(request, verdict, OrderStatus.PENDING, START, START)


def fill(row_id: str, of: Order, size: str, price: str, fee: str) -> Fill:
    return Fill(
        row_id,
        START,
        of.id,
        "BTC/USDT",
        of.request.side,
        AccountBook.MARGIN,
        Decimal(price),
        Decimal(size),
        Decimal(fee),
        "USDT",
        Decimal(1),
        Liquidity.TAKER,
        Evidence.BOOK_WALK,
        "pos-1",
    )


def _outputs(story: Story) -> None:
    view = TechnicalView(
        "BTC/USDT",
        Bias.LONG,
        0.62,
        0.5,
        1.0,
        1.25,
        "neutral",
        "above",
        99000.0,
        101000.0,
        {"ema_9": 100000.5},
        "up",
    )
    story.tell(
        "agent_output",
        "out-1",
        "",
        Published(
            "out-1",
            story.now,
            AgentName.TECHNICAL,
            "RULES",
            (),
            view,
        ),
    )
    signal = TradeSignal(
        "BTC/USDT",
        Action.BUY,
        0.7,
        Decimal(100000),
        Decimal(99000),
        Decimal(103000),
        Decimal("0.5"),
        Decimal(2),
        {},
        "go",
    )
    story.tell(
        "agent_output",
        "out-2",
        "",
        Published(
            "out-2",
            story.now,
            AgentName.TRADING,
            "RULES",
            ("out-1",),
            signal,
        ),
    )


def _decision(story: Story) -> None:
    intent = TradeIntent(
        "BTC/USDT",
        PositionSide.LONG,
        Decimal("0.5"),
        Decimal("100000.0"),
        Decimal("99000.0"),
        Decimal("103000.0"),
        Decimal(2),
        Decimal("0.7"),
    )
    proposal = Proposal(
        "prop-1",
        story.now,
        story.now + 120 * SECOND,
        "out-2",
        ("out-1", "out-2"),
        "trading_decision",
        intent,
        "BTC/USDT",
        (),
        Consensus(0.5, 1.0, {"ta": "long"}),
    )
    story.tell("proposal", "prop-1", "out-2", proposal)
    conflict = Conflict(
        "conf-1",
        story.now,
        "prop-1",
        "BTC/USDT",
        (ConflictType.TA_SENTIMENT,),
        0.4,
        ("TA long .62 vs sentiment short .55",),
    )
    story.tell("conflict", "conf-1", "prop-1", conflict)
    question = ArbiterQuestion("ask-1", story.now, proposal, conflict, None, 0.7, 0.5, 1, 1, 1)
    story.tell("question", "ask-1", "conf-1", question)
    resolution = Resolution(
        "res-1",
        story.now,
        "conf-1",
        ResolutionAction.PROCEED,
        ResolvedBy.RULES,
        "rules",
        0.6,
        "older side loses",
    )
    story.tell("resolution", "res-1", "conf-1", resolution)
    verdict = Verdict(
        "ver-1",
        story.now,
        "prop-1",
        VerdictStatus.APPROVED,
        (),
        (RuleOutcome("leverage", "LEVERAGE", "2", "5", "pass"),),
        intent,
        intent.content_hash(),
        "1.1",
    )
    story.tell("verdict", "ver-1", "prop-1", verdict)
    card = Card(
        "card-1",
        story.now,
        story.now + 120 * SECOND,
        "res-1",
        proposal,
        conflict,
        resolution,
        intent,
        intent.content_hash(),
        verdict,
        Decimal("100000.0"),
        Decimal("0.005"),
    )
    story.tell("card", "card-1", "res-1", CardRow.of(card))
    command = ApproveCard(card_id="card-1", content_hash=intent.content_hash())
    story.tell("command", "cmd-1", "", command)
    decided = replace(card, state=CardState.APPROVED, decided=story.now, decided_by="operator")
    story.tell("card", "card-1", "cmd-1", CardRow.of(decided))


def position(**changes: object) -> Position:
    position = Position(
        id="pos-1",
        symbol="BTC/USDT",
        side=PositionSide.LONG,
        size=Decimal("0.5"),
        entry=Decimal("100000.0"),
        leverage=Decimal(2),
        collateral=Decimal("25000.00"),
        opened=START,
        updated=START,
        order_id="PAPER-1",
        agent="trading_decision",
        stop=Decimal("99000.0"),
        target=Decimal("103000.0"),
        opened_size=Decimal("0.5"),
        fees=Decimal("2.00"),
    )
    return replace(position, **changes)


def entry(row_id: str, kind: str, parent: str, *legs: tuple[str, str]) -> Entry:
    return Entry(
        row_id,
        START,
        kind,
        parent,
        tuple(Posting(where, "USDT", Decimal(sum_)) for where, sum_ in legs),
    )


def _book(story: Story, one: Entry) -> None:
    story.tell("entry", one.id, one.parent, one)


def _opening(story: Story) -> None:
    buy = order("PAPER-1", "ver-1", Purpose.ENTRY, Side.BUY)
    story.tell("order", "PAPER-1", "ver-1", buy)
    first = replace(
        buy, status=OrderStatus.PARTIALLY_FILLED, filled=Decimal("0.2"), average=Decimal(100000)
    )
    story.tell("order", "PAPER-1", "ver-1", first)
    story.tell("fill", "fill-1", "PAPER-1", fill("fill-1", buy, "0.2", "100000.0", "0.80"))
    done = replace(first, status=OrderStatus.FILLED, filled=Decimal("0.5"))
    story.tell("order", "PAPER-1", "ver-1", done)
    story.tell("fill", "fill-2", "PAPER-1", fill("fill-2", buy, "0.3", "100000.0", "1.20"))
    story.tell("position", "pos-1", "fill-2", {"what": "opened", "position": position()})
    _book(
        story,
        entry(
            "entry-2",
            "open",
            "fill-2",
            ("trading", "-25000.00"),
            ("margin:pos-1", "25000.00"),
        ),
    )
    _book(story, entry("entry-3", "fee", "fill-2", ("trading", "-2.00"), ("fees", "2.00")))
    stop = order("PAPER-2", "ver-1", Purpose.STOP, Side.SELL, position="pos-1", parent="pos-1")
    story.tell("order", "PAPER-2", "pos-1", stop)
    story.tell("order", "PAPER-2", "pos-1", replace(stop, status=OrderStatus.OPEN))


def _closing(story: Story) -> None:
    stop = order("PAPER-2", "ver-1", Purpose.STOP, Side.SELL, position="pos-1", parent="pos-1")
    done = replace(
        stop, status=OrderStatus.FILLED, filled=Decimal("0.5"), average=Decimal("99000.0")
    )
    story.tell("order", "PAPER-2", "pos-1", done)
    story.tell("fill", "fill-3", "PAPER-2", fill("fill-3", stop, "0.5", "99000.0", "0"))
    _book(
        story,
        entry(
            "entry-4",
            "close",
            "fill-3",
            ("margin:pos-1", "-25000.00"),
            ("trading", "24500.00"),
            ("pnl", "500.00"),
        ),
    )
    story.tell(
        "position",
        "pos-1",
        "fill-3",
        {
            "what": "closed",
            "position": position(
                size=Decimal(0),
                collateral=Decimal(0),
                realised=Decimal("-500.00"),
                closed=story.now,
                exit=Decimal("99000.0"),
                exit_reason=ExitReason.STOP,
            ),
        },
    )
    story.tell(
        "settled", "settled-1", "pos-1", Settled("pos-1", Decimal("-502.00"), Decimal("2.00"))
    )


def trade(*, closed: bool = True, start: Iterable[Row] = ()) -> list[Row]:
    """A conflicted signal, approved, filled, protected and (unless told) stopped out."""
    story = Story()
    story.rows.extend(start or [run_started()])
    story.tell("state", "state-1", "", {"state": "running", "reason": "start"})
    story.tell("level", "level-1", "", {"level": "NORMAL", "cause": ""})
    _book(
        story,
        entry(
            "entry-1",
            "deposit",
            "",
            ("external", "-100000.00"),
            ("trading", "100000.00"),
        ),
    )
    story.tell("equity", "eq-1", "", {"marks": [[story.now, "100000.00"], [story.now, "99999"]]})
    _outputs(story)
    _decision(story)
    _opening(story)
    if closed:
        _closing(story)
    return story.rows


#: The schema's future, for tests of migrations.
LATER_STEPS = (
    *MIGRATIONS,
    Migration(len(MIGRATIONS) + 1, "notes", ("CREATE TABLE notes (a)", "CREATE TABLE more (b)")),
    Migration(
        len(MIGRATIONS) + 2,
        "fill",
        ("INSERT INTO notes VALUES (1)", "ALTER TABLE more ADD COLUMN c"),
    ),
)
