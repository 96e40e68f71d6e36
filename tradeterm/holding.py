"""Which settings a run is under: what its session started with, and what operators changed since."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from tradeterm.adapters.store.reader import Reader
from tradeterm.engine.adjusting import CHANGES, Change, Override
from tradeterm.errors import StoreAbsent
from tradeterm.model.timing import iso
from tradeterm.sessions import recorded_settings
from tradeterm.settings.changing import Tighter, changed, way, why_fixed
from tradeterm.settings.loading import load_settings
from tradeterm.settings.settings import Settings, leaves


class Held(NamedTuple):
    """A setting as it is in force."""

    key: str
    value: Any
    default: Any
    origin: str
    """``default``, the file and line, ``env …``, ``--set``, or ``operator at …``."""
    tighter: Tighter | None
    """Which way is tighter; None: it is fixed while the run goes on."""

    @property
    def fixed(self) -> str:
        """Why it does not change now; empty when it may."""
        return "" if self.tighter is not None else why_fixed(self.key)


def settings_in_force(reader: Reader) -> Settings:
    """The same as one checked tree; RunMismatch when this version has other settings."""
    session = reader.run_info()["session"]
    configured = dict(leaves(session["settings"]))
    values = {key: one.value for key, one in _changes(reader, configured).items()}
    return changed(recorded_settings(session), values)


class _Changed(msgspec.Struct):
    """What is read of a snapshot."""

    overrides: dict[str, Override] = msgspec.field(default_factory=dict)


def in_force(reader: Reader) -> list[Held]:
    """Every setting of the run in the file; StoreAbsent when there is none."""
    session = reader.run_info()["session"]
    if session is None:
        raise StoreAbsent(f"{reader.paths.db} holds no run yet; start `tradeterm` once")
    configured = dict(leaves(session["settings"]))
    default = dict(leaves(load_settings().settings.effective()))
    changes, origins = _changes(reader, configured), session.get("origins", {})
    return [
        Held(key, one.value, default.get(key), f"{one.actor} at {iso(one.ts)[:19]}Z", way(key))
        if (one := changes.get(key)) is not None
        else Held(key, value, default.get(key), origin_of(origins, key), way(key))
        for key, value in configured.items()
    ]


def _changes(reader: Reader, configured: dict[str, Any]) -> dict[str, Override]:
    """As of the newest snapshot, and what was journaled since."""
    seq, found = reader.snapshot() or (0, None)
    overrides: dict[str, Override] = {}
    if found is not None:
        overrides = msgspec.msgpack.decode(found.body, type=_Changed).overrides
    rows = [row for kind in CHANGES for row in reader.journal(kind=kind, limit=-1) if row.seq > seq]
    for row in sorted(rows, key=lambda row: row.seq):
        change = msgspec.json.decode(row.body, type=Change)
        overrides[change.key] = Override(change.value, change.was, row.ts, change.by)
        if change.value == str(configured.get(change.key)):
            del overrides[change.key]
    return overrides


def origin_of(origins: dict[str, str], key: str) -> str:
    """The origin of a leaf, or of the list or mapping it lies in."""
    while key not in origins and "." in key:
        key = key.rpartition(".")[0]
    return origins.get(key, "default")
