"""Candles in half blocks: two price steps per line, cheap enough to stand on the deck."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar, NamedTuple

from textual import events

from tradeterm.engine.view import ChartView, ConsoleView, RegimeSpell
from tradeterm.model.timing import DAY, SECOND, timeframe_text
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, Part, fit
from tradeterm.tui.panes.base import Pane, placeholder
from tradeterm.tui.panes.overlays import (
    AVERAGES,
    Fill,
    Level,
    Mark,
    dashed,
    ema,
    fill_mark,
    fills,
    levels,
    regime_band,
    within_reach,
    worded,
)

#: Lines from which one is given to the regimes.
_ROOM_FOR_BAND = 8
#: Bars one key or one turn of the wheel goes.
STEP = 8

Candle = tuple[int, float, float, float, float, float]


class Scale(NamedTuple):
    """Prices of the chart's lowest and highest half line."""

    low: float
    high: float
    steps: int

    def at(self, price: float) -> int:
        """Half line of a price, counted from the foot."""
        share = (price - self.low) / (self.high - self.low)
        return min(self.steps - 1, max(0, round(share * (self.steps - 1))))

    def price(self, step: int) -> float:
        """Price of a half line."""
        return self.low + (self.high - self.low) * step / max(1, self.steps - 1)


class ChartPane(Pane):
    """One symbol and timeframe; redrawn when a bar closes or the forming one moves."""

    NAME: ClassVar[str] = "chart"
    KEY: ClassVar[str] = "4"
    TITLE: ClassVar[str] = "Chart"
    HINTS = (
        ("finer coarser", "timeframe"),
        ("left right", "time"),
        ("candles", "candles/line"),
        ("indicators", "averages"),
        ("previous_symbol next_symbol", "symbol"),
    )

    until = 0
    """Close time of the last bar shown while reading the past; 0: the present."""

    def part_of(self, view: ConsoleView) -> object:
        choice = self.choice
        key = choice.symbol, choice.timeframe
        chart = view.charts.get(key)
        if chart is None:
            return key, view.status.state
        last = chart.candles[-1] if chart.candles else None
        age = figures.age(view.status.data_age)
        own = (
            levels(view.positions, choice.symbol),
            fills(view.orders, choice.symbol),
            view.regimes.get(choice.symbol),
        )
        return key, last, chart.forming, age, own

    def _chart(self) -> ChartView | None:
        return self.view.charts.get((self.choice.symbol, self.choice.timeframe))

    def heading(self) -> str:
        choice = self.choice
        if not choice.symbol:
            return "Chart"
        words = [choice.symbol, timeframe_text(choice.timeframe)]
        words += ["· line" if choice.closes else "· candles"]
        if choice.indicators:
            words += ["· EMA", *(f"{glyph}{bars}" for bars, glyph, _ in AVERAGES)]
        if not choice.follows:
            words += ["· stays"]
        return "Chart " + " ".join(words)

    def age(self) -> str:
        if self.until:
            return f"{self._back(self._candles())} bars back"
        book = self.view.books.get(self.choice.symbol)
        return f"age {figures.age(book.age if book else self.view.status.data_age)}"

    def _candles(self) -> list[Candle]:
        chart = self._chart()
        candles = list(chart.candles) if chart else []
        if chart and chart.forming:
            candles.append(chart.forming)
        return [each for each in candles if all(map(math.isfinite, each[1:5]))]

    def inside(self, width: int, height: int) -> list[Line]:
        chart, candles = self._chart(), self._candles()
        if chart is None or not candles:
            return placeholder("candles appear when the first bar has closed", width=width)
        choice, view = self.choice, self.view
        book = view.books.get(choice.symbol)
        drawing = Drawing(
            candles,
            chart.timeframe,
            book.tick if book else None,
            self._back(candles),
            choice.closes,
            levels(view.positions, choice.symbol) if choice.indicators else None,
            fills(view.orders, choice.symbol) if choice.indicators else [],
            view.regimes.get(choice.symbol, ()) if choice.indicators else (),
            view.status.market_time,
        )
        return draw(drawing, width, height)

    def _back(self, candles: list[Candle]) -> int:
        """Bars between the last one shown and the present; never past the oldest full screen."""
        if not self.until:
            return 0
        newer = len(candles) - bisect_right(candles, self.until, key=lambda each: each[0])
        return max(0, min(newer, len(candles) - self.page))

    @property
    def page(self) -> int:
        """About as many bars as are on screen."""
        return max(1, self.size.width - 16)

    def scroll(self, bars: int) -> None:
        """Towards the past (negative) or the present."""
        candles = self._candles()
        back = max(0, min(self._back(candles) - bars, len(candles) - self.page))
        self.until = candles[-1 - back][0] if back else 0
        self.rebuild()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll(STEP)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll(-STEP)


