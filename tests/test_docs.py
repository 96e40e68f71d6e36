"""The pages under docs/ that a command makes are what it would make now."""

from __future__ import annotations

import os
from pathlib import Path

from tests.shell import tradeterm

DOCS = Path(__file__).parents[1] / "docs"


def test_the_configuration_reference_is_current(tmp_path: Path) -> None:
    """Set TRADETERM_UPDATE=1 to write it anew."""
    made = tradeterm("config", "reference", home=tmp_path).out
    page = DOCS / "configuration.md"
    if os.environ.get("TRADETERM_UPDATE"):
        page.write_text(made, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == made
    assert "`max_leverage`" in made, "the reference is empty"
