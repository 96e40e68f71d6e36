"""What a feed says besides prices: news, signs of life, candles of the past, complaints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tradeterm.engine.analysis import Analysis
from tradeterm.engine.core import Core
from tradeterm.model.market import FeedNotice, News, Past, Pulse

#: What is taken, by kind; all but commands come from the feed or answer a question.
INPUTS: Final = (
    "trade", "snapshot", "delta", "candle", "news", "notice", "command", "answer", "pulse", "past",
    "listing",
)  # fmt: skip


class Telling:
    """Passes it on: to the analysts, the market, the operator."""

    def __init__(
        self, core: Core, analysis: Analysis, heeding: Sequence[Callable[[FeedNotice], None]],
        inputs: dict[str, int], plan: Callable[[], None],
    ) -> None:  # fmt: skip
        """``heeding``: whose behaviour a notice may change; ``inputs`` counts what was taken, by
        kind; ``plan`` finds the next timer.
        """
        self._core = core
        self._analysis = analysis
        self._heeding = heeding
        self.inputs = inputs
        self._plan = plan

    def news(self, event: News) -> None:
        self.inputs["news"] += 1
        self._analysis.on_news(event)

    def pulse(self, event: Pulse) -> None:
        self.inputs["pulse"] += 1
        self._core.market.on_pulse(event)

    def past(self, event: Past) -> None:
        self.inputs["past"] += 1
        self._core.market.on_past(event)
        self._analysis.recalled(event.symbol)
        self._plan()

    def notices(self) -> None:
        """What the market itself refused."""
        for notice in self._core.market.take_notices():
            self.say(notice)

    def say(self, notice: FeedNotice) -> None:
        """Count it and tell the operator; it may feed the level, or close a symbol."""
        self._core.counters.notice(notice.code, notice.symbol, notice.text)
        text = f"{notice.symbol}: {notice.text}" if notice.symbol else notice.text
        self._core.alert(f"F-{notice.code}", "warning", text)
        for heed in self._heeding:
            heed(notice)
        self._plan()
