"""The README's pictures: ``python -m tests.pictures`` runs a seeded market and photographs it.

The engine, the book of record and every widget are the real ones; only the wall clock stands
still. tests/test_pictures.py says when the files are no longer what this would make.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from tests.tui.conftest import NEVER, Console
from tests.tui.pictures import FakeClock, FakeSession
from tests.wired.stage import play, request
from tradeterm.adapters.store.reader import Reader
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.timing import MINUTE, SECOND, iso
from tradeterm.tui.app import TradetermApp
from tradeterm.tui.options import ConsoleOptions

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SEED, SPAN = 7, "28h"
#: Rich writes an address of a web font into each; what reads this has a font of its own.
_FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


class Shot(NamedTuple):
    """One picture: what is pressed, on which screen."""

    name: str
    keys: tuple[str, ...]
    size: tuple[int, int] = (120, 40)
    theme: str = "dusk"
    glyphs: str = "unicode"


SHOTS = (
    Shot("deck", ()),
    Shot("card", ("2", "z", "a"), (120, 36)),
    Shot("position", ("1", "enter")),
    Shot("why", ("1", "v"), (120, 36)),
    Shot("performance", ("0",)),
    Shot("narrow", ("4",), (80, 24), "paper"),
    Shot("colour-blind", ("1",), (120, 30), "tide"),
    Shot("ascii", (), (80, 24), "contrast", "ascii"),
)


async def moment(folder: Path) -> tuple[ConsoleView, Path]:
    """The last card of somewhat more than a day that came while two positions were open, and the store."""
    await play(request("sim", folder / "first.db", until=SPAN, approve="all", seed=SEED))
    with Reader(folder / "first.db") as reader:
        held = [(each["opened"], each["closed"]) for each in reader.positions(everything=True)]
        asked = [card["ts"] for card in reader.cards()]
    crowded = [
        ts for ts in asked
        if sum(opened < ts and (not closed or closed > ts + MINUTE) for opened, closed in held) >= 2
    ]  # fmt: skip
    views: list[ConsoleView] = []
    until, db = iso(crowded[-1] + SECOND), folder / "second.db"
    asks = request("sim", db, until=until, approve="all", seed=SEED)
    desk = await Desk.open(asks, views.append)
    try:
        await desk.run()
    finally:
        await desk.close()
    return still(views[-1]), db


def still(view: ConsoleView) -> ConsoleView:
    """Without what depends on this machine's clock, at the speed and in the state of a console."""
    calm = {"uptime": 754.0, "speed": 1.0, "state": "running", "store_lag": 0.0}
    status = replace(view.status, waiting_for_operator=True, **calm)
    return replace(view, status=status)


@asynccontextmanager
async def shown(view: ConsoleView, store: Path, shot: Shot) -> AsyncIterator[Console]:
    """The console on that picture."""
    session, clock = FakeSession(view), FakeClock()
    session.store = store
    options = ConsoleOptions(poll=NEVER, theme=shot.theme, glyphs=shot.glyphs)
    app = TradetermApp(session, options, clock)
    async with app.run_test(size=shot.size) as pilot:
        desk = Console(app, pilot, session, clock)
        await desk.settle()
        await desk.look()
        yield desk


async def photograph(view: ConsoleView, store: Path, shot: Shot) -> str:
    """SVG."""
    async with shown(view, store, shot) as desk:
        await desk.press(*shot.keys)
        await desk.until(lambda: "reading the book" not in desk.text)
        await desk.look(view)
        svg = desk.app.export_screenshot(title="tradeterm")
    return _FONT.sub("", svg).rstrip() + "\n"


async def pictures() -> dict[str, str]:
    """File name → SVG."""
    with tempfile.TemporaryDirectory() as folder:
        view, store = await moment(Path(folder))
        return {f"{shot.name}.svg": await photograph(view, store, shot) for shot in SHOTS}


def main() -> None:
    """Write them all."""
    os.environ.pop("NO_COLOR", None)
    os.environ["TZ"] = "UTC"
    time.tzset()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, svg in asyncio.run(pictures()).items():
        (FOLDER / name).write_text(svg, encoding="utf-8")
        sys.stdout.write(f"docs/pictures/{name} {len(svg) // 1024} kB\n")


if __name__ == "__main__":
    main()
