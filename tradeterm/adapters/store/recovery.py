"""What a restart begins with: the last snapshot and the rows that followed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tradeterm.adapters.store.faults import damaged
from tradeterm.adapters.store.paths import StorePaths
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import GENESIS, Snapshot, StoredRow, chained


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run to be continued. Without a snapshot the rows begin with the run's first one."""

    paths: StorePaths
    run: int
    started: dict[str, Any]
    """Body of the run's ``run_started`` row."""
    session: dict[str, Any]
    """Body of the newest ``run_started`` or ``run_resumed`` row: the last session's settings."""
    finished: bool
    """The last session ended in order."""
    snapshot: Snapshot | None
    snapshot_seq: int
    """Row the snapshot stands after; without one, the row before the run's first."""
    last_seq: int

    def rows(self) -> Iterator[StoredRow]:
        """Rows after the snapshot, their chain checked on the way; raises StoreDamaged."""
        with Reader(self.paths.db, self.run) as reader:
            before = reader.row(self.snapshot_seq)
            previous, seq = (before.hash if before else GENESIS), self.snapshot_seq
            for row in reader.rows_after(self.snapshot_seq, self.last_seq):
                seq += 1
                if row.seq != seq or not chained(row, previous):
                    raise damaged(
                        self.paths.db,
                        f"journal row {row.seq} is not what was written after "
                        f"{seq - 1}; `tradeterm verify` tells more",
                    )
                previous = row.hash
                yield row


def recover(paths: StorePaths) -> Recovered | None:
    """The current run as the file has it; None when no run was ever started."""
    with Reader(paths.db) as reader:
        if reader.run == 0:
            return None
        info = reader.run_info()
        found = reader.snapshot()
        seq, snapshot = found if found else (info["first_seq"] - 1, None)
        return Recovered(
            paths=paths,
            run=reader.run,
            started=info["started"],
            session=info["session"],
            finished=info["finished"] is not None,
            snapshot=snapshot,
            snapshot_seq=seq,
            last_seq=info["last_seq"],
        )
