"""What became of each proposal, read off the rows: every transition has one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from tradeterm.adapters.store.rows import StoredRow
from tradeterm.errors import IllegalStage
from tradeterm.model.money import plain
from tradeterm.model.stages import CARD_STAGES, Stage, step
from tradeterm.model.vocabulary import CardState

#: Kinds of rows that move a proposal.
MOVING: Final = frozenset(
    {
        "proposal", "conflict", "question", "resolution", "card", "verdict", "system", "order",
        "position",
    }
)  # fmt: skip
_DEAD: Final = frozenset({"cancelled", "expired", "rejected", "error"})
#: Purposes of the orders that a proposal itself sends.
_OWN: Final = frozenset({"entry", "exit"})
_REFUSED: Final = frozenset({"rejected", "halted"})


@dataclass(slots=True)
class Life:
    """One proposal."""

    id: str
    ts: int
    symbol: str
    agent: str
    side: str
    """``long`` or ``short``; ``close`` when it opens nothing."""
    stage: Stage | None = None
    path: list[tuple[int, Stage, str]] = field(default_factory=list)
    """(market ns, stage, the row that says so)."""
    position: str = ""
    outcome: str = ""
    """P&L of its position after all costs, once closed."""

    def as_dict(self) -> dict[str, Any]:
        """For a listing."""
        return {
            "id": self.id, "ts": self.ts, "symbol": self.symbol, "agent": self.agent,
            "side": self.side, "stage": None if self.stage is None else self.stage.value,
            "position_id": self.position, "outcome": self.outcome,
            "path": [{"ts": ts, "stage": stage.value, "row": row} for ts, stage, row in self.path],
        }  # fmt: skip


class Lives:
    """Fed the rows of a run in order; an illegal step is reported, and the life goes on from it."""

    def __init__(self, report: Callable[[str, str], None] | None = None) -> None:
        """``report(where, what)``."""
        self.found: dict[str, Life] = {}
        self._report = report
        self._of: dict[str, str] = {}
        """Conflict, resolution, card, verdict, order or position → its proposal."""
        self._verdicts: dict[str, tuple[int, str]] = {}
        self._takes: dict[str, Callable[[StoredRow, dict[str, Any]], None]] = {
            "proposal": self._proposal, "conflict": self._conflict, "question": self._question,
            "resolution": self._resolution, "card": self._card, "verdict": self._verdict,
            "system": self._system, "order": self._order, "position": self._position,
        }  # fmt: skip

    def take(self, row: StoredRow, body: dict[str, Any]) -> None:
        """One row."""
        take = self._takes.get(row.kind)
        if take is not None:
            take(row, body)

    def _move(self, proposal: str, stage: Stage, row_id: str, ts: int, where: str) -> None:
        life = self.found.get(proposal)
        if life is None:
            return
        try:
            step(proposal, life.stage, stage)
        except IllegalStage as error:
            if self._report is not None:
                self._report(where, str(error))
        life.stage = stage
        life.path.append((ts, stage, row_id))

    def _moved(self, proposal: str, stage: Stage, row: StoredRow) -> None:
        self._move(proposal, stage, row.id, row.ts, f"{row.kind} {row.id} (row {row.seq})")

    def _proposal(self, row: StoredRow, body: dict[str, Any]) -> None:
        intent = body["intent"]
        side = intent["side"] if intent else "close"
        self.found[row.id] = Life(row.id, row.ts, body["symbol"], body["agent"], side)
        self._of[row.id] = row.id
        self._moved(row.id, Stage.DETECTED, row)

    def _conflict(self, row: StoredRow, body: dict[str, Any]) -> None:
        self._of[row.id] = body["parent"]

    def _question(self, row: StoredRow, body: dict[str, Any]) -> None:
        if body["route"] != "probe":
            self._moved(body["proposal"]["id"], Stage.RESOLVING, row)

    def _resolution(self, row: StoredRow, body: dict[str, Any]) -> None:
        proposal = self._of[row.id] = self._of.get(body["parent"], "")
        if body["action"] == "wait":
            self._moved(proposal, Stage.WAITING, row)
        elif body["action"] == "abort":
            self._moved(proposal, Stage.ABORTED, row)

    def _card(self, row: StoredRow, body: dict[str, Any]) -> None:
        self._of[row.id] = body["proposal"]["id"]
        self._moved(body["proposal"]["id"], CARD_STAGES[CardState(body["state"])], row)

    def _verdict(self, row: StoredRow, body: dict[str, Any]) -> None:
        parent = body["parent"]
        proposal = self._of.get(parent)
        if proposal is None:
            return
        self._of[row.id] = proposal
        self._verdicts[row.id] = row.ts, f"verdict {row.id} (row {row.seq})"
        if body["status"] in _REFUSED and not parent.startswith("card-"):
            self._moved(proposal, Stage.VETOED, row)  # a card says itself what it came to

    def _system(self, row: StoredRow, body: dict[str, Any]) -> None:
        if body["code"] == "C-DROPPED" and row.parent in self.found:
            self._moved(row.parent, Stage.DROPPED, row)

    def _order(self, row: StoredRow, body: dict[str, Any]) -> None:
        proposal, purpose = self._of.get(row.id), body["request"]["purpose"]
        if proposal is None:
            proposal = self._of.get(row.parent)
            if proposal is not None and purpose in _OWN and not row.parent.startswith("pos-"):
                self._sent(row, body, proposal)
        elif self.found[proposal].stage is Stage.SENT:
            if body["status"] in _DEAD:
                self._moved(proposal, Stage.UNFILLED, row)
            elif purpose == "exit" and body["status"] == "filled":
                self._moved(proposal, Stage.FILLED, row)

    def _sent(self, row: StoredRow, body: dict[str, Any], proposal: str) -> None:
        self._of[row.id] = proposal
        request = body["request"]
        if request["purpose"] == "entry":
            ts, where = self._verdicts[row.parent]
            self._move(proposal, Stage.RISK, row.parent, ts, where)
            self.found[proposal].position = request["position_id"]
            self._of[request["position_id"]] = proposal
        self._moved(proposal, Stage.SENT, row)

    def _position(self, row: StoredRow, body: dict[str, Any]) -> None:
        proposal = self._of.get(row.id)
        if proposal is None:
            return
        life = self.found[proposal]
        if body["what"] == "opened":
            self._moved(proposal, Stage.FILLED, row)
        elif body["what"] == "closed":
            position = body["position"]
            costs = Decimal(position["fees"]) + Decimal(position["carry"])
            life.outcome = plain(Decimal(position["realised"]) - costs)
            self._moved(proposal, Stage.CLOSED, row)


def lives(rows: Iterable[StoredRow]) -> list[Life]:
    """All proposals among these rows, oldest first."""
    found = Lives()
    for row in rows:
        if row.kind in MOVING:
            found.take(row, row.data)
    return list(found.found.values())
