"""Tables of the book of record: the journal is the truth, the rest is projected from it.

A kind that is written often and never changed is a view of the journal: it costs nothing per row
and cannot differ from it. Reading one takes two to five times as long as a table would: balances
of a store of 110,000 rows 70 ms. Tables are for what is replaced, counted or referred to.
"""

from __future__ import annotations

from dataclasses import dataclass

#: ``PRAGMA application_id`` of a tradeterm store ("TRDT").
APPLICATION_ID = 0x54524454


@dataclass(frozen=True, slots=True)
class Table:
    """A projected table. ``columns``: name → SQL type. The first columns are the key."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    replace: bool = True
    """The newest row per key wins; otherwise a second row with a key is an error."""
    extra: str = ""

    def ddl(self) -> str:
        """The CREATE TABLE statement."""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return (
            f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)})"
            f"{self.extra}) STRICT, WITHOUT ROWID"
        )

    def insertion(self, rows: str) -> str:
        """The statement that takes ``rows``, SQL for a JSON array of arrays of values."""
        values = ", ".join(f"json_extract(value, '$[{n}]')" for n in range(len(self.columns)))
        sql = f"INSERT INTO {self.name} SELECT {values} FROM json_each({rows}) WHERE true"  # noqa: S608
        if not self.replace:
            return sql
        rest = ", ".join(f"{name}=excluded.{name}" for name in self.columns if name not in self.key)
        return f"{sql} ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {rest}"


@dataclass(frozen=True, slots=True)
class View:
    """Journal rows of one kind, read like a table. ``columns``: name → expression."""

    name: str
    kind: str
    columns: dict[str, str]
    unfolded: str = ""
    """A table function joined to each row, one result per element of its body."""

    def ddl(self) -> str:
        """The CREATE VIEW statement."""
        columns = ", ".join(f"{source} AS {name}" for name, source in self.columns.items())
        return (
            f"CREATE VIEW {self.name} AS SELECT {columns} FROM runs JOIN journal"  # noqa: S608 - own words
            f" ON journal.kind = '{self.kind}' AND journal.seq >= runs.seq AND journal.seq <"
            " coalesce((SELECT later.seq FROM runs AS later WHERE later.run = runs.run + 1), "
            f"{2**63 - 1}){self.unfolded}"
        )


def _columns(text: str) -> dict[str, str]:
    """``"run:i id side?"`` → SQL types; TEXT unless said, ``?`` may be NULL.

    No floats: what JSON says of one, not every SQLite reads alike to the last bit.
    """
    columns = {}
    for word in text.split():
        name, _, kind = word.rstrip("?").partition(":")
        null = "" if word.endswith("?") else " NOT NULL"
        columns[name] = ("INTEGER" if kind == "i" else "TEXT") + null
    return columns


def _table(name: str, columns: str, key: str, *, replace: bool = True, extra: str = "") -> Table:
    return Table(name, _columns(columns), tuple(key.split()), replace, extra)


TABLES = {
    table.name: table
    for table in (
        _table("runs", "run:i seq:i ts:i", "run", replace=False),
        _table("sessions", "run:i seq:i ts:i kind", "run seq", replace=False),
        _table(
            "orders",
            "run:i id symbol side type purpose book size limit_price? trigger_price? tif expires:i?"
            " reduce_only:i position_id? leverage stop? target? agent exit_reason? post_only:i parent verdict_id"
            " status unknown filled average? reason created:i updated:i seq:i",
            "run id",
        ),
        _table(
            "fills",
            "run:i id order_id symbol side book price size fee fee_asset rate liquidity evidence"
            " position_id? ts:i seq:i",
            "run id",
            replace=False,
            extra=", FOREIGN KEY (run, order_id) REFERENCES orders (run, id)"
            " DEFERRABLE INITIALLY DEFERRED",
        ),
        _table(
            "positions",
            "run:i id symbol side size entry leverage collateral opened:i updated:i order_id agent"
            " stop? target? opened_size realised fees carry stop_kind trailing:i closed:i? exit? exit_reason? what"
            " seq:i",
            "run id",
        ),
        _table(
            "approvals",
            "run:i id ts:i expires:i parent proposal_id conflict_id resolution_id symbol content_hash"
            " state price drift_limit decided:i decided_by reason verdict_id? seq:i",
            "run id",
        ),
        _table(
            "plans",
            "run:i id created:i parent purpose status reason batch:i batches:i next:i? expires:i"
            " amount filled legs what seq:i",
            "run id",
        ),
        _table(
            "differences",
            "run:i id ts:i kind subject symbol ours venue state decided:i decided_by reason seq:i",
            "run id",
        ),
        _table("coordinator_state", "run:i what value since:i reason seq:i", "run what"),
    )
}


def _body(path: str) -> str:
    return f"json_extract(journal.body, '$.{path}')"


def _vote(path: str) -> str:
    return f"json_extract(vote.value, '$.{path}')"


#: What a vote comes to, whichever agent it is of.
_SAYS = ("bias", "regime", "action", "timing", "score")
VIEWS = {
    view.name: view
    for view in (
        View(
            "agent_outputs",
            "agent_output",
            {
                "run": "runs.run",
                "id": "journal.id",
                "ts": "journal.ts",
                "agent": _body("agent"),
                "by": _body("by"),
                "symbol": _body("output.symbol"),
                "bias": f"coalesce({_body('output.bias')}, {_body('output.action')})",
                "confidence": _body("output.confidence"),
                "inputs": _body("inputs"),
                "seq": "journal.seq",
            },
        ),
        View(
            "verdicts",
            "verdict",
            {
                "run": "runs.run",
                "id": "journal.id",
                "ts": "journal.ts",
                "parent": "journal.parent",
                "status": _body("status"),
                "codes": _body("codes"),
                "symbol": _body("intent.symbol"),
                "content_hash": _body("content_hash"),
                "seq": "journal.seq",
            },
        ),
        View(
            "equity_marks",
            "equity",
            {
                "run": "runs.run",
                "ts": "json_extract(mark.value, '$[0]')",
                "seq": "journal.seq",
                "n": "mark.key",
                "equity": "json_extract(mark.value, '$[1]')",
            },
            unfolded=" JOIN json_each(journal.body, '$.marks') AS mark",
        ),
        View(
            "postings",
            "entry",
            {
                "run": "runs.run",
                "entry_id": "journal.id",
                "n": "leg.key",
                "account": "json_extract(leg.value, '$.account')",
                "asset": "json_extract(leg.value, '$.asset')",
                "amount": "json_extract(leg.value, '$.amount')",
                "ts": _body("ts"),
                "kind": _body("kind"),
                "parent": _body("parent"),
                "seq": "journal.seq",
            },
            unfolded=" JOIN json_each(journal.body, '$.postings') AS leg",
        ),
        View(
            "conflicts",
            "conflict",
            {
                "run": "runs.run",
                "id": "journal.id",
                "ts": _body("ts"),
                "parent": _body("parent"),
                "symbol": _body("symbol"),
                "types": _body("types"),
                "severity": _body("severity"),
                "evidence": _body("evidence"),
                "seq": "journal.seq",
            },
        ),
        View(
            "resolutions",
            "resolution",
            {
                "run": "runs.run",
                "id": "journal.id",
                "ts": _body("ts"),
                "parent": _body("parent"),
                "action": _body("action"),
                "by": _body("by"),
                "model": _body("model"),
                "confidence": _body("confidence"),
                "reasoning": _body("reasoning"),
                "seq": "journal.seq",
            },
        ),
        View(
            "votes",
            "agent_answer",
            {
                "run": "runs.run",
                "id": "journal.id",
                "n": "vote.key",
                "ts": "journal.ts",
                "question": "journal.parent",
                "agent": _body("agent"),
                "symbol": "(SELECT json_extract(asked.body, '$.symbol') FROM journal AS asked"
                " WHERE asked.id = journal.parent AND asked.id <> '' AND asked.seq >= runs.seq"
                " ORDER BY asked.seq LIMIT 1)",
                "model": _vote("model"),
                "says": "coalesce("
                + ", ".join(map(_vote, (f"opinion.{name}" for name in _SAYS)))
                + ")",
                "confidence": _vote("opinion.confidence"),
                "valid": f"{_vote('opinion')} IS NOT NULL",
                "fault": _vote("fault"),
                "seconds": f"round({_vote('latency')} / 1e9, 3)",
                "late": _body("late"),
                "seq": "journal.seq",
            },
            unfolded=" JOIN json_each(journal.body, '$.votes') AS vote",
        ),
    )
}
#: Name → columns of everything that can be read like a table.
COLUMNS = {
    **{name: tuple(table.columns) for name, table in TABLES.items()},
    **{name: tuple(view.columns) for name, view in VIEWS.items()},
}

JOURNAL = """CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    parent TEXT NOT NULL, input INTEGER NOT NULL, body TEXT NOT NULL, hash BLOB NOT NULL
) STRICT"""
SNAPSHOTS = """CREATE TABLE snapshots (
    seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, input INTEGER NOT NULL, body BLOB NOT NULL,
    feed BLOB NOT NULL, digest BLOB NOT NULL
) STRICT"""
INDEXES = (
    # Partial: roots have no parent and process facts no id; queries must repeat the condition.
    "CREATE INDEX journal_id ON journal (id) WHERE id <> ''",
    "CREATE INDEX journal_parent ON journal (parent) WHERE parent <> ''",
    "CREATE INDEX journal_kind ON journal (kind)",
    "CREATE INDEX fills_order ON fills (run, order_id)",
)


def projected_tables() -> tuple[str, ...]:
    """DDL of everything that is rebuilt from the journal."""
    return tuple(table.ddl() for table in TABLES.values())
