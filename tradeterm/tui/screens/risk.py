"""Risk in full: every limit, the breakers with their distance, cool-downs, blocks, last verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from tradeterm.engine.riskview import BreakerView
from tradeterm.engine.view import ConsoleView
from tradeterm.tui import figures
from tradeterm.tui.ink import BLANK, Line, clip, fit, wrap
from tradeterm.tui.panes.safety import gauges

_NAME = 10
_ROLES = {"approved": "up", "modified": "warn", "rejected": "error", "halted": "error"}


def risk_page(view: ConsoleView, width: int) -> Sequence[Line]:
    """Kept current while it is open."""
    risk = view.risk
    lines: list[Line] = [*_level(view, width), _title("Limits: used / allowed")]
    lines += gauges(risk.limits, width)
    lines += [BLANK, _title("Breakers")]
    lines += [line for breaker in risk.breakers for line in _breaker(breaker, width)]
    lines += [BLANK, *_entries(view, width)]
    lines += [BLANK, _title("Cool-downs"), *_cooldowns(view)]
    lines += [BLANK, _title("Last verdicts"), *_verdicts(view, width)]
    return lines


def _level(view: ConsoleView, width: int) -> list[Line]:
    """Every cause with its end, and the whole permission table."""
    level = view.level
    lines: list[Line] = [_title(f"Level {view.status.level}")]
    for cause in level.causes:
        lines += [
            ((part, "warn"),)
            for part in wrap(f"{cause.text}: {cause.level}, ends {cause.recovers}", width)
        ]
    lines += [
        (
            (fit("yes" if one.allowed else "no", 4), "up" if one.allowed else "warn"),
            (one.what, "text"),
        )
        for one in level.permits
    ]
    return [*lines, BLANK]


def _title(text: str) -> Line:
    return ((text, "accent+bold"),)


def _breaker(breaker: BreakerView, width: int) -> list[Line]:
    left = max(breaker.limit - breaker.used, 0.0)
    unit = f" {breaker.unit}" if breaker.unit else ""
    if breaker.tripped is not None:
        state, role = f"TRIPPED at {figures.moment(breaker.tripped)}", "error+bold"
    else:
        state, role = f"{left:.4g}{unit} away", "text"
    used = f"{breaker.used:.4g} / {breaker.limit:.4g}{unit}"
    return [
        ((fit(breaker.name, _NAME), "text+bold"), (fit(used, 16), "text"), (state, role)),
        ((" " * _NAME, "quiet"), (clip(breaker.does, width - _NAME), "quiet")),
    ]


def _entries(view: ConsoleView, width: int) -> list[Line]:
    """Heading and reasons from the same list, so that they cannot contradict each other."""
    blocked = view.risk.blocked
    if not blocked:
        return [_title("Entries"), (("nothing blocks them now; each is judged", "up"),)]
    anywhere = any(symbol == "*" for symbol, _ in blocked)
    return [
        _title("No entry is possible" if anywhere else "No entry is possible on"),
        *_reasons(blocked, width),
    ]


def _reasons(blocked: Sequence[tuple[str, str]], width: int) -> list[Line]:
    return [
        (
            (fit("anywhere" if symbol == "*" else symbol, _NAME), "text+bold"),
            (clip(why, width - _NAME), "warn"),
        )
        for symbol, why in blocked
    ]


def _cooldowns(view: ConsoleView) -> list[Line]:
    if not view.risk.cooldowns:
        return [(("none runs", "quiet"),)]
    now = view.status.market_time
    return [
        (
            (fit("all" if each.symbol == "*" else each.symbol, _NAME), "text+bold"),
            (fit(each.cause, 18), "text"),
            (f"{figures.countdown(each.until, now)} left", "warn"),
        )
        for each in view.risk.cooldowns
    ]


def _verdicts(view: ConsoleView, width: int) -> list[Line]:
    if not view.risk.verdicts:
        return [(("none yet", "quiet"),)]
    lines: list[Line] = []
    for each in view.risk.verdicts:
        head = f"{figures.clock(each.ts)} {fit(each.symbol, 9)} {fit(each.side, 5)} "
        codes = ", ".join(code.replace("_", " ") for code in each.codes)
        room = max(4, width - len(head) - 10)
        role = _ROLES.get(each.status, "text")
        lines.append(((head, "text"), (fit(each.status, 10), role), (clip(codes, room), "quiet")))
    return lines
