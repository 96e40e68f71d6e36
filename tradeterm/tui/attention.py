"""Calls the operator back to a terminal that is not looked at: a bell, a desktop notification.

Rate-limited; the text is cleaned, and begins with words of ours, so that no terminal takes it for
anything else (``OSC 9;4`` would be a progress bar).
"""

from __future__ import annotations

from collections.abc import Callable

from tradeterm.tui.ink import clip
from tradeterm.tui.printable import printable

#: Seconds between two calls; what comes in between is counted.
APART = 10.0
_LONGEST = 120
#: How terminals are told; iTerm2, kitty, WezTerm, Windows Terminal know the first, urxvt, Konsole
#: and foot the second.
_FORMS = {
    "osc9": "\x1b]9;tradeterm: {text}\x07",
    "osc777": "\x1b]777;notify;tradeterm;{text}\x07",
}


class Attention:
    """One terminal's."""

    def __init__(self, ring: Callable[[], None], write: Callable[[str], None]) -> None:
        """``ring`` the bell; ``write`` a control sequence to the terminal."""
        self._ring = ring
        self._write = write
        self._called = -APART
        self._missed = 0

    def call(self, text: str, now: float, *, bell: bool, desktop: str) -> None:
        """``desktop``: ``none``, ``osc9`` or ``osc777``."""
        if now - self._called < APART:
            self._missed += 1
            return
        more = f" (and {self._missed} more)" if self._missed else ""
        self._called, self._missed = now, 0
        if bell:
            self._ring()
        if (form := _FORMS.get(desktop)) is not None:
            said = clip(printable(text).replace(";", ","), _LONGEST)
            self._write(form.format(text=said + more))
