"""Read-only questions to the book of record; a running console never notices them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tradeterm.adapters.store.faults import damaged
from tradeterm.adapters.store.inspection import header_of, open_readonly, translated
from tradeterm.adapters.store.lock import Holder, current_holder
from tradeterm.adapters.store.migrations import pending
from tradeterm.adapters.store.paths import locate
from tradeterm.adapters.store.rows import Snapshot, StoredRow
from tradeterm.adapters.store.schema import APPLICATION_ID, COLUMNS
from tradeterm.errors import StoreAbsent, StoreError
from tradeterm.model.money import ZERO
from tradeterm.model.reconciling import DifferenceState

Record = dict[str, Any]

#: Rows fetched at once: every page is a transaction of its own, so the log can be checkpointed.
PAGE = 2000
_ROW = "seq, ts, kind, id, parent, input, CAST(body AS BLOB), hash"
#: Rows that say what was answered, for a conflict or for an agent.
_ANSWERS = "kind IN ('answer', 'agent_answer')"
_WORKING = "('pending', 'open', 'partially_filled')"
#: Columns holding JSON arrays.
_LISTS = {
    "conflicts": {"types", "evidence"},
    "verdicts": {"codes"},
    "plans": {"legs"},
    "agent_outputs": {"inputs"},
}


class Reader:
    """Answers about one run (default: the current one) from the file alone."""

    def __init__(self, path: Path | None = None, run: int | None = None) -> None:
        self.paths = locate(path)
        if not self.paths.db.exists():
            raise StoreAbsent(
                f"no store at {self.paths.db}; start `tradeterm` once, or name one with --db"
            )
        header_of(self.paths.db)
        with translated(self.paths.db, "read"):
            self._db = open_readonly(self.paths)
            try:
                self._refuse_strangers()
                self.run: int = self._newest_run() if run is None else run
            except BaseException:
                self._db.close()
                raise

    def _refuse_strangers(self) -> None:
        if self._db.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            raise damaged(
                self.paths.db,
                "a SQLite database of some other program, not a tradeterm store",
                "use --db with another file",
            )
        if pending(self._db, self.paths.db):
            raise StoreError(
                f"{self.paths.db} has an older schema; start `tradeterm` once to bring it up to date"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # -- plumbing ---------------------------------------------------------------------------

    def _query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with translated(self.paths.db, "read"):
            return self._db.execute(sql, parameters).fetchall()

    def _table(self, table: str, rest: str = "ORDER BY seq", *parameters: object) -> list[Record]:
        columns = COLUMNS[table]
        found = self._query(
            f"SELECT {', '.join(columns)} FROM {table} WHERE run = ? {rest}",  # noqa: S608 - own
            self.run,
            *parameters,
        )
        lists = _LISTS.get(table, set())
        return [_record(columns, values, lists) for values in found]

    def _rows(self, rest: str, *parameters: object) -> list[StoredRow]:
        return [
            StoredRow(*values)
            for values in self._query(
                f"SELECT {_ROW} FROM journal {rest}",  # noqa: S608 - own words
                *parameters,
            )
        ]

    def _newest_run(self) -> int:
        (run,) = self._query("SELECT coalesce(max(run), 0) FROM runs")[0]
        return int(run)

    # -- the run ----------------------------------------------------------------------------

    def span(self) -> tuple[int, int]:
        """First and last row number of the run (last < first: no rows)."""
        starts = self._query(
            "SELECT coalesce(min(CASE WHEN run = ? THEN seq END), 1),"
            " min(CASE WHEN run > ? THEN seq END) FROM runs",
            self.run,
            self.run,
        )
        first, following = starts[0]
        return int(first), int(following) - 1 if following else self.last_seq()

    def last_seq(self) -> int:
        """Number of the last row in the file."""
        (seq,) = self._query("SELECT coalesce(max(seq), 0) FROM journal")[0]
        return int(seq)

    def holder(self) -> Holder | None:
        """The process that writes the store now, if any."""
        return current_holder(self.paths)

    def run_info(self) -> Record:
        """``run``, ``first_seq``, ``last_seq``, ``started`` and ``session`` (decoded bodies of the
        run's start and of its newest start or resume), ``finished`` (body or None), ``sessions``.
        """
        sessions = self._table("sessions")
        first, last = self.span()
        starts = [x for x in sessions if x["kind"] != "run_finished"]
        ended = sessions and sessions[-1]["kind"] == "run_finished"
        return {
            "run": self.run,
            "first_seq": first,
            "last_seq": last,
            "sessions": sessions,
            "started": self._body(starts[0]["seq"]) if starts else None,
            "session": self._body(starts[-1]["seq"]) if starts else None,
            "finished": self._body(sessions[-1]["seq"]) if ended else None,
        }

    def _body(self, seq: int) -> Record:
        row = self.row(seq)
        return {} if row is None else row.data

    def state(self) -> Record:
        """``state`` and ``level``: each ``{value, since, reason, seq}`` or None."""
        found = {row["what"]: row for row in self._table("coordinator_state")}
        return {"state": found.get("state"), "level": found.get("level")}

    # -- tables -----------------------------------------------------------------------------

    def positions(self, *, everything: bool = False) -> list[Record]:
        """Open positions, or all of the run."""
        return self._table(
            "positions", f"{'' if everything else 'AND closed IS NULL'} ORDER BY seq"
        )

    def orders(self, *, everything: bool = False, limit: int = -1) -> list[Record]:
        """Working orders, or all of the run (newest first)."""
        where = "" if everything else f"AND status IN {_WORKING}"
        return self._table("orders", f"{where} ORDER BY seq DESC LIMIT ?", limit)

    def fills(self, order: str | None = None, limit: int = -1) -> list[Record]:
        """Fills, newest first, of all orders or one."""
        where, chosen = ("", ()) if order is None else ("AND order_id = ?", (order,))
        return self._table("fills", f"{where} ORDER BY seq DESC LIMIT ?", *chosen, limit)

    def postings(self, limit: int = -1) -> list[Record]:
        """Ledger postings, newest first."""
        return self._table("postings", "ORDER BY seq DESC, n LIMIT ?", limit)

    def plans(self, *, everything: bool = False) -> list[Record]:
        """Rebalances under way, or all of the run, oldest first."""
        where = "" if everything else "AND status IN ('open', 'paused')"
        return self._table("plans", f"{where} ORDER BY created, id")

    def differences(self, *, everything: bool = False) -> list[Record]:
        """Differences with the venue nobody settled, or all of the run, oldest first."""
        return self._table("differences", f"{'' if everything else 'AND state = ?'} ORDER BY ts, id",
                           *(() if everything else (DifferenceState.OPEN.value,)))  # fmt: skip

    def conflicts(self, limit: int = -1) -> list[Record]:
        """Conflicts, newest first, each with its ``resolution`` and ``card`` (or None)."""
        found = self._table("conflicts", "ORDER BY seq DESC LIMIT ?", limit)
        answers = {row["parent"]: row for row in self._table("resolutions")}
        cards = {row["conflict_id"]: row for row in self._table("approvals")}
        for row in found:
            row["resolution"], row["card"] = answers.get(row["id"]), cards.get(row["id"])
        return found

    def cards(self, state: str | None = None) -> list[Record]:
        """Approval cards as they stand (decoded Card bodies), oldest first."""
        where, chosen = ("", ()) if state is None else ("AND state = ?", (state,))
        return [
            self._body(card["seq"])
            for card in self._table("approvals", f"{where} ORDER BY ts, id", *chosen)
        ]

    def verdicts(self, limit: int = -1) -> list[Record]:
        """Risk verdicts, newest first."""
        return self._table("verdicts", "ORDER BY seq DESC LIMIT ?", limit)

    def agent_outputs(self, limit: int = -1) -> list[Record]:
        """Agent outputs, newest first (``seq`` leads to the full text in the journal)."""
        return self._table("agent_outputs", "ORDER BY seq DESC LIMIT ?", limit)

    def votes(self, limit: int = -1) -> list[Record]:
        """What each model said in an agent's place, newest answer first."""
        return self._table("votes", "ORDER BY seq DESC, n LIMIT ?", limit)

    def balances(self) -> dict[str, dict[str, Decimal]]:
        """Account → asset → sum of postings, zero balances left out."""
        sums: dict[str, dict[str, Decimal]] = {}
        with translated(self.paths.db, "read"):
            cursor = self._db.execute(
                "SELECT account, asset, amount FROM postings WHERE run = ?", (self.run,)
            )
            for account, asset, amount in cursor:
                assets = sums.setdefault(account, {})
                assets[asset] = assets.get(asset, ZERO) + Decimal(amount)
        kept = {
            account: {asset: amount for asset, amount in sorted(assets.items()) if amount}
            for account, assets in sorted(sums.items())
        }
        return {account: assets for account, assets in kept.items() if assets}

    def equity(self, since: int = 0) -> list[tuple[int, Decimal]]:
        """Equity marks from ``since`` (ns) on, oldest first."""
        rows = self.journal(kind="equity", since=since, limit=-1)  # written after its marks
        marks = (mark for row in rows for mark in row.data["marks"])
        return [(ts, Decimal(equity)) for ts, equity in marks if ts >= since]

    def flows(self) -> list[tuple[int, Decimal]]:
        """What came into the traded account (above 0) or was put aside for good, oldest first.

        In account currency; a bag's asset counts at the price it was bought for.
        """
        rows = self._query(
            "SELECT p.ts, p.account, p.amount, f.price FROM postings p LEFT JOIN fills f"
            " ON f.run = p.run AND f.id = p.parent WHERE p.run = ? AND (p.account = 'hodl'"
            " OR p.account = 'trading' AND p.kind = 'deposit') ORDER BY p.seq, p.n",
            self.run,
        )
        return [
            (ts, Decimal(amount) * (Decimal(price or 1) * -1 if account == "hodl" else 1))
            for ts, account, amount, price in rows
        ]

    def counts(self, table: str, column: str) -> dict[str, int]:
        """How many rows of a projected table have each value, e.g. ``("orders", "status")``."""
        if column not in COLUMNS[table]:
            raise KeyError(column)
        return dict(
            self._query(
                f"SELECT {column}, count(*) FROM {table}"  # noqa: S608 - names of the schema
                " WHERE run = ? GROUP BY 1 ORDER BY 1",
                self.run,
            )
        )

    # -- the journal ------------------------------------------------------------------------

    def row(self, seq: int) -> StoredRow | None:
        """One journal row."""
        found = self._rows("WHERE seq = ?", seq)
        return found[0] if found else None

    def of_kinds(self, kinds: Iterable[str]) -> list[StoredRow]:
        """Every row of these kinds, in order."""
        first, last = self.span()
        wanted = sorted(kinds)
        marks = ", ".join("?" * len(wanted))
        return self._rows(
            f"WHERE kind IN ({marks}) AND seq BETWEEN ? AND ? ORDER BY seq", *wanted, first, last
        )

    def rows_of(self, row_id: str) -> list[StoredRow]:
        """Every row with this id, in order (an order appears once per change)."""
        first, last = self.span()
        return self._rows(
            "WHERE id = ? AND id <> '' AND seq BETWEEN ? AND ? ORDER BY seq", row_id, first, last
        )

    def last_words(self, agent: str, symbol: str) -> str | None:
        """Id of what an agent last said about a symbol, or about the portfolio as one."""
        first, last = self.span()
        found = self._query(
            "SELECT id FROM journal WHERE kind = 'agent_output' AND seq BETWEEN ? AND ?"
            " AND json_extract(body, '$.agent') = ?"
            " AND json_extract(body, '$.output.symbol') IN (?, '*') ORDER BY seq DESC LIMIT 1",
            first,
            last,
            agent,
            symbol,
        )
        return next((str(row_id) for (row_id,) in found), None)

    def children(self, row_id: str) -> list[StoredRow]:
        """Every row that names ``row_id`` as its parent, in order."""
        first, last = self.span()
        return self._rows(
            "WHERE parent = ? AND parent <> '' AND seq BETWEEN ? AND ? ORDER BY seq",
            row_id,
            first,
            last,
        )

    def journal(
        self,
        *,
        kind: str | None = None,
        row_id: str | None = None,
        since: int | None = None,
        limit: int = 100,
    ) -> list[StoredRow]:
        """The newest ``limit`` rows (−1: all) that fit, oldest first. ``since``: ns of market time.

        ``row_id`` finds rows that are it or name it as their parent.
        """
        first, last = self.span()
        where = ["seq BETWEEN ? AND ?"]
        values: list[object] = [first, last]
        if kind is not None:
            where.append("kind = ?")
            values.append(kind)
        if row_id is not None:
            where.append("((id = ? AND id <> '') OR (parent = ? AND parent <> ''))")
            values += [row_id, row_id]
        if since is not None:
            where.append("ts >= ?")
            values.append(since)
        found = self._rows(f"WHERE {' AND '.join(where)} ORDER BY seq DESC LIMIT ?", *values, limit)
        return found[::-1]

    def answers_of_day(self, day: str) -> list[StoredRow]:
        """Answers for which models were asked on this UTC day, of every run in the file."""
        return self._rows(f"WHERE {_ANSWERS} AND json_extract(body, '$.day') = ?", day)

    def answered(self) -> list[str]:
        """Ids of the questions of this run that have an answer."""
        first, _ = self.span()
        found = self._query(f"SELECT parent FROM journal WHERE {_ANSWERS} AND seq >= ?", first)  # noqa: S608
        return [parent for (parent,) in found]

    def rows_after(self, seq: int, until: int | None = None) -> Iterator[StoredRow]:
        """Rows ``seq`` + 1 … ``until`` (default: the end of the run), page by page."""
        last = self.span()[1] if until is None else until
        while seq < last:
            page = self._rows("WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?", seq, last, PAGE)
            if not page:
                return
            yield from page
            seq = page[-1].seq

    # -- snapshots --------------------------------------------------------------------------

    def snapshot(self) -> tuple[int, Snapshot] | None:
        """The run's newest undamaged snapshot and the number of the row it stands after."""
        found = self._query(
            "SELECT seq, input, body, feed, digest FROM snapshots WHERE run = ? ORDER BY seq DESC",
            self.run,
        )
        for seq, taken, body, feed, digest in found:
            kept = Snapshot(taken, body, feed)
            if kept.digest() == digest:
                return seq, kept
        return None


def _record(columns: tuple[str, ...], values: tuple[Any, ...], lists: set[str]) -> Record:
    return {
        name: json.loads(value) if name in lists else value
        for name, value in zip(columns, values, strict=True)
    }
