"""The help page: keys of the pane one comes from, then every key, then what the words mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tradeterm.engine.view import ConsoleView
from tradeterm.tui.action import Action, Tier
from tradeterm.tui.actions import ACTIONS, BY_NAME
from tradeterm.tui.ink import BLANK, Line, fit, wrap
from tradeterm.tui.panes.base import Pane
from tradeterm.tui.panes.safety import MEANING
from tradeterm.tui.screens.text import Builder

_TIERS = {
    Tier.VIEW: "",
    Tier.LOWERS: "at once",
    Tier.ASKS: "asks, y",
    Tier.GLOBAL: "typed word",
}
_KEYS, _TIER = 14, 11


def help_page(pane: Pane) -> Builder:
    """Begins with what the keys do in this pane."""

    def build(view: ConsoleView, width: int) -> Sequence[Line]:
        lines = _text(
            "PAPER: no order leaves this program. Agents propose, you approve or refuse, "
            "the risk engine has the last word. Nothing typed here can skip it.",
            width,
        )
        here = [BY_NAME[name] for names, _ in pane.HINTS for name in names.split()]
        own = [each for each in ACTIONS if pane.NAME in each.panes and each not in here]
        lines += _group(f"In this pane: {pane.TITLE}", [*here, *own], width)
        for group in dict.fromkeys(action.group for action in ACTIONS):
            lines += _group(group, [each for each in ACTIONS if each.group == group], width)
        return [*lines, *_levels(view), *_good_to_know(width)]

    return build


def _group(title: str, found: Iterable[Action], width: int) -> list[Line]:
    lines: list[Line] = [BLANK, ((title, "accent+bold"),)]
    room = max(10, width - _KEYS - _TIER)
    for action in found:
        for at, part in enumerate(wrap(action.help, room)):
            keys = action.shown if at == 0 else ""
            tier = _TIERS[action.tier] if at == 0 else ""
            lines.append(
                (
                    (fit(keys, _KEYS), "text+bold"),
                    (fit(part, room), "text"),
                    (fit(tier, _TIER, ">"), "quiet"),
                )
            )
    return lines


def _levels(view: ConsoleView) -> list[Line]:
    lines: list[Line] = [BLANK, (("Levels", "accent+bold"),)]
    for level, meaning in MEANING.items():
        here = level == view.status.level
        lines.append(
            (
                (fit(level, _KEYS), "warn+bold" if here else "text+bold"),
                (meaning + (" – now" if here else ""), "text"),
            )
        )
    return lines


def _good_to_know(width: int) -> list[Line]:
    return [
        BLANK,
        (("Good to know", "accent+bold"),),
        *_text(
            "Countdowns run in market time. While a card waits, SIM and REPLAY run at 1×. "
            "Without an answer there is no trade. Stops and targets work in every state, "
            "halted included.",
            width,
        ),
        *_text(
            "y copies through the terminal (OSC 52), over ssh, too; tmux lets it through after "
            "`set -g set-clipboard on`.",
            width,
        ),
    ]


def _text(text: str, width: int) -> list[Line]:
    return [((part, "text"),) for part in wrap(text, width)]
