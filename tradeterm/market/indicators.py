"""The indicators of one candle window, computed when they are asked for.

Every figure is a pure function of the window's content: handles are opened on what the window
holds, and again when it drops old candles, so nothing needs to be written down for a restart.
What is not warm is None, never a wrong number.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Final

from tradeterm.market.bars import Columns
from tradeterm.market.handles import Foresight, Handles
from tradeterm.market.recipes import IndicatorSet
from tradeterm.market.series import FigureSeries

if TYPE_CHECKING:
    from tradeterm.market.candles import CandleWindow, Column

#: More closed candles than this since the last request: opening afresh (140 µs) is cheaper.
MAX_CATCH_UP: Final = 16
#: At least this many known candles are worth being worked out together (300 µs).
LEAST_AHEAD: Final = 24

#: The candles that will come next, as far as they are known and fit into the window.
Coming = Callable[[], Columns | None]


def _unknown() -> None:
    """Of most windows nobody knows what comes."""


class Indicators:
    """The indicators of one window, kept until the next close."""

    __slots__ = (
        "_atr", "_atr_at", "_cache", "_coming", "_emas", "_foresight", "_generation", "_handles",
        "_seen", "_window",
    )  # fmt: skip

    def __init__(self, window: CandleWindow, coming: Coming = _unknown) -> None:
        self._window = window
        self._coming = coming
        self._handles: Handles | None = None
        self._foresight: Foresight | None = None
        self._generation = -1
        self._seen = -1
        self._cache: IndicatorSet | None = None
        self._emas: dict[int, Ema] = {}
        self._atr_at = (-1, -1)
        """The window's candles and generation when ``_atr`` was worked out."""
        self._atr: float | None = None

    @property
    def begun(self) -> bool:
        """Whether there is a closed candle."""
        return self._window.count > 0

    def current(self) -> IndicatorSet | None:
        """The whole set at the newest closed candle; None while there is no candle."""
        window = self._window
        if window.total == self._seen and window.generation == self._generation:
            return self._cache
        if not window.count:
            return None
        foresight = self._foreseen()
        self._cache = self._carried_on() if foresight is None else foresight.current()
        self._seen, self._generation = window.total, window.generation
        return self._cache

    @property
    def ahead(self) -> int:
        """How many of the candles to come have their figures already."""
        window = self._window
        stands = window.total == self._seen and window.generation == self._generation
        if not window.count or (stands and self._foresight is None):
            return 0
        foresight = self._foreseen()
        return 0 if foresight is None else foresight.left

    def last(self, count: int) -> tuple[FigureSeries, int]:
        """The newest candles in their series, from a place on; all ``count`` were ``ahead``."""
        foresight = self._foreseen()
        assert foresight is not None
        return foresight.series, foresight.last(count)

    def _foreseen(self) -> Foresight | None:
        """What was worked out ahead, at the newest candle; None: too little is known of what comes."""
        foresight, window = self._foresight, self._window
        if foresight is not None and foresight.reaches(window):
            return foresight
        coming = self._coming()
        if coming is None or len(coming.stamps) < LEAST_AHEAD:
            self._foresight = None
            return None
        self._handles = None
        self._foresight = foresight = Foresight(window, coming)
        return foresight

    def _carried_on(self) -> IndicatorSet:
        """The set of the handles, opened or fed with what they missed."""
        window, handles = self._window, self._handles
        missed = window.total - self._seen
        if (
            handles is None
            or window.generation != self._generation
            or not 0 < missed <= MAX_CATCH_UP
        ):
            handles = self._handles = Handles(window)
        else:
            for index in range(window.count - missed, window.count):
                handles.advance(index)
        return IndicatorSet(window.last_ts, window.newest, window.vwap(), *handles.figures())

    def atr(self) -> float | None:
        """ATR 14 at the newest closed candle, without the rest of the set when nobody read it."""
        window = self._window
        if window.total == self._seen and window.generation == self._generation:
            return None if self._cache is None else self._cache.atr
        if self._foresight is not None and self._foresight.reaches(window):
            return self._foresight.atr()
        now = (window.total, window.generation)
        if self._atr_at != now:
            self._atr_at, self._atr = now, self._worked_out_atr()
        return self._atr

    def _worked_out_atr(self) -> float | None:
        import talib

        window = self._window
        try:
            atr = talib.stream.ATR(window.high, window.low, window.close, 14)
        except talib.InsufficientHistory:  # type: ignore[attr-defined]  # not in its stubs
            return None
        value = float(atr.value)
        return value if isfinite(value) else None

    def ema(self, period: int) -> float | None:
        """One EMA of the closes without computing anything else; None until warm."""
        ema = self._emas.get(period)
        if ema is None:
            ema = self._emas[period] = Ema(period)
        return ema.at(self._window)

    def emas(self, fast: int, slow: int) -> tuple[float, float] | None:
        """Two EMAs (hot path of the EMA-cross rule); None until both are warm."""
        held, window = self._emas, self._window
        if slow not in held or fast not in held:
            held[fast], held[slow] = Ema(fast), Ema(slow)
        below = held[slow].at(window)
        above = held[fast].at(window)
        return None if above is None or below is None else (above, below)

    def standing(self, fast: int, slow: int) -> tuple[Ema, Ema] | None:
        """The same two, to be carried on by the caller; None unless both are up to date."""
        above, below, window = self._emas.get(fast), self._emas.get(slow), self._window
        if above is None or below is None or above is below:
            return None
        return (above, below) if above.stands_at(window) and below.stands_at(window) else None

    def forget(self) -> None:
        """Drop everything computed (the window was replaced by a loaded one)."""
        self._handles = self._foresight = None
        self._seen = self._generation = -1
        self._cache = None
        self._atr_at = (-1, -1)
        self._emas = {}


