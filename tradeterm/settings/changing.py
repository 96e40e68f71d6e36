"""Which settings may change while a run goes on, which way is tighter, and how a change is checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from pydantic import ValidationError

from tradeterm.errors import ConfigError
from tradeterm.settings.section import Section
from tradeterm.settings.settings import Settings, leaves


class Tighter(StrEnum):
    """Which way of a figure is the more careful one."""

    LESS = "less"
    MORE = "more"
    NEITHER = "neither"
    """It limits nothing."""


#: What may change, in order: the first pattern that fits. What is not here is fixed for a session.
_WAYS: Final = {
    "risk.max_clock_skew": None,  # compared outside the engine, too
    "risk.max_journal_lag": None,
    "risk.by_symbol.*.max_*": Tighter.LESS,
    "risk.by_symbol.*.min_*": Tighter.MORE,
    "risk.max_*": Tighter.LESS,
    "risk.min_*": Tighter.MORE,
    "risk.regime_leverage.*": Tighter.LESS,
    "risk.cooldown.*": Tighter.MORE,
    "risk.volatility.*": Tighter.LESS,
    "risk.unusual_move.percent": Tighter.LESS,
    "risk.throttle.repeat": Tighter.MORE,
    "risk.throttle.*": Tighter.LESS,
    "risk.card_headroom": Tighter.NEITHER,
    "console.stale_after": Tighter.LESS,
    "console.on_signal": Tighter.NEITHER,
    "console.theme": Tighter.NEITHER,
    "console.bell": Tighter.NEITHER,
    "console.desktop": Tighter.NEITHER,
    "console.idle_*": Tighter.NEITHER,
    "console.poll": Tighter.NEITHER,
    "console.refresh.*": Tighter.NEITHER,
    "console.question_timeout": Tighter.NEITHER,
}
#: Why the others do not.
_FIXED: Final = {
    "market": "it says which market this run is",
    "risk": "tables, correlations and what is compared outside the engine are read at the start",
    "execution": "orders in the market were made under it",
    "llm": "requests that are out were made under it",
    "recording": "the tape is open",
    "console": "it is read at the start",
}
_START = "restart with --set {key}=… and the run goes on under it"


def way(key: str) -> Tighter | None:
    """Which way of this setting is tighter; None when it may not change while a run goes on."""
    return next((way for pattern, way in _WAYS.items() if fnmatchcase(key, pattern)), None)


def why_fixed(key: str) -> str:
    """Why a setting does not change while a run goes on, and what to do instead."""
    why = _FIXED.get(key.partition(".")[0], "agents, schedules and plans are set up with it")
    remedy = "a new run takes it" if key.startswith("market.") else _START.format(key=key)
    return f"{key} is fixed while a run goes on: {why}; {remedy}"


def value_of(settings: Settings, key: str) -> str:
    """How a setting stands, as it would be typed; ConfigError when there is no such key."""
    section, _, path = key.partition(".")
    found = getattr(settings, section, None)
    values = dict(leaves(found.model_dump(mode="json"))) if path and found is not None else {}
    if path not in values:
        raise ConfigError(f"no setting {key!r}; `tradeterm config show` lists them all")
    value = values[path]
    return value if isinstance(value, str) else json.dumps(value)


def changed(settings: Settings, changes: Mapping[str, str]) -> Settings:
    """The settings with these values, as typed; checked like those of a file. ConfigError if not."""
    sections: dict[str, dict[str, Any]] = {}
    for key, text in changes.items():
        value_of(settings, key)
        if way(key) is None:
            raise ConfigError(why_fixed(key))
        name, *path = key.split(".")
        data = sections.setdefault(name, getattr(settings, name).model_dump(mode="json"))
        for part in path[:-1]:
            data = data[part]
        data[path[-1]] = text
    return settings.model_copy(
        update={name: _checked(settings, name, data) for name, data in sections.items()}
    )


def _checked(settings: Settings, name: str, data: dict[str, Any]) -> Any:
    try:
        return type(getattr(settings, name)).model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join([name, *map(str, first["loc"])])
        what = first["msg"].removeprefix("Value error, ")
        given = f" {first['input']!r}" if first["loc"] else ""
        raise ConfigError(f"{where}{given}: {what[:1].lower()}{what[1:]}") from error


def is_looser(key: str, was: str, now: str) -> bool:
    """Whether a change lets more happen than before."""
    side = way(key)
    if side is Tighter.NEITHER:
        return False
    return float(now) > float(was) if side is Tighter.LESS else float(now) < float(was)


def fingerprint(settings: Section) -> str:
    """Eight hex digits that another set of values does not have."""
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
