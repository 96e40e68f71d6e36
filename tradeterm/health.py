"""Looks at the machinery from the driver's loop, and tells the engine what matters as an input.

Only a market that goes on by itself (live) can run ahead of the disk or away from our clock; in
sim and replay nothing is looked at, so that the same run is the same run on any machine. A drill
may have it look there, too.
"""

from __future__ import annotations

from collections.abc import Callable

from tradeterm.model.commands import ReportHealth
from tradeterm.model.health import Health
from tradeterm.settings.risk import RiskSettings

#: Seconds between two looks, and between two reports of figures that hardly changed.
LOOK_SECONDS, REPORT_SECONDS = 0.25, 60.0
#: Part of a limit by which a figure must have moved to be worth a row.
NOTABLE = 0.25


class HealthWatch:
    """Reports when a figure crosses its limit, moves notably, or once a minute."""

    def __init__(
        self,
        risk: RiskSettings,
        clock_skew: Callable[[], float | None],
        journal: Callable[[], tuple[float, str]],
        *,
        live: bool,
    ) -> None:
        """``clock_skew`` in seconds ahead of the exchange; ``journal``: seconds late, and why."""
        self.active = live
        """Whether it looks at all; a drill sets it where nothing could go wrong by itself."""
        self._limits = risk.max_clock_skew, risk.max_journal_lag
        self._clock_skew = clock_skew
        self._journal = journal
        self._told = Health()
        self._look_due = self._report_due = 0.0

    def look(self, now: float) -> ReportHealth | None:
        """What the engine should know, ``now`` in monotonic seconds; mostly nothing."""
        if not self.active or now < self._look_due:
            return None
        self._look_due = now + LOOK_SECONDS
        lag, fault = self._journal()
        skew = self._clock_skew()
        if lag <= self._limits[1] * NOTABLE and not fault:
            lag = 0.0  # the time a commit takes is nothing to report
        found = Health(None if skew is None else round(skew, 3), round(lag, 3), fault)
        if now < self._report_due and not self._matters(found):
            return None
        if found == self._told and self._report_due:
            return None
        self._told, self._report_due = found, now + REPORT_SECONDS
        return ReportHealth(health=found, actor="desk")

    def _matters(self, found: Health) -> bool:
        before, (most_skew, most_lag) = self._told, self._limits
        if found.fault != before.fault or (found.clock_skew is None) != (before.clock_skew is None):
            return True
        return (
            abs((found.clock_skew or 0.0) - (before.clock_skew or 0.0)) >= most_skew * NOTABLE
            or abs(found.journal_lag - before.journal_lag) >= most_lag * NOTABLE
            or _beyond(found.clock_skew, most_skew) != _beyond(before.clock_skew, most_skew)
            or (found.journal_lag > most_lag) != (before.journal_lag > most_lag)
        )


def _beyond(skew: float | None, limit: float) -> bool:
    return skew is not None and not abs(skew) <= limit
