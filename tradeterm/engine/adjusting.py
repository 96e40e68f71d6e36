"""Settings changed while the run goes on: ordered, checked, journaled, in force until changed again.

They lie over the settings a session starts with, are part of the snapshot, and so survive it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from tradeterm.engine.core import Core
from tradeterm.engine.operator import Operator
from tradeterm.errors import ConfigError, RunMismatch
from tradeterm.model.commands import ChangeSetting, CommandResult
from tradeterm.settings.changing import changed, fingerprint, is_looser, value_of
from tradeterm.settings.risk import RiskSettings


class Override(msgspec.Struct, frozen=True):
    """A setting as an operator put it."""

    value: str
    was: str
    """Before that."""
    ts: int
    actor: str


class Change(msgspec.Struct, frozen=True):
    """A journal row of one."""

    key: str
    was: str
    value: str
    by: str


#: Kinds of those rows: limits, and how the console behaves.
CHANGES = ("setting", "preference")


class Adjusting:
    """Carries out ``ChangeSetting`` and tells everybody who keeps figures of the limits."""

    def __init__(
        self, core: Core, operator: Operator, follow: Sequence[Callable[[RiskSettings], None]]
    ) -> None:
        """``follow`` are told the limits in force whenever they changed."""
        self._core = core
        self._follow = follow
        self._configured = core.settings
        self.overrides: dict[str, Override] = {}
        """Dotted key → what holds instead of the configured value."""
        operator.handles(ChangeSetting, self._change)

    def _change(self, command: ChangeSetting, command_id: str) -> CommandResult:
        core, key = self._core, command.key
        try:
            settings = changed(core.settings, {key: command.value})
            was, now = value_of(core.settings, key), value_of(settings, key)
            if was == now:
                return CommandResult(False, f"{key} is {was} already")
            looser = is_looser(key, was, now)
        except ConfigError as error:
            return CommandResult(False, str(error))
        if looser and not command.confirmed:
            return CommandResult(False, f"{key} {was} → {now} is looser: confirm with LOOSEN")
        self._journal(Change(key, was, now, command.actor), command_id)
        if now == value_of(self._configured, key):
            self.overrides.pop(key, None)
        else:
            self.overrides[key] = Override(now, was, core.now, command.actor)
        self._put_in_force()
        how = "looser" if looser else "in force now"
        return CommandResult(True, f"{key} {was} → {now}, {how}")

    def _journal(self, change: Change, parent: str) -> None:
        """Limits are part of what traded; how the console behaves is not."""
        limit, preference = CHANGES
        kind = limit if change.key.startswith("risk.") else preference
        journal = self._core.journal
        journal.write(kind, journal.new_id("set"), parent, change)

    def _put_in_force(self) -> None:
        values = {key: one.value for key, one in self.overrides.items()}
        core = self._core
        core.settings = changed(self._configured, values) if values else self._configured
        limits = core.settings.risk
        core.settings_mark = "" if limits == self._configured.risk else f"@{fingerprint(limits)}"
        for follow in self._follow:
            follow(core.settings.risk)

    def load(self, overrides: dict[str, Override]) -> None:
        """Of the dumped engine; RunMismatch when they do not go with today's configuration."""
        self.overrides = dict(overrides)
        if not overrides:
            return
        try:
            self._put_in_force()
        except ConfigError as error:
            raise RunMismatch(
                f"the operator's changes of this run ({', '.join(sorted(overrides))}) do not go "
                f"with the settings of this start: {error}"
            ) from error
