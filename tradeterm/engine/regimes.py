"""Which regime each symbol was in, and since when: what the chart shows under its candles."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from tradeterm.engine.view import RegimeSpell
from tradeterm.model.outputs import RegimeView

#: Spells kept of each symbol: a chart has no more bars.
KEPT = 240


class Regimes:
    """Spells of each symbol, oldest first; one lasts until another begins, or nobody confirms it."""

    def __init__(self, ttl: int) -> None:
        """``ttl``: how long (ns) an agent's word on the regime counts for anybody."""
        self._ttl = ttl
        self._spells: dict[str, deque[RegimeSpell]] = {}

    @property
    def spells(self) -> dict[str, tuple[RegimeSpell, ...]]:
        """By symbol."""
        return {symbol: tuple(spells) for symbol, spells in self._spells.items()}

    def record(self, output: RegimeView, ts: int) -> None:
        """Note what an agent said about a regime."""
        spells = self._spells.get(output.symbol)
        if spells is None:
            spells = self._spells[output.symbol] = deque(maxlen=KEPT)
        until, newest = ts + self._ttl, spells[-1] if spells else None
        if newest is not None and newest.regime == output.regime and ts <= newest.until:
            spells[-1] = RegimeSpell(newest.regime, newest.since, until)
        else:
            spells.append(RegimeSpell(output.regime.value, ts, until))

    def dump(self) -> dict[str, tuple[RegimeSpell, ...]]:
        """For a snapshot, so that a restart shows what came before."""
        return self.spells

    def load(self, spells: Mapping[str, tuple[RegimeSpell, ...]]) -> None:
        """Show what the dumped ones showed."""
        self._spells = {symbol: deque(one, KEPT) for symbol, one in spells.items()}
