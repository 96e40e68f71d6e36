"""`tradeterm set`: put another value of a setting in force, while a console runs or not."""

from __future__ import annotations

from pathlib import Path

import click

from tradeterm.errors import StoreAbsent, UsageError
from tradeterm.printing import db_option, json_option, say

#: What has to be said before anything lets more happen than before.
LOOSEN = "LOOSEN"


def adjusting_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [set_value]


@click.command("set")
@click.argument("assignment", metavar="KEY=VALUE")
@click.option("--confirm", metavar=LOOSEN, help=f"Needed for what is looser: {LOOSEN}.")
@db_option
@json_option
def set_value(assignment: str, confirm: str | None, db: Path | None, as_json: bool) -> int:
    """Put another value in force for the rest of the run: risk.max_leverage=2. Tighter at once."""
    from tradeterm.adapters.store.paths import locate
    from tradeterm.model.commands import ChangeSetting
    from tradeterm.settings.changing import way, why_fixed
    from tradeterm.standing import deliver

    key, equals, value = (part.strip() for part in assignment.partition("="))
    if not (key and equals and value):
        raise UsageError(f"{assignment!r}: write KEY=VALUE, for example risk.max_leverage=2")
    if confirm not in {None, LOOSEN}:
        raise UsageError(f"--confirm {confirm!r}: the word is {LOOSEN}")
    if way(key) is None:
        raise UsageError(why_fixed(key))
    path = locate(db).db
    if not path.exists():
        raise StoreAbsent(f"no store at {path}; there is nothing to order")
    command = ChangeSetting(key=key, value=value, confirmed=confirm == LOOSEN, actor="shell")
    result = deliver(path, command)
    text = result.text.replace("confirm with LOOSEN", f"say --confirm {LOOSEN}")
    say(as_json, {"accepted": result.accepted, "text": text}, [text])
    return 0 if result.accepted else 1
