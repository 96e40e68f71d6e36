"""Which regime each symbol was in, and since when: what the chart shows under its candles."""

from __future__ import annotations

from collections.abc import Mapping

from tradeterm.engine.view import RegimeSpell
from tradeterm.model.outputs import Published, RegimeView

#: Spells kept of each symbol: a chart has no more bars.
KEPT = 240


class Regimes:
    """Spells of each symbol, oldest first; one lasts until another begins, or nobody confirms it."""

    def __init__(self, ttl: int) -> None:
        """``ttl``: how long (ns) an agent's word on the regime counts for anybody."""
        self._ttl = ttl
        self._spells: dict[str, tuple[RegimeSpell, ...]] = {}

    @property
    def spells(self) -> dict[str, tuple[RegimeSpell, ...]]:
        """By symbol."""
        return dict(self._spells)

    def record(self, said: Published) -> None:
        """Note what an agent said, if it is about a regime."""
        if not isinstance(said.output, RegimeView):
            return
        output, ts = said.output, said.ts
        spells = self._spells.get(output.symbol, ())
        newest, until = spells[-1] if spells else None, ts + self._ttl
        since = ts
        if newest and newest.regime == output.regime and ts <= newest.until:
            spells, since = spells[:-1], newest.since
        spell = RegimeSpell(output.regime.value, since, until)
        self._spells[output.symbol] = (*spells, spell)[-KEPT:]

    def dump(self) -> dict[str, tuple[RegimeSpell, ...]]:
        """For a snapshot, so that a restart shows what came before."""
        return self.spells

    def load(self, spells: Mapping[str, tuple[RegimeSpell, ...]]) -> None:
        """Show what the dumped ones showed."""
        self._spells = dict(spells)
