"""Tables of the book of record: the journal is the truth, the rest is projected from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

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


def _columns(text: str) -> dict[str, str]:
    """``"run:i id side? confidence:r"`` → SQL types; TEXT unless said, ``?`` may be NULL."""
    kinds = {"i": "INTEGER", "r": "REAL", "b": "BLOB"}
    columns = {}
    for word in text.split():
        name, _, kind = word.rstrip("?").partition(":")
        null = "" if word.endswith("?") else " NOT NULL"
        columns[name] = kinds.get(kind, "TEXT") + null
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
            " reduce_only:i position_id? leverage stop? target? agent exit_reason? parent verdict_id"
            " status filled average? reason created:i updated:i seq:i",
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
            " stop? target? opened_size realised fees closed:i? exit? exit_reason? what seq:i",
            "run id",
        ),
        _table(
            "postings",
            "run:i entry_id n:i account asset amount ts:i kind parent seq:i",
            "run entry_id n",
            replace=False,
        ),
        _table(
            "conflicts", "run:i id ts:i parent symbol types severity:r evidence seq:i", "run id"
        ),
        _table(
            "resolutions",
            "run:i id ts:i parent action by model confidence:r reasoning seq:i",
            "run id",
        ),
        _table(
            "approvals",
            "run:i id ts:i expires:i parent proposal_id conflict_id resolution_id symbol content_hash"
            " state price drift_limit decided:i decided_by reason verdict_id? seq:i",
            "run id",
        ),
        _table(
            "verdicts",
            "run:i id ts:i parent status codes symbol? content_hash seq:i",
            "run id",
        ),
        _table(
            "agent_outputs",
            "run:i id ts:i agent by symbol bias? confidence:r? inputs seq:i",
            "run id",
            replace=False,
        ),
        _table("equity_marks", "run:i ts:i seq:i n:i equity", "run ts seq n", replace=False),
        _table("coordinator_state", "run:i what value since:i reason seq:i", "run what"),
    )
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


@cache
def insert_sql(table: str, count: int) -> str:
    """One statement for ``count`` rows of a table.

    Many rows per statement, because sqlite3 gives up the interpreter lock at every step: beside
    a busy engine thread, ``executemany`` of 1,000 rows took a second, this takes 20 ms.
    """
    if table == "journal":
        return _values("INSERT INTO journal VALUES ", 8, count)
    shape = TABLES[table]
    sql = _values(f"INSERT INTO {shape.name} VALUES ", len(shape.columns), count)  # noqa: S608
    if not shape.replace:
        return sql
    rest = ", ".join(f"{name}=excluded.{name}" for name in shape.columns if name not in shape.key)
    return f"{sql} ON CONFLICT ({', '.join(shape.key)}) DO UPDATE SET {rest}"


def _values(start: str, columns: int, count: int) -> str:
    marks = "(" + ",".join("?" * columns) + ")"
    return start + ",".join([marks] * count)
