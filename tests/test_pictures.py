"""The README's pictures show today's program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pictures import FOLDER, pictures
from tests.tui.conftest import at_greenwich, no_sleeping

__all__ = ["at_greenwich", "no_sleeping"]
REPOSITORY = Path(__file__).parents[1]


@pytest.mark.usefixtures("at_greenwich", "no_sleeping")
async def test_the_pictures_are_what_the_command_would_make_now() -> None:
    made = await pictures()
    stale = [
        name for name, svg in made.items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != svg
    ]  # fmt: skip
    assert stale == [], "run `python -m tests.pictures` and look at what changed"


def test_every_picture_a_page_shows_is_there() -> None:
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for part in text.split("](")[1:]:
            target = part.partition(")")[0].partition("#")[0]
            if target and "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} points to {target}"
