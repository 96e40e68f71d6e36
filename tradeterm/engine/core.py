"""What the parts of the engine share: clock, journal, bus, timers, counters, settings."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from tradeterm.engine.bus import Bus
from tradeterm.engine.counters import Counters, bump
from tradeterm.engine.eventlog import EVENT_KINDS, EventLog
from tradeterm.engine.journaling import Journal
from tradeterm.engine.regimes import Regimes
from tradeterm.engine.stamp import Stamp
from tradeterm.engine.timers import Timers
from tradeterm.market.market import Market
from tradeterm.model.health import Health
from tradeterm.model.instruments import Instrument
from tradeterm.model.messages import Message, SystemEvent
from tradeterm.model.outputs import Published, RegimeView
from tradeterm.model.ports import Question
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Breaker, Level, MarketMode, Priority, RunState, Topic
from tradeterm.settings.settings import Settings

log = logging.getLogger(__name__)


class Tripped(msgspec.Struct, frozen=True):
    """A breaker that tripped: when, by which figure against which limit, and its row."""

    id: str
    ts: int
    used: Decimal
    limit: Decimal


class Core:
    """The engine's common ground. Parts hold a reference; nobody else does."""

    def __init__(
        self,
        settings: Settings,
        instruments: Mapping[str, Instrument],
        market: Market,
        mode: MarketMode,
        seed: int,
    ) -> None:
        """Everything at its beginning."""
        self.settings = settings
        self.settings_mark = ""
        """What verdicts add to their state once an operator changed settings; of the values."""
        self.instruments = dict(instruments)
        """By symbol; what an exchange changes in them is changed here (``restricting.py``)."""
        self.market = market
        self.mode = mode
        self.seed = seed
        self.stamp = Stamp()
        self.counters = Counters()
        self.events = EventLog({s: i.tick for s, i in instruments.items()})
        self.journal = Journal(self.stamp, self.events.record, EVENT_KINDS)
        self.timers = Timers()
        ttl = {t: settings.orchestration.ttl[t] * SECOND for t in Topic}
        self.regimes = Regimes(ttl[Topic.REGIME_UPDATES])
        self.bus = Bus(ttl, self._handler_failed)
        self.effects: deque[Question] = deque()
        self.state = RunState.RUNNING
        self.state_reason = ""
        self.flattening = False
        """Whatever still opens (an entry that was faster than its cancel) is closed at once."""
        self.tripped: dict[Breaker, Tripped] = {}
        """Breakers that were neither lifted nor reset; kept by ``engine/breaking.py``."""
        self.level = Level.NORMAL
        self.health = Health() if mode is MarketMode.LIVE else None
        """What clock and journal were last said to be like; None where neither can fail us."""
        self.on_trading_failure: Callable[[str], None] = _nobody
        """Halts the engine; set by it."""
        self.on_state_changed: Callable[[str], None] = _nobody
        """Told the id of the row that says so; set by the plans."""
        self.unreconciled: Callable[[str], str] = _agreed
        """The difference with the venue that stands open on a symbol; set by the engine."""
        self.restricted: Callable[[str], str] = _agreed
        """What keeps new exposure off a symbol; set by the engine."""

    @property
    def now(self) -> int:
        """Market time (ns)."""
        return self.stamp.now

    def said(self, published: Published, parent: str = "") -> None:
        """An agent spoke: journaled, and remembered where it is about a regime."""
        self.journal.write("agent_output", published.id, parent, published)
        if isinstance(published.output, RegimeView):
            self.regimes.record(published.output, published.ts)

    def alert(self, code: str, severity: str, text: str, parent: str = "") -> None:
        """Say something to the operator: journaled, on the bus, on the screen."""
        event = SystemEvent(code, severity, text)
        self.journal.write("system", self.journal.new_id("sys"), parent, event)
        self.bus.publish(Topic.SYSTEM_EVENTS, "engine", "*", event, self.now)

    def risk_alert(self, code: str, severity: str, text: str, parent: str = "") -> None:
        """Something a trader must know at once."""
        event = SystemEvent(code, severity, text)
        self.journal.write("system", self.journal.new_id("sys"), parent, event)
        self.bus.publish(
            Topic.RISK_ALERTS, "engine", "*", event, self.now, priority=Priority.URGENT
        )

    def set_state(self, state: RunState, reason: str, parent: str) -> None:
        """Change what the operator allows; journaled."""
        if state is self.state:
            return
        self.state, self.state_reason = state, reason
        body = {"state": state.value, "reason": reason}
        row_id = self.journal.new_id("state")
        self.journal.write("state", row_id, parent, body)
        self.on_state_changed(row_id)

    def failed(self, name: str, error: Exception) -> None:
        """Record a failure of a part."""
        self.counters.failures += 1
        log.exception("%s failed", name, exc_info=error)
        self.alert("E-HANDLER", "error", f"{name} failed: {type(error).__name__}: {error}")

    def _handler_failed(self, message: Message, name: str, error: Exception) -> None:
        """A trading handler that raised may have left its work half done: nothing new after it."""
        self.failed(name, error)
        text = f"{name} failed on a message of {message.topic}: {type(error).__name__}"
        self.risk_alert("E-TRADING-HANDLER", "critical", text)
        self.on_trading_failure(text)

    def count(self, table: dict[str, int], key: str) -> None:
        """Add one."""
        bump(table, key)


def _agreed(_symbol: str) -> str:
    """Before the venue is compared with."""
    return ""


def _nobody(_text: str) -> None:
    """Before the engine is put together."""
