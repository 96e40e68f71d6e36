"""What a symbol may not be used for: no new exposure while its data lies or nobody trades it.

The exchange's own words on an instrument (steps, minimums, delisted) enter here as inputs, each a
version in the journal. New steps count at once: for verdicts, sizes and fills. Orders that rest are
looked at again; what does not fit any more is named, and nothing of it is rounded up. Exits go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import FeedNotice, Listing
from tradeterm.model.money import on_grid, plain
from tradeterm.model.orders import Order
from tradeterm.model.timing import MINUTE
from tradeterm.model.vocabulary import Purpose

CLEAN_TIMER: Final = "clean"
#: Notices of data that was refused (FAULTS X01): so many within a minute close a symbol.
BAD: Final = frozenset({"rejected", "resync"})
MANY: Final = 3
#: Without one for so long it is open again. A feed tells of five in a minute, so two suffice.
CLEAN: Final = 2 * MINUTE
DELISTED, BAD_DATA = "delisted", "bad data"
_STEPS: Final = ("tick", "lot", "min_size", "min_notional")


class InstrumentVersion(msgspec.Struct, frozen=True):
    """An instrument as it is from this row on; None: it is traded no longer."""

    symbol: str
    version: int
    instrument: Instrument | None
    changed: str
    affected: tuple[str, ...] = ()
    """Working orders that would not be taken any more, or were taken back."""


class Restriction(msgspec.Struct, frozen=True):
    """A symbol closed to entries, or open again."""

    symbol: str
    cause: str
    why: str
    ends: str
    """How it ends; empty in the row that says it has."""


class RestrictingState(msgspec.Struct, frozen=True):
    """For a snapshot."""

    standing: dict[str, dict[str, Restriction]] = {}
    versions: dict[str, InstrumentVersion] = {}
    refused: dict[str, list[int]] = {}


class Restricting:
    """Symbols that are closed to entries, and why."""

    def __init__(self, core: Core, books: Books, inputs: dict[str, int]) -> None:
        self._core = core
        self._books = books
        self._inputs = inputs
        self._standing: dict[str, dict[str, Restriction]] = {}
        self._versions: dict[str, InstrumentVersion] = {}
        """Symbol → what the exchange said last of it, since the run began."""
        self._refused: dict[str, list[int]] = {}
        """Symbol → when data was refused within the last minute (ns)."""

    def why(self, symbol: str) -> str:
        """What keeps entries off a symbol; empty when nothing does."""
        found = self._standing.get(symbol)
        return "; ".join(each.why for each in found.values()) if found else ""

    # -- data that lies --------------------------------------------------------------------

    def notice(self, notice: FeedNotice) -> None:
        """Refused data counts; too much of it in a minute closes the symbol."""
        symbol, now = notice.symbol, self._core.now
        if notice.code not in BAD or symbol not in self._core.instruments:
            return
        recent = [ts for ts in self._refused.get(symbol, ()) if ts > now - MINUTE]
        self._refused[symbol] = recent = [*recent, now][-MANY:]
        closed = BAD_DATA in self._standing.get(symbol, ())
        if closed or len(recent) >= MANY:
            self._plan_look()
        if not closed and len(recent) >= MANY:
            why = f"{MANY} times within a minute its data was refused"
            ends = f"after {CLEAN // MINUTE} minutes without"
            self._impose(Restriction(symbol, BAD_DATA, why, ends))

    def _plan_look(self) -> None:
        timers = self._core.timers
        if timers.due(CLEAN_TIMER) is None:
            timers.set(CLEAN_TIMER, self._core.now + CLEAN)

    def look(self) -> None:
        """Symbols whose data was clean for long enough are open again."""
        core, dirty = self._core, []
        for symbol, causes in list(self._standing.items()):
            if BAD_DATA not in causes:
                continue
            ends = self._refused[symbol][-1] + CLEAN
            if ends <= core.now:
                self._lift(symbol, BAD_DATA, f"clean for {CLEAN // MINUTE} minutes")
            else:
                dirty.append(ends)
        if dirty:
            core.timers.set(CLEAN_TIMER, min(dirty))

    # -- what the exchange says of its instruments -------------------------------------------

    def listing(self, listing: Listing) -> None:
        """From now on the instrument is this; None: the exchange trades it no longer."""
        self._inputs["listing"] += 1
        symbol, after = listing.symbol, listing.instrument
        before = self._core.instruments[symbol]
        gone = DELISTED in self._standing.get(symbol, ())
        if after is None:
            if not gone:
                self._delist(symbol)
            return
        if gone:
            self._lift(symbol, DELISTED, "traded again")
        changed = ", ".join(
            f"{field} {plain(getattr(before, field))} → {plain(getattr(after, field))}"
            for field in _STEPS
            if getattr(before, field) != getattr(after, field)
        )
        if changed:
            self._use(after)
            self._revise(symbol, after, changed, tuple(self._misfits(after)))

    def _delist(self, symbol: str) -> None:
        entries = tuple(each.id for each in self._entries(symbol))
        row = self._revise(symbol, None, "traded no longer", entries)
        ends = "when the exchange trades it again"
        self._impose(Restriction(symbol, DELISTED, "the exchange trades it no longer", ends), row)

    def _revise(
        self, symbol: str, now: Instrument | None, changed: str, affected: tuple[str, ...]
    ) -> str:
        """Journal another version of an instrument; its row's id."""
        core, last = self._core, self._versions.get(symbol)
        version = InstrumentVersion(
            symbol, 2 if last is None else last.version + 1, now, changed, affected
        )
        self._versions[symbol] = version
        row = core.journal.new_id("inst")
        core.journal.write("instrument", row, "", version)
        concerns = f"; concerns {', '.join(affected)}" if affected else "; no order is concerned"
        core.alert("F-instrument", "warning", f"{symbol}: {changed}{concerns}", row)
        return row

    def _use(self, instrument: Instrument) -> None:
        self._core.instruments[instrument.symbol] = instrument
        self._books.execution.relist(instrument)

    def _misfits(self, instrument: Instrument) -> Iterator[str]:
        """Working orders that the exchange would refuse if they were sent now."""
        for order in self._books.execution.working.values():
            request = order.request
            if request.symbol != instrument.symbol:
                continue
            prices = [price for price in (request.limit, request.trigger) if price is not None]
            at = prices[0] if prices else self._books.portfolio.mid(request.symbol)
            small = at is not None and not instrument.meets_minimum(request.size, at)
            off = not all(on_grid(price, instrument.tick) for price in prices)
            off = off or not on_grid(request.size, instrument.lot)
            if off or (small and not request.reduce_only):
                yield order.id

    def _entries(self, symbol: str) -> Iterator[Order]:
        for order in self._books.execution.working.values():
            if order.request.symbol == symbol and order.request.purpose is Purpose.ENTRY:
                yield order

    # -- closing and opening a symbol --------------------------------------------------------

    def _impose(self, restriction: Restriction, parent: str = "") -> None:
        core, symbol = self._core, restriction.symbol
        self._standing.setdefault(symbol, {})[restriction.cause] = restriction
        row = core.journal.new_id("restr")
        core.journal.write("restriction", row, parent, restriction)
        self._books.booked(
            self._books.execution.cancel_entries(
                core.now, restriction.cause, lambda request: request.symbol == symbol
            )
        )
        text = f"{symbol}: {restriction.why}: no new exposure on it; open again {restriction.ends}"
        core.risk_alert("R-REDUCING", "error", text, row)

    def _lift(self, symbol: str, cause: str, why: str) -> None:
        core, causes = self._core, self._standing[symbol]
        del causes[cause]
        if not causes:
            del self._standing[symbol]
        row = core.journal.new_id("restr")
        core.journal.write("restriction", row, "", Restriction(symbol, cause, why, ""))
        core.alert("R-REDUCING", "info", f"{symbol}: {why}: open to entries", row)

    # -- snapshot ----------------------------------------------------------------------------

    def dump(self) -> RestrictingState:
        """Everything that can change a later decision."""
        standing = {symbol: dict(causes) for symbol, causes in self._standing.items()}
        refused = {symbol: list(times) for symbol, times in self._refused.items()}
        return RestrictingState(standing, dict(self._versions), refused)

    def load(self, state: RestrictingState) -> None:
        """Continue as the dumped one would."""
        self._standing = {symbol: dict(causes) for symbol, causes in state.standing.items()}
        self._refused = {symbol: list(times) for symbol, times in state.refused.items()}
        self._versions = dict(state.versions)
        for version in state.versions.values():
            if version.instrument is not None:
                self._use(version.instrument)
