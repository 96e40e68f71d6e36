"""Prometheus metrics of a run on loopback: health, money, risk; off unless a port is configured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric

from tradeterm.errors import TradetermError
from tradeterm.supervising import Task

HOST = "127.0.0.1"
LEVELS = ("NORMAL", "REDUCED", "LIMITED", "EMERGENCY")
STATES = ("running", "paused", "halted")
#: Fact → (metric, help). Amounts are in account currency.
GAUGES = {
    "equity": ("tradeterm_equity", "Equity in account currency"),
    "free": ("tradeterm_free", "Free cash in account currency"),
    "unrealised": ("tradeterm_unrealised", "Unrealised P&L in account currency"),
    "positions": ("tradeterm_positions", "Open margin positions"),
    "entries": ("tradeterm_entries", "Working entry orders"),
    "cards": ("tradeterm_cards", "Cards that wait for the operator"),
    "differences": ("tradeterm_differences", "Open differences with the venue"),
    "data_age": ("tradeterm_data_age_seconds", "Age of the newest market data, market seconds"),
    "clock_skew": ("tradeterm_clock_skew_seconds", "Local clock minus the exchange's"),
}

Ask = Callable[[], dict[str, Any] | None]


class RunCollector:
    """Asks the run when it is scraped; a run that does not answer is down, not zero."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def collect(self) -> Iterator[Metric]:
        """One sample of everything."""
        try:
            facts = self._ask()
        except TradetermError:  # it is there, and does not answer in time
            facts = None
        up = GaugeMetricFamily("tradeterm_up", "Whether the run answers", int(facts is not None))
        yield up
        if facts is None:
            return
        for fact, (name, told) in GAUGES.items():
            if facts.get(fact) is not None:
                yield GaugeMetricFamily(name, told, float(facts[fact]))
        yield _chosen("tradeterm_level", "Degradation level", "level", LEVELS, facts["level"])
        yield _chosen("tradeterm_state", "Whether it trades", "state", STATES, facts["state"])
        tripped = GaugeMetricFamily("tradeterm_breaker", "Tripped breakers", labels=["breaker"])
        for breaker in facts["breakers"]:
            tripped.add_metric([breaker], 1)
        yield tripped
        marks = GaugeMetricFamily("tradeterm_mark", "Mid price", labels=["symbol"])
        for symbol, mid in facts["marks"].items():
            marks.add_metric([symbol], float(mid))
        yield marks


def _chosen(name: str, told: str, label: str, all_of: tuple[str, ...], now: str) -> Metric:
    """One series per possible value, 1 for the one in force."""
    family = GaugeMetricFamily(name, told, labels=[label])
    for each in all_of:
        family.add_metric([each], int(each == now))
    return family


class MetricsServer:
    """Answers scrapes on this machine until it is closed."""

    def __init__(self, port: int, ask: Ask) -> None:
        """Raises OSError when the port is taken."""
        self._port = port
        self._registry = CollectorRegistry()
        self._registry.register(RunCollector(ask))
        self._begin()
        self.task = Task("metrics", self._dead, self._again)
        """What there is to supervise."""

    def _begin(self) -> None:
        self._server, self._thread = start_http_server(self._port, HOST, self._registry)

    def _dead(self) -> str:
        return "" if self._thread.is_alive() else "its thread ended"

    async def _again(self) -> None:
        self._server.server_close()
        self._begin()

    def close(self) -> None:
        """No more answers."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
