"""Candles in half blocks: two price steps per line, cheap enough to stand on the deck."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import ClassVar, NamedTuple

from tradeterm.engine.view import ChartView, ConsoleView
from tradeterm.model.timing import DAY, SECOND, timeframe_text
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, Part, fit
from tradeterm.tui.panes.base import Pane, placeholder

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

    def part_of(self, view: ConsoleView) -> object:
        chart = view.charts.get((self.choice.symbol, self.choice.timeframe))
        if chart is None:
            return self.choice.symbol, self.choice.timeframe, view.status.state
        last = chart.candles[-1] if chart.candles else None
        age = figures.age(view.status.data_age)
        return self.choice.symbol, self.choice.timeframe, last, chart.forming, age

    def _chart(self) -> ChartView | None:
        return self.view.charts.get((self.choice.symbol, self.choice.timeframe))

    def heading(self) -> str:
        if not self.choice.symbol:
            return "Chart"
        return f"Chart {self.choice.symbol} {timeframe_text(self.choice.timeframe)}"

    def age(self) -> str:
        book = self.view.books.get(self.choice.symbol)
        return f"age {figures.age(book.age if book else self.view.status.data_age)}"

    def hint(self) -> str:
        return "[ ] timeframe · s symbol"

    def inside(self, width: int, height: int) -> list[Line]:
        chart = self._chart()
        candles = list(chart.candles) if chart else []
        if chart and chart.forming:
            candles.append(chart.forming)
        candles = [each for each in candles if all(map(math.isfinite, each[1:5]))]
        if chart is None or not candles:
            return placeholder("candles appear when the first bar has closed", width=width)
        return draw(chart, candles, self._tick(), width, height)

    def _tick(self) -> object:
        book = self.view.books.get(self.choice.symbol)
        return book.tick if book else None


def draw(
    chart: ChartView, candles: list[Candle], tick: object, width: int, height: int
) -> list[Line]:
    """Price axis, candles, last price, volume where there is room, time axis."""
    label = _label(candles[-1][4], tick)
    axis = max(8, len(label) + 1)
    columns = max(1, width - axis - 2)
    volume = 3 if height >= 16 else 0
    rows = max(2, height - 1 - volume)
    shown = candles[-columns:]
    low, high = min(each[3] for each in shown), max(each[2] for each in shown)
    if high <= low:
        low, high = low * 0.999, high * 1.001 or 1.0
    scale = Scale(low, high, rows * 2)
    left = columns - len(shown)
    columns_drawn = [_column(each, scale) for each in shown]
    last_row = rows - 1 - scale.at(shown[-1][4]) // 2
    lines: list[Line] = []
    for row in range(rows):
        parts: list[Part] = [*_axis(row, rows, scale, axis, tick)]
        if row == last_row:
            mark = "up+bold" if shown[-1][4] >= shown[-1][1] else "down+bold"
            parts = [(fit(label, axis - 1, ">") + " ▸", mark)]
        lines.append((*parts, (" " * left, "text"), *_joined(columns_drawn, rows - 1 - row)))
    lines += _volume(shown, volume, axis, left)
    lines.append(_times(shown, chart.timeframe, axis, left, columns))
    return lines


def _label(price: float, tick: object) -> str:
    from decimal import Decimal

    return figures.price(price, tick if isinstance(tick, Decimal) else None)


def _axis(row: int, rows: int, scale: Scale, axis: int, tick: object) -> list[Part]:
    if row % max(2, rows // 5) == 0:
        price = _label(scale.price((rows - 1 - row) * 2 + 1), tick)
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


def _joined(columns: list[tuple[str, dict[int, str]]], line: int) -> list[Part]:
    """One screen line of all candles; neighbours of one colour become one part."""
    parts: list[Part] = []
    text, role = "", ""
    for candle_role, glyphs in columns:
        glyph = glyphs.get(line, " ")
        wanted = role if glyph == " " else candle_role
        if wanted != role and text:
            parts.append((text, role or "text"))
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
