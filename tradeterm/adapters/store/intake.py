"""A whole slice as one SQL statement, which is its transaction.

sqlite3 gives up the interpreter lock and asks for it again some five times per statement. Beside a
busy engine each time costs both threads a change of turns: with a statement per table a slice took
twenty times as many, and the engine lost a tenth of its time to them. So the writer inserts one
row into a view of its own connection, and a trigger there puts what it holds where it belongs.
"""

from __future__ import annotations

from tradeterm.adapters.store.schema import TABLES

#: Journal rows come as JSON arrays without bodies and hashes, which stand in a blob each:
#: ``[ts, kind, id, parent, input, where its body begins, how long it is]``.
_JOURNAL = """INSERT INTO journal SELECT
    new.first + key, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
    json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'),
    CAST(substr(new.bodies, json_extract(value, '$[5]'), json_extract(value, '$[6]')) AS TEXT),
    substr(new.hashes, 32 * key + 1, 32)
    FROM json_each(new.journal)"""
_SNAPSHOT = """INSERT OR REPLACE INTO snapshots
    SELECT new.last, new.run, new.input, new.snapshot, new.feed, new.digest
    WHERE new.snapshot IS NOT NULL"""
_FORGET = """DELETE FROM snapshots WHERE new.snapshot IS NOT NULL AND seq NOT IN
    (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT {kept})"""
_COLUMNS = (
    *("first", "journal", "bodies", "hashes", *TABLES),
    *("last", "run", "input", "snapshot", "feed", "digest"),
)

TAKE_IN = f"INSERT INTO intake VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608


def intake(kept_snapshots: int) -> tuple[str, ...]:
    """What makes ``TAKE_IN`` work on a connection; nothing of it is in the file."""
    columns = ", ".join(f"NULL AS {name}" for name in _COLUMNS)
    steps = (
        _JOURNAL,
        *(table.insertion(f"new.{name}") for name, table in TABLES.items()),
        _SNAPSHOT,
        _FORGET.format(kept=kept_snapshots),
    )
    return (
        f"CREATE TEMP VIEW intake AS SELECT {columns}",
        f"CREATE TEMP TRIGGER slice INSTEAD OF INSERT ON intake BEGIN {'; '.join(steps)}; END",
    )
