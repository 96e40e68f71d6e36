"""A position's life as a plot: price since it was opened, with entry, stop and target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby

from tradeterm.engine.view import ChartView, ConsoleView, PositionView
from tradeterm.model.timing import SECOND, iso, timeframe_text
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, Part, clip
from tradeterm.tui.printable import printable

HEIGHT = 13
#: Bars before it was opened: what the entry came out of.
_BEFORE = 12
_POINTS = 400
_LEGEND = "e entry, s stop, t target; the upright line: when it was entered"
#: Letters rather than colours alone; what they mean stands in the legend.
_ROLES = {"e": "text", "s": "down", "t": "up"}
Points = list[tuple[int, float]]


def life_chart(position: PositionView, view: ConsoleView, width: int) -> Sequence[Line]:
    """The plot and its legend; a line of words as long as no bar has closed."""
    chart = _chart(view, position)
    if chart is None:
        return [(("its chart appears when the first bar has closed", "quiet"),)]
    start = position.opened - _BEFORE * chart.timeframe * SECOND
    points = [(ts, close) for ts, _, _, _, close, _ in chart.candles if ts >= start]
    points.append((view.status.market_time, float(position.mark)))
    points = [(ts, value) for ts, value in points if math.isfinite(value)]
    if len(points) < 2:
        return [(("its chart appears with the second bar of its life", "quiet"),)]
    tick = view.books[position.symbol].tick if position.symbol in view.books else None
    levels = [("s", position.stop), ("t", position.target), ("e", position.entry)]
    prices = {name: float(price) for name, price in levels if price is not None}
    whole = chart.candles[0][0] <= position.opened
    since = "" if whole else ", its beginning is older than the bars kept"
    head = f"Price since entry, {timeframe_text(chart.timeframe)} bars{since}"
    return [
        ((clip(head, width), "accent+bold"),),
        *_plot(points, prices, position.opened, width, lambda one: figures.price(one, tick)),
        ((clip(_LEGEND, width), "quiet"),),
    ]


def _chart(view: ConsoleView, position: PositionView) -> ChartView | None:
    """The finest bars that reach back to its entry, else the coarsest."""
    charts = sorted(
        (each for (symbol, _), each in view.charts.items()
         if symbol == position.symbol and each.candles),
        key=lambda each: each.timeframe,
    )  # fmt: skip
    reaching = (each for each in charts if each.candles[0][0] <= position.opened)
    return next(reaching, charts[-1] if charts else None)


def _plot(
    points: Points,
    prices: dict[str, float],
    opened: int,
    width: int,
    written: Callable[[float], str],
) -> list[Line]:
    import plotext

    step = max(1, len(points) // _POINTS)
    points = [*points[::step], points[-1]]
    times = [ts / SECOND for ts, _ in points]
    closes = [value for _, value in points]
    plotext.clear_figure()
    plotext.limit_size(False, False)  # a page may be larger than what it takes for the terminal
    plotext.theme("clear")
    plotext.plotsize(width, HEIGHT)
    for letter, price in prices.items():
        plotext.plot([times[0], times[-1]], [price, price], marker=letter)
    plotext.plot(times, closes, marker="braille")
    if times[0] <= opened / SECOND <= times[-1]:
        plotext.vline(opened / SECOND)
    low, high = min(*closes, *prices.values()), max(*closes, *prices.values())
    ticks = [low + (high - low) * at / 4 for at in range(5)]
    plotext.yticks(ticks, [written(one) for one in ticks])
    stamps = [times[0] + (times[-1] - times[0]) * at / 3 for at in range(4)]
    plotext.xticks(stamps, [iso(int(at) * SECOND)[5:16].replace("T", " ") for at in stamps])
    drawn = plotext.uncolorize(plotext.build()).splitlines()
    return [_coloured(printable(clip(line, width))) for line in drawn]


def _coloured(line: str) -> Line:
    """Each level in the colour of what it means, the rest in one."""
    parts: list[Part] = []
    for role, letters in groupby(line, lambda letter: _ROLES.get(letter, "accent")):
        parts.append(("".join(letters), role))
    return tuple(parts)
