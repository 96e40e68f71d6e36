"""The lines that never leave the screen: status, banner, notices, footer; and the small card."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import accumulate
from typing import ClassVar

from textual import events

from tradeterm.engine.view import ConsoleView, StatusView
from tradeterm.tui import actions, figures, moments
from tradeterm.tui.action import Action, key_text
from tradeterm.tui.choice import Choice, Focus
from tradeterm.tui.ink import Ink, Line, Part, cells, clip, grounded, spread
from tradeterm.tui.panes.base import Pane
from tradeterm.tui.panes.safety import ROLES
from tradeterm.tui.plan import ORDER
from tradeterm.tui.typed import Prompt

_BAR: Part = (" │ ", "faint")
_TIGHT: Part = ("│", "faint")
_STATES = {
    "running": "up",
    "halted": "error+bold",
    "paused": "warn+bold",
    "dead": "error+bold",
}


#: Seconds without a market event from which its age is an alarm.
_STALE = 5
#: Market, state, level, equity, drawdown, exposure.
MAIN_GROUPS = 6
#: And what models cost, and the market's time.
UP_TO_CLOCK = MAIN_GROUPS + 2


class Bar(Pane):
    """One line without a frame."""

    FRAMED: ClassVar[bool] = False
    can_focus = False


class StatusBar(Bar):
    """Which market, how careful, how much, how old; words first, colours second."""

    NAME: ClassVar[str] = "status"
    late = ""
    """How far this screen is behind, while that is too much."""

    def part_of(self, view: ConsoleView) -> object:
        return self.late, view.status

    def inside(self, width: int, height: int) -> list[Line]:
        return [status_line(self.view.status, width, self.late)]


def status_line(status: StatusView, width: int, late: str = "") -> Line:
    """As much as fits; the groups move closer together before the clock or one ahead of it goes."""
    groups = status_groups(status, width)
    if late and status.known:
        groups.insert(MAIN_GROUPS - 3, ((f"screen {late} late", "warn+bold"),))
    count, line = _joined(groups, _BAR, width)
    more, closer = _joined(groups, _TIGHT, width)
    return closer if count < more and count < UP_TO_CLOCK else line


def _joined(groups: list[Line], bar: Part, width: int) -> tuple[int, Line]:
    """As many groups as fit, and how many those are."""
    line: list[Part] = [(" ", "text")]
    for at, group in enumerate(groups):
        extra = (bar, *group) if at else group
        if cells(line) + cells(extra) > width:
            return at, tuple(line)
        line += extra
    return len(groups), tuple(line)


def status_groups(status: StatusView, width: int) -> list[Line]:
    """The parts of the status line, most important first; a dash for what nobody knows yet."""
    state: Line = ((status.state.upper(), _STATES.get(status.state, "warn")),)
    if not status.known:
        unknown = [((name, "quiet"), (" –", "text")) for name in ("market", "eq", "dd", "exp")]
        return [(("PAPER", "accent+bold"),), state, *unknown]
    roomy = width >= 100
    groups = [
        (("PAPER ", "accent+bold"), *_watching(status), *_market(status, roomy)),
        state,
        ((status.level, ROLES.get(status.level, "text") + "+bold"),),
        *_money(status, roomy),
    ]
    if status.store_lag > 1:
        groups.insert(3, ((f"store {figures.age(status.store_lag)} behind", "error"),))
    groups += [
        (
            ("llm ", "quiet"),
            (_spent(status.llm_cost), "text"),
            (f"/${status.llm_cap.normalize():f}", "quiet"),
        ),
        ((figures.clock(status.market_time) + "Z", "quiet"),),
        (("up ", "quiet"), (figures.age(float(int(status.uptime))).replace(".0s", "s"), "quiet")),
        (("advisor ", "quiet"), (status.advisor, "quiet")),
    ]
    if status.alarms:
        groups.append(((f"{status.alarms} alarms", "error"),))
    return groups


def _spent(cost: Decimal) -> str:
    """Dollars; less than a cent is not nothing."""
    return "<$0.01" if 0 < cost < Decimal("0.01") else f"${cost:.2f}"


def _watching(status: StatusView) -> Line:
    return (("WATCHING ", "warn+bold"),) if status.watched else ()


def _market(status: StatusView, roomy: bool) -> Line:
    live = status.mode == "LIVE"
    text, role = _connection(status) if live else (figures.speed(status.speed), _speed_role(status))
    pace: Line = ((status.mode, "text+bold"), (f" {text}" if text else "", role))
    if status.data_age is None:
        return (*pace, (" no data yet" if roomy else " –", "quiet"))
    if status.data_age > _STALE and status.speed > 0 and status.state != "finished":
        old = figures.age(status.data_age)
        return (*pace, (f" stale {old}" if roomy else f" {old}!", "warn+bold"))
    return (*pace, (f" {'data ' if roomy else ''}{figures.age(status.data_age)}", "quiet"))


def _money(status: StatusView, roomy: bool) -> list[Line]:
    moved = figures.percent(status.day_pnl, 2 if roomy else 1)
    gain = "up" if status.day_pnl > 0 else "down" if status.day_pnl < 0 else "text"
    worn = "warn" if status.drawdown >= status.drawdown_limit / 2 else "text"
    return [
        (
            ("eq ", "quiet"),
            (f"{status.equity:,.{2 if roomy else 0}f} ", "text+bold"),
            ("day " if roomy else "", "quiet"),
            (("+" if status.day_pnl > 0 else "") + moved + "%", gain),
        ),
        (
            ("dd ", "quiet"),
            (f"{status.drawdown:.1f}", worn),
            (f"/{status.drawdown_limit:.0f}%", "quiet"),
        ),
        (
            ("exp ", "quiet"),
            (f"{status.exposure:.0f}", "text"),
            (f"/{status.exposure_limit:.0f}%" if roomy else "%", "quiet"),
        ),
    ]


def _connection(status: StatusView) -> Part:
    """A market that goes on by itself has no speed; what matters is how it reaches us."""
    sources = {line.source for line in status.feed}
    if "down" in sources:
        return "link down", "error+bold"
    return ("polling", "warn+bold") if "polling" in sources else ("", "text")


def _speed_role(status: StatusView) -> str:
    return "warn+bold" if status.speed == 0 else "text"


class Banner(Bar):
    """The engine died, the journal cannot be written, no picture comes: before anything else."""

    NAME: ClassVar[str] = "banner"

    def part_of(self, view: ConsoleView) -> object:
        return view.fault

    def inside(self, width: int, height: int) -> list[Line]:
        return [grounded(((clip(f" {self.view.fault}", width), "white+bold"),), "alarm", width)]


class NoticeBar(Bar):
    """One line for messages and prompts; when quiet, panes (narrow) or what the market does."""

    NAME: ClassVar[str] = "notice"

    def __init__(self, choice: Choice, ink: Ink) -> None:
        super().__init__(choice, ink)
        self.text = ""
        self.severity = "info"
        self.prompt: Prompt | None = None
        self.chosen = "positions"
        self.frozen = ""
        """Since when a live picture stands still, while it does."""
        self.idle = ""
        """How long nobody pressed a key, when that is long."""
        self.debug = ""
        """How the screen itself fares, when asked for."""
        self.tour = ""
        """The line of the guided start, shown while there is nothing else to say."""

    def part_of(self, view: ConsoleView) -> object:
        status = view.status
        return (
            self.text,
            self.severity,
            self.prompt,
            self.chosen,
            self.tour,
            self.idle,
            self.debug,
            self.frozen,
            len(view.cards),
            len(view.positions),
            status.state,
            status.speed,
            status.walking,
            status.arrived,
            status.waiting_for_operator,
        )

    def inside(self, width: int, height: int) -> list[Line]:
        if self.prompt is not None:
            label, text = " " + self.prompt.label, self.prompt.text
            label = clip(label, max(0, width - cells(((text, "text"),)) - 1))
            return [((label, "accent+bold"), (text, "text"), ("▏", "accent"))]
        if self.idle:
            return [((clip(" " + self.idle, width), "warn+bold"),)]
        if self.text:
            role = {"warning": "warn+bold", "error": "error+bold"}.get(self.severity, "accent")
            return [((clip(" " + self.text, width), role),)]
        if self.frozen:
            told = (
                f" PICTURE FROZEN at {self.frozen}Z: market and trading go on · space: the present"
            )
            return [((clip(told, width), "warn+bold"),)]
        if self.debug:
            return [((clip(" " + self.debug, width), "quiet"),)]
        if self.tour:
            return [((clip(" " + self.tour, width), "accent+bold"),)]
        if width < 100 and not self.view.status.walking:
            return [self._tabs()]
        told = market_words(self.view, width - 1)
        if self.view.status.watched:
            told = told.partition(" · ")[0]  # the keys behind it are its owner's
        return [((clip(" " + told, width), "quiet"),)]

    async def on_click(self, event: events.Click) -> None:
        """A click on a tab shows its pane."""
        tabs = self._tabs()
        if self._shown != [tabs]:
            return
        ends = accumulate(cells((part,)) for part in tabs)
        at = next((n for n, end in enumerate(ends) if event.x < end), 0)
        if at:
            await self.app.run_action(f"show_{ORDER[at - 1]}")

    def _tabs(self) -> Line:
        waiting = sum(card.state == "pending" for card in self.view.cards)
        shown = waiting if self.view.status.known else "–"
        names = (
            "Pos",
            f"Conf({shown})",
            "Book",
            "Chart",
            "Events",
            "Agents",
            "Ord",
            "Safe",
            "Port",
        )
        parts: list[Part] = [(" ", "text")]
        for at, (name, pane) in enumerate(zip(names, ORDER, strict=True), 1):
            if pane == self.chosen:
                parts.append((f"[{at} {name}]", "accent+bold"))
            else:
                urgent = pane == "conflicts" and waiting
                parts.append((f" {at} {name} ", "warn" if urgent else "quiet"))
        return tuple(parts)


def market_words(view: ConsoleView, width: int) -> str:
    """What the market is doing and what the operator can do about it; a long reason is cut."""
    status = view.status
    if status.state == "starting":
        return "connecting to the engine …"
    if status.state == "halted":
        then = ": no new exposure, stops stay · P resumes"
        why = f" ({status.state_reason}" if status.state_reason else ""
        room = max(0, width - len("HALTED") - len(then) - 1)
        return f"HALTED{why and clip(why, room) + ')'}{then}"
    if over := moments.over(view):
        return over
    if status.state == "paused":
        return "trading is paused: no new proposals, analysis goes on · P resumes"
    if status.waiting_for_operator:
        pace = "runs at 1×" if status.speed else "stands still"
        return f"a card waits for you: the market {pace} until it is decided"
    if status.mode == "LIVE":
        return "live market, paper orders"
    if status.walking:
        return f"{status.mode} goes on to {status.walking} at full speed · esc stops it"
    if status.speed == 0:
        then = " · space starts it · ' ) } step · # $ * jump"
        return clip(status.arrived or "the market stands still", max(9, width - len(then))) + then
    pace = "as fast as it can" if math.isinf(status.speed) else f"at {figures.speed(status.speed)}"
    return f"{status.mode} runs {pace} · space stops it, + and - change the speed"


class FooterBar(Bar):
    """The keys that make sense now, best first, as many as fit."""

    NAME: ClassVar[str] = "footer"

    def __init__(self, choice: Choice, ink: Ink) -> None:
        super().__init__(choice, ink)
        self.focus_on = Focus()
        self.asking = False
        self.typing = ""
        """What the keys do while a line is typed."""
        self.page = ""
        """What they do while a page lies over the deck."""

    def part_of(self, view: ConsoleView) -> object:
        return self.asking, self.typing, self.page, tuple(self._labels(view))

    def _labels(self, view: ConsoleView) -> list[tuple[str, str]]:
        return [
            (key_text(each.keys[0]), _label(each, view))
            for each in actions.footer(view, self.focus_on)
        ]

    def inside(self, width: int, height: int) -> list[Line]:
        if self.page or self.typing:
            return [((" " + clip(self.page or self.typing, width - 1), "quiet"),)]
        if self.asking:
            left: Line = (
                (" y", "accent+bold"),
                (" yes   ", "text"),
                ("any other key", "accent+bold"),
                (" no", "text"),
            )
            return [spread(left, (("H", "accent+bold"), (" Halt ", "quiet")), width)]
        parts: list[Part] = [(" ", "text")]
        for key, label in self._labels(self.view):
            extra: list[Part] = [(key, "accent+bold"), (f" {label}  ", "quiet")]
            if cells(parts) + cells(extra) - 2 > width:
                continue
            parts += extra
        return [tuple(parts)]


def _label(action: Action, view: ConsoleView) -> str:
    if action.name == "pause" and view.status.state in {"paused", "halted"}:
        return "Resume"
    if action.name == "market" and view.status.mode == "LIVE":
        return "Freeze picture"
    if action.name == "market":
        return "Start market" if view.status.speed == 0 else "Stop market"
    return action.label


class SmallCard(Bar):
    """All there is room for: the state, the money, and the two keys that matter."""

    NAME: ClassVar[str] = "small"

    def part_of(self, view: ConsoleView) -> object:
        status = view.status
        return (
            status.level,
            status.state,
            status.equity,
            status.day_pnl,
            status.mode,
            status.known,
        )

    def inside(self, width: int, height: int) -> list[Line]:
        status = self.view.status
        worth = (
            f"{figures.money(status.equity)} day {status.day_pnl:+.2f}%" if status.known else "–"
        )
        rows = [
            ("terminal too small, need 80×20", "warn+bold"),
            (f"PAPER {status.mode or '–'} · engine {status.state.upper()}", "text+bold"),
            (status.level or "–", ROLES.get(status.level, "text")),
            (f"eq {worth}", "text"),
            ("H halt   q quit", "accent"),
        ]
        return [((clip(text, width), role),) for text, role in rows]