class Drawing(NamedTuple):
    """What one picture of a chart is made of."""

    candles: list[Candle]
    timeframe: int
    tick: Decimal | None
    back: int = 0
    """Bars left out at the present's end."""
    closes: bool = False
    """A line of closes instead of candles."""
    levels: list[Level] | None = None
    """Prices worth a line; None: neither these nor averages."""
    fills: Sequence[Fill] = ()
    regimes: Sequence[RegimeSpell] = ()
    now: int = 0
    """Market time: the bar that forms closes later."""


def draw(drawing: Drawing, width: int, height: int) -> list[Line]:
    """Price axis, candles, averages, levels, last price; where there is room the regimes and volume;
    time axis.
    """
    candles = drawing.candles[: len(drawing.candles) - drawing.back]
    tick = drawing.tick
    label = figures.price(candles[-1][4], tick)
    axis = max(8, len(label) + 1)
    columns = max(1, width - axis - 2)
    volume = 3 if height >= 16 else 0
    band = 1 if height >= _ROOM_FOR_BAND and drawing.regimes else 0
    rows = max(2, height - 1 - volume - band)
    shown = (_line(candles) if drawing.closes else candles)[-columns:]
    scale, reached = _scale(shown, drawing.levels or [], rows)
    left = columns - len(shown)
    bars = [_column(each, scale) for each in shown]
    lifted = [] if drawing.levels is None else _averages(candles, len(shown), scale)
    own = _fills(drawing, shown, scale)
    last_row = rows - 1 - scale.at(shown[-1][4]) // 2
    lines: list[Line] = []
    for row in range(rows):
        line = rows - 1 - row
        parts: list[Part] = [*_axis(row, rows, scale, axis, tick)]
        if row == last_row:
            mark = "up+bold" if shown[-1][4] >= shown[-1][1] else "down+bold"
            parts = [(fit(label, axis - 1, ">") + " ▸", mark)]
        here = next((each for each in reached if scale.at(each.price) // 2 == line), None)
        ground = dashed(here, columns) if here else []
        words = worded(here, figures.price(here.price, tick))[:columns] if here else []
        cells = _blank(ground, left) + [
            own.get((at, line))
            or _cell(bar, lifted[at] if lifted else {}, ground[left + at : left + at + 1], line)
            for at, bar in enumerate(bars)
        ]
        lines.append((*parts, *_joined(words + cells[len(words) :])))
    if band:
        closes = [min(each[0], drawing.now) for each in shown]
        cells = regime_band(drawing.regimes, closes)
        begun: Line = ((fit("regime", axis - 1, ">"), "quiet"), (" │" + " " * left, "faint"))
        lines.append((*begun, *_joined(cells)))
    lines += _volume(candles[-columns:], volume, axis, left)
    lines.append(_times(shown, drawing.timeframe, axis, left, columns))
    return lines


def _line(candles: list[Candle]) -> list[Candle]:
    """Each bar from the close before to its own."""
    before = [candles[0], *candles[:-1]]
    return [
        (ts, last[4], max(last[4], close), min(last[4], close), close, volume)
        for last, (ts, _, _, _, close, volume) in zip(before, candles, strict=True)
    ]


def _scale(shown: list[Candle], found: list[Level], rows: int) -> tuple[Scale, list[Level]]:
    """The candles' range, widened for the levels within reach."""
    low, high = min(each[3] for each in shown), max(each[2] for each in shown)
    if high <= low:
        low, high = low * 0.999, high * 1.001 or 1.0
    reached = within_reach(found, low, high)
    prices = [low, high, *(each.price for each in reached)]
    return Scale(min(prices), max(prices), rows * 2), reached


def _fills(drawing: Drawing, shown: list[Candle], scale: Scale) -> dict[tuple[int, int], Mark]:
    """(column, line) → arrow, for those within the picture."""
    begin = shown[0][0] - drawing.timeframe * SECOND
    closes = [each[0] for each in shown]
    return {
        (bisect_left(closes, each.ts), scale.at(each.price) // 2): fill_mark(each)
        for each in drawing.fills
        if begin < each.ts <= closes[-1] and scale.low <= each.price <= scale.high
    }


def _averages(candles: list[Candle], shown: int, scale: Scale) -> list[dict[int, Mark]]:
    """Per column: line → mark; an average outside the picture is not drawn."""
    closes = [each[4] for each in candles]
    found: list[dict[int, Mark]] = [{} for _ in range(shown)]
    for bars, glyph, role in AVERAGES:
        for column, value in zip(found, ema(closes, bars)[-shown:], strict=True):
            if value is not None and scale.low <= value <= scale.high:
                column.setdefault(scale.at(value) // 2, Mark(glyph, role))
    return found


def _blank(ground: list[Mark], left: int) -> list[Mark]:
    return ground[:left] or [Mark(" ", "text")] * left


def _cell(
    bar: tuple[str, dict[int, str]], lifted: dict[int, Mark], ground: list[Mark], line: int
) -> Mark:
    """The candle before the averages before the levels."""
    role, glyphs = bar
    if line in glyphs:
        return Mark(glyphs[line], role)
    return lifted.get(line) or (ground[0] if ground else Mark(" ", role))


def _axis(row: int, rows: int, scale: Scale, axis: int, tick: Decimal | None) -> list[Part]:
    if row % max(2, rows // 5) == 0:
        price = figures.price(scale.price((rows - 1 - row) * 2 + 1), tick)
        return [(fit(price, axis - 1, ">"), "quiet"), (" ┤", "faint")]
    return [(" " * (axis - 1), "quiet"), (" │", "faint")]


def _column(candle: Candle, scale: Scale) -> tuple[str, dict[int, str]]:
    """Role and glyphs of one candle, line by line from the foot."""
    _, opened, high, low, close, _ = candle
    top, bottom = scale.at(max(opened, close)), scale.at(min(opened, close))
    wick_top, wick_bottom = scale.at(high), scale.at(low)
    glyphs: dict[int, str] = {}
    for line in range(wick_bottom // 2, wick_top // 2 + 1):
        upper, lower = line * 2 + 1, line * 2
        body_up, body_low = bottom <= upper <= top, bottom <= lower <= top
        wick_up = wick_bottom <= upper <= wick_top
        wick_low = wick_bottom <= lower <= wick_top
        if body_up and body_low:
            glyph = "█"
        elif body_up:
            glyph = "▀"
        elif body_low:
            glyph = "▄"
        elif wick_up and wick_low:
            glyph = "│"
        else:
            glyph = "╵" if wick_up else "╷"
        glyphs[line] = glyph
    return ("up" if close >= opened else "down"), glyphs


def _joined(cells: list[Mark]) -> list[Part]:
    """One screen line; neighbours of one colour become one part, spaces take either."""
    parts: list[Part] = []
    text, role = "", ""
    for glyph, own in cells:
        wanted = (role or own) if glyph == " " else own
        if wanted != role and text:
            parts.append((text, role))
            text = ""
        role = wanted
        text += glyph
    return [*parts, (text, role or "text")]


def _volume(shown: list[Candle], rows: int, axis: int, left: int) -> list[Line]:
    largest = max((each[5] for each in shown if math.isfinite(each[5])), default=0.0)
    lines: list[Line] = []
    for row in range(rows - 1, -1, -1):
        text = "".join(_volume_glyph(each[5], largest, rows, row) for each in shown)
        head = fit("volume" if row == rows - 1 else "", axis - 1, ">")
        lines.append(((head, "quiet"), (" │", "faint"), (" " * left + text, "faint")))
    return lines


def _volume_glyph(value: float, largest: float, rows: int, row: int) -> str:
    if largest <= 0 or not math.isfinite(value):
        return " "
    eighths = round(value / largest * rows * 8) - row * 8
    return " ▁▂▃▄▅▆▇█"[min(8, max(0, eighths))]


def _times(shown: list[Candle], timeframe: int, axis: int, left: int, columns: int) -> Line:
    """Clock times under the candles, about every sixteen columns."""
    text = [" "] * (columns + 8)
    form = "%d %b" if timeframe * SECOND >= DAY else "%H:%M"
    for at in range(len(shown) - 1, -1, -16):
        word = datetime.fromtimestamp(shown[at][0] // SECOND, UTC).strftime(form)
        start = left + at - len(word) + 1
        if start >= 0:
            text[start : start + len(word)] = word
    return ((" " * axis + "└", "faint"), ("".join(text[:columns]), "quiet"))
