"""How true paper fills are: what the market printed in the seconds after each of them.

An observer. It watches prints and mids for a while after a fill and writes down what it saw;
nothing that trades reads it. What the figures can and cannot know is said in ``lab/fidelity.py``.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tradeterm.engine.core import Core
from tradeterm.engine.timers import NEVER
from tradeterm.market.symbol import BARS
from tradeterm.model.market import Trade
from tradeterm.model.orders import Fill
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Evidence, Liquidity, Side

FIDELITY_TIMER = "fidelity"


class Sample(msgspec.Struct, frozen=True):
    """What the market had done ``seconds`` after a fill. None: it did or showed nothing."""

    seconds: int
    prints: int
    traded: float | None
    """Size-weighted mean price of the prints since the fill."""
    mid: float | None


class Watch(msgspec.Struct):
    """What one order filled in one moment, and where the prints stood then."""

    order_id: str
    side: Side
    liquidity: Liquidity
    evidence: Evidence
    ts: int
    mid: float | None
    """Mid at the moment of the fill."""
    prints: int
    volume: float
    value: float
    fills: list[tuple[str, Decimal, Decimal]]
    """(fill id, price, size)."""
    samples: list[Sample]

    def holds(self, fill: Fill) -> bool:
        """Whether a fill belongs to this very moment of its order."""
        same = (fill.order_id, fill.ts, fill.evidence, fill.liquidity)
        return same == (self.order_id, self.ts, self.evidence, self.liquidity)


class Prints(msgspec.Struct):
    """The prints of one symbol, added up for as long as somebody watches."""

    count: int = 0
    volume: float = 0.0
    value: float = 0.0
    watches: list[Watch] = msgspec.field(default_factory=list)

    def take(self, event: Trade) -> None:
        """Add a print."""
        self.count += 1
        self.volume += event.size
        self.value += event.size * event.price

    def since(self, watch: Watch) -> tuple[int, float | None]:
        """How many prints a fill saw, and their size-weighted mean price."""
        volume = self.volume - watch.volume
        mean = (self.value - watch.value) / volume if volume > 0 else None
        return self.count - watch.prints, mean


class Fidelity:
    """Compares fills with what follows; ``watched``: the symbols whose prints matter now."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._seconds = core.settings.execution.fidelity
        self.watched: dict[str, Prints] = {}

    def filled(self, fill: Fill) -> None:
        """Watch what follows a fill; bars show nothing of it, and no row has to say so."""
        if self._core.market.symbol(fill.symbol).mode == BARS:
            return
        prints = self.watched.setdefault(fill.symbol, Prints())
        if not prints.watches or not prints.watches[-1].holds(fill):
            watch = self._watch(fill, prints)
            prints.watches.append(watch)
            timers, due = self._core.timers, self._next(watch)
            if due < (timers.due(FIDELITY_TIMER) or NEVER):
                timers.set(FIDELITY_TIMER, due)
        prints.watches[-1].fills.append((fill.id, fill.price, fill.size))

    def _watch(self, fill: Fill, prints: Prints) -> Watch:
        return Watch(
            fill.order_id, fill.side, fill.liquidity, fill.evidence, fill.ts,
            self._mid(fill.symbol), prints.count, prints.volume, prints.value, [], [],
        )  # fmt: skip

    def due(self, now: int) -> None:
        """Take the samples that are due; a fill that has all of them becomes a journal row."""
        for symbol, prints in list(self.watched.items()):
            for watch in list(prints.watches):
                while self._next(watch) <= now:
                    self._sample(symbol, prints, watch)
                if len(watch.samples) >= len(self._seconds):
                    prints.watches.remove(watch)
                    self._write(symbol, watch)
            if not prints.watches:
                del self.watched[symbol]
        self._plan()

    def _next(self, watch: Watch) -> int:
        taken = len(watch.samples)
        return watch.ts + self._seconds[taken] * SECOND if taken < len(self._seconds) else NEVER

    def _sample(self, symbol: str, prints: Prints, watch: Watch) -> None:
        count, mean = prints.since(watch)
        seconds = self._seconds[len(watch.samples)]
        watch.samples.append(Sample(seconds, count, mean, self._mid(symbol)))

    def _mid(self, symbol: str) -> float | None:
        return self._core.market.symbol(symbol).book.mid()

    def _write(self, symbol: str, watch: Watch) -> None:
        body = {
            "symbol": symbol, "side": watch.side, "liquidity": watch.liquidity,
            "evidence": watch.evidence, "ts": watch.ts, "mid": watch.mid,
            "fills": watch.fills, "samples": watch.samples,
        }  # fmt: skip
        journal = self._core.journal
        journal.write("fidelity", journal.new_id("fid"), watch.order_id, body)

    def _plan(self) -> None:
        """One timer, at the next sample of them all."""
        watches = (watch for prints in self.watched.values() for watch in prints.watches)
        due = min(map(self._next, watches), default=NEVER)
        if due == NEVER:
            self._core.timers.cancel(FIDELITY_TIMER)
        else:
            self._core.timers.set(FIDELITY_TIMER, due)

    def dump(self) -> dict[str, Prints]:
        """What is still watched."""
        return {symbol: _copy(prints) for symbol, prints in self.watched.items()}

    def load(self, state: dict[str, Prints]) -> None:
        """Watch on as the dumped one would."""
        self.watched.clear()
        self.watched.update((symbol, _copy(prints)) for symbol, prints in state.items())


def _copy(prints: Prints) -> Prints:
    watches = [
        msgspec.structs.replace(watch, fills=list(watch.fills), samples=list(watch.samples))
        for watch in prints.watches
    ]
    return msgspec.structs.replace(prints, watches=watches)
