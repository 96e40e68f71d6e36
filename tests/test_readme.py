"""The README says what the program does: its key table is the action table's."""

from __future__ import annotations

import os
from pathlib import Path

from tradeterm.tui.action import Tier
from tradeterm.tui.actions import ACTIONS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- keys: generated from tradeterm/tui/actions.py -->", "<!-- /keys -->"
ASKS = {
    Tier.VIEW: "",
    Tier.LOWERS: "at once",
    Tier.ASKS: "asks, `y` confirms",
    Tier.GLOBAL: "typed word",
}


def table() -> str:
    """The key table as Markdown; view keys come last and need no confirmation."""
    ranked = sorted(ACTIONS, key=lambda action: action.tier is Tier.VIEW)
    rows = [
        f"| {' '.join(f'`{key}`' for key in action.shown.split())} | {action.help} "
        f"| {ASKS[action.tier]} |"
        for action in ranked
    ]
    return "\n".join([BEGIN, "| key | does | confirmation |", "|---|---|---|", *rows, END])


def test_the_key_table_is_the_action_table() -> None:
    """Set TRADETERM_UPDATE=1 to write it anew."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = before + table() + after
    if os.environ.get("TRADETERM_UPDATE"):
        README.write_text(wanted, encoding="utf-8")
    assert README.read_text(encoding="utf-8") == wanted