class Figures(Mapping[int, IndicatorSet]):
    """Timeframe → its set, worked out when it is looked at: before the market moves on."""

    __slots__ = ("_generation", "_held", "_items", "_seen", "_window")

    def __init__(self, held: Mapping[int, Indicators], base: CandleWindow) -> None:
        """``base`` is the finest window: no other closes a candle without it."""
        self._held = held
        self._window = base
        self._seen = self._generation = -1
        self._items: dict[int, IndicatorSet] = {}

    def __getitem__(self, timeframe: int) -> IndicatorSet:
        figures = self._held[timeframe].current()
        if figures is None:
            raise KeyError(timeframe)
        return figures

    def __iter__(self) -> Iterator[int]:
        return (timeframe for timeframe, one in self._held.items() if one.begun)

    def items(self) -> ItemsView[int, IndicatorSet]:
        """All of them at once, ascending: what the analysts go through."""
        window = self._window
        if window.total != self._seen or window.generation != self._generation:
            self._items = items = {}
            for timeframe, one in self._held.items():
                figures = one.current()
                if figures is not None:
                    items[timeframe] = figures
            self._seen, self._generation = window.total, window.generation
        return self._items.items()

    def __len__(self) -> int:
        return sum(one.begun for one in self._held.values())


class Ema:
    """A single EMA and how far it has come: TA-Lib's arithmetic, cheaper than its handle."""

    __slots__ = ("generation", "period", "seen", "share", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self.share = 2.0 / (period + 1)
        self.seen = -1
        self.generation = -1
        self.value: float | None = None

    def at(self, window: CandleWindow) -> float | None:
        """The value at the window's newest candle; None until warm."""
        value, missed = self.value, window.total - self.seen
        if value is None or missed > MAX_CATCH_UP or self.generation != window.generation:
            return self._open(window)
        if missed == 1:
            self.seen += 1
            self.value = value = (window.newest - value) * self.share + value
        elif missed:
            for close in window.closes(missed):
                value = (close - value) * self.share + value
            self.value, self.seen = value, window.total
        return value

    def stands_at(self, window: CandleWindow) -> bool:
        """Whether ``value`` is that of the window's newest candle."""
        return (
            self.value is not None
            and self.seen == window.total
            and self.generation == window.generation
        )

    def moved(self, value: float, window: CandleWindow) -> None:
        """The caller carried it on to the window's newest candle."""
        self.value, self.seen, self.generation = value, window.total, window.generation

    def _open(self, window: CandleWindow) -> float | None:
        self.value = self.of(window.close)
        if self.value is not None:
            self.seen, self.generation = window.total, window.generation
        return self.value

    def of(self, closes: Column) -> float | None:
        """Worked out afresh at the last of some closes; None until warm."""
        if len(closes) < self.period:
            return None
        from talib import stream  # a second of import: only when needed

        return float(stream.EMA(closes, self.period).value)
