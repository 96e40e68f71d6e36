"""A store that went from its place under its run, and what the next start makes of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.adapters.store_story import filler, run_started
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice
from tradeterm.adapters.store.verify import verify
from tradeterm.errors import StoreDamaged


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


def lose(file: Path) -> None:
    """It went twice; the second copy holds more."""
    for number in ("", "2"):
        shutil.copy(file, file.with_name(f"book.db.saved{number}"))
    os.utime(file.with_name("book.db.saved"), (1, 1))
    file.unlink()


async def test_what_was_saved_when_the_file_went_is_named_and_can_be_put_in_its_place(
    file: Path,
) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice([run_started(), *filler(200)]))
    lose(file)
    newest = file.with_name("book.db.saved2")
    with pytest.raises(StoreDamaged, match=f"saved what was confirmed: .* mv {newest} {file}"):
        await Store.open(file)
    newest.rename(file)
    assert verify(file).ok
    async with await Store.open(file) as store:
        assert store.paths.db == file
