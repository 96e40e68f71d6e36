"""One action of the console: its key, its words, how it is confirmed, when it is possible.

Tiers say how an action is confirmed. VIEW: at once. LOWERS risk or is reversible: at once, with a
message. ASKS, because it raises risk, or ends several things at once: a question, default No,
answer ``y``. GLOBAL: a typed word.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from tradeterm.engine.view import ConsoleView
from tradeterm.tui import moments
from tradeterm.tui.choice import Focus
from tradeterm.tui.plan import ORDER

#: Keys that work whatever is open: modal screens, filters, questions, a terminal too small.
ALWAYS = frozenset({"halt", "redraw"})
#: Groups whose actions are carried out by the engine, though they add no risk.
_ORDERING = frozenset({"Decide", "Trade", "Market"})


class Tier(IntEnum):
    """How much an action can do."""

    VIEW = 0
    LOWERS = 1
    ASKS = 2
    GLOBAL = 3


class Action(msgspec.Struct, frozen=True):
    """One thing the operator can do."""

    name: str
    keys: tuple[str, ...]
    """In Textual's names; the first is the one shown."""
    label: str
    """For the footer: one or two words; empty = not there."""
    help: str
    tier: Tier = Tier.VIEW
    when: moments.Moment = moments.always
    group: str = "View"
    rank: int = 99
    """Place in the footer; those that do not fit are left out from the end."""
    panes: tuple[str, ...] = ()
    """Where its keys mean this; empty: everywhere. Elsewhere they may mean something else."""

    def possible(self, view: ConsoleView, focus: Focus) -> bool:
        """Whether it makes sense now; who only watches looks, and may halt; at the end all look."""
        if self.panes and focus.pane not in self.panes:
            return False
        if moments.over(view):
            return self.looks and self.when(view, focus)
        allowed = self.looks or self.name in ALWAYS or not focus.watching
        return allowed and self.when(view, focus)

    @property
    def looks(self) -> bool:
        """Whether it is for those, too, who only watch: it looks, and orders nothing."""
        return self.tier is Tier.VIEW and self.group not in _ORDERING

    def why_not(self, view: ConsoleView, focus: Focus) -> str:
        """What stands in the way while it is not possible."""
        if not self.looks and (over := moments.over(view)):
            return over
        if focus.watching and not self.looks:
            return "only watching: another process runs this, H halts"
        if self.panes and focus.pane not in self.panes:
            return f"only in pane {' or '.join(str(ORDER.index(p) + 1) for p in self.panes)}"
        return f"not possible now: {self.when.why_not(view, focus)}"

    @property
    def shown(self) -> str:
        """The keys as people write them."""
        return " ".join(key_text(key) for key in self.keys)


_WRITTEN = {
    "space": "space",
    "question_mark": "?",
    "exclamation_mark": "!",
    "slash": "/",
    "apostrophe": "'",
    "right_parenthesis": ")",
    "right_curly_bracket": "}",
    "number_sign": "#",
    "dollar_sign": "$",
    "asterisk": "*",
    "tilde": "~",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "plus": "+",
    "minus": "-",
    "comma": ",",
    "full_stop": ".",
    "equals_sign": "=",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left": "←",
    "right": "→",
    "home": "Home",
    "end": "End",
    "vertical_line": "|",
    "underscore": "_",
    "backslash": "\\",
    "colon": ":",
    "down": "↓",
    "up": "↑",
    "f1": "F1",
    "escape": "esc",
    "pagedown": "PgDn",
    "pageup": "PgUp",
}


def key_text(key: str) -> str:
    """``left_square_bracket`` → ``[``, ``ctrl+q`` → ``^q``."""
    return _WRITTEN.get(key, key.replace("ctrl+", "^"))
