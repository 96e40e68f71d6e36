"""Where each pane stands, as plain arithmetic: (width, height, what is wanted) → rectangles.

Status line, pending conflicts and footer are in every plan. When room shrinks, agents go first,
then orders, chart and book; a pane that has no place of its own takes the first one when chosen.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

#: The order of keys 1–9 and of tab.
ORDER = (
    "positions", "conflicts", "book", "chart", "events", "agents", "orders", "safety", "portfolio",
)  # fmt: skip
MIN_WIDTH, MIN_HEIGHT = 80, 20
NORMAL, WIDE = 100, 160
SHORT = 30
#: Lines no key takes from a pane: its frame, a head and a row.
LOWEST = 4
RIGHT_COLUMN = 40
BOOK_COLUMN = 46
#: Cells the positions have at least from 120 on: a wider terminal must not show less of them.
POSITIONS_COLUMN = 80
#: Lines in which queue and chart can stand under each other.
MIDDLE = 14
#: Height of the safety pane with every limit: level, cause, state, and eight gauges.
ALL_GAUGES = 14


class Box(NamedTuple):
    """A rectangle of the screen, in cells."""

    x: int
    y: int
    width: int
    height: int


class Wish(msgspec.Struct, frozen=True):
    """What the operator wants to see."""

    chosen: str = "positions"
    zoomed: bool = False
    asking: bool = False
    """A question stands on the selected card: the conflicts pane must have room for it."""
    banner: bool = False
    sizes: tuple[tuple[str, int], ...] = ()
    """Pane → lines more (or fewer) than planned, by the operator's keys; zoom and questions go first."""


def plan(width: int, height: int, wish: Wish) -> dict[str, Box]:
    """Pane → box. A terminal that is too small gets one card."""
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return {"small": Box(0, 0, width, height)}
    top = 2 if wish.banner else 1
    boxes = {"status": Box(0, 0, width, 1)}
    if wish.banner:
        boxes["banner"] = Box(0, 1, width, 1)
    body = Box(0, top, width, height - top - 2)
    if wish.zoomed:
        boxes |= _zoomed(body, wish)
    elif width < NORMAL:
        boxes |= _narrow(body, wish)
    elif width < WIDE:
        boxes |= _normal(body, wish)
    else:
        boxes |= _wide(body, wish)
    boxes["notice"] = Box(0, height - 2, width, 1)
    boxes["footer"] = Box(0, height - 1, width, 1)
    return boxes


def _stack(x: int, y: int, width: int, heights: dict[str, int], wish: Wish) -> dict[str, Box]:
    """Panes under each other; those of height 0 are left out."""
    boxes: dict[str, Box] = {}
    for name, height in _stretched(heights, wish).items():
        if height > 0:
            boxes[name] = Box(x, y, width, height)
            y += height
    return boxes


def _stretched(heights: dict[str, int], wish: Wish) -> dict[str, int]:
    """Lines moved between panes of one column, as wished; none gets too low to be read."""
    if wish.asking or wish.zoomed:
        return heights
    moved = {name: height for name, height in heights.items() if height > 0}
    for name, lines in wish.sizes:
        for _ in range(abs(lines) if name in moved and len(moved) > 1 else 0):
            other = max((each for each in moved if each != name), key=moved.__getitem__)
            giver, taker = (other, name) if lines > 0 else (name, other)
            if moved[giver] > LOWEST:
                moved[giver] -= 1
                moved[taker] += 1
    return moved


def _conflict_height(total: int, wish: Wish) -> int:
    """Rows for the queue: enough for the question while one is asked."""
    if wish.asking:
        return min(13, total - 4)
    return max(5, total * 26 // 100)


def _zoomed(body: Box, wish: Wish) -> dict[str, Box]:
    if wish.chosen == "conflicts":
        return {"conflicts": body}
    queue = _conflict_height(body.height, wish) if wish.asking else 3
    heights = {wish.chosen: body.height - queue, "conflicts": queue}
    return _stack(body.x, body.y, body.width, heights, wish)


def _narrow(body: Box, wish: Wish) -> dict[str, Box]:
    queue = _conflict_height(body.height, wish)
    events = max(4, body.height * 24 // 100)
    if wish.asking:
        events = 0
    rest = body.height - queue - events
    if wish.chosen == "conflicts":
        heights = {"conflicts": queue + rest, "events": events}
    elif wish.chosen == "events":
        heights = {"events": rest + events, "conflicts": queue}
    else:
        heights = {wish.chosen: rest, "conflicts": queue, "events": events}
    return _stack(body.x, body.y, body.width, heights, wish)


def _normal(body: Box, wish: Wish) -> dict[str, Box]:
    left_width = body.width - RIGHT_COLUMN
    total = body.height
    tall = total >= SHORT - 3
    positions = max(6, total * 22 // 100)
    events = max(5, total * 20 // 100) if tall else 4
    queue = max(8, total * 32 // 100)
    if wish.asking:
        queue = max(queue, min(13, total - positions))
    chart = total - positions - events - queue if tall else 0
    if chart < 6:
        events += chart
        chart = 0
    if events < 4:
        positions, events = positions + events, 0
    if not tall:
        positions = total - queue - events
    left = {"positions": positions, "chart": chart, "conflicts": queue, "events": events}
    spare = max(7, total * 20 // 100) if tall else 0
    safety = ALL_GAUGES if total - spare >= 2 * ALL_GAUGES else 10
    side = "orders" if wish.chosen == "orders" else "agents"
    right = {"safety": safety, "book": total - safety - spare, side: spare}
    return _with_chosen(
        _stack(body.x, body.y, left_width, left, wish)
        | _stack(body.x + left_width, body.y, RIGHT_COLUMN, right, wish),
        wish,
    )


def _wide(body: Box, wish: Wish) -> dict[str, Box]:
    rest = body.width - BOOK_COLUMN
    left_width = rest * 56 // 100
    middle_width = rest - left_width
    events = max(5, body.height * 20 // 100)
    total = body.height - events
    boxes = {
        "events": Box(body.x, body.y + total, rest, events),
        "book": Box(body.x + rest, body.y, BOOK_COLUMN, body.height),
    }
    needs = _wide_left(total)
    top = body.y
    if left_width < POSITIONS_COLUMN and body.height >= SHORT - 3:
        needs = _stretched(needs, _of_positions(wish, total - MIDDLE - needs["positions"]))
        height = needs.pop("positions")
        boxes["positions"] = Box(body.x, top, rest, height)
        top, total = top + height, total - height
    queue = max(8, total * 55 // 100)
    if wish.asking:
        queue = max(queue, min(14, total - 3))
    chart = total - queue
    middle = {"chart": chart, "conflicts": queue} if chart >= 6 else {"conflicts": total}
    return _with_chosen(
        _stack(body.x, top, left_width, needs, wish)
        | _stack(body.x + left_width, top, middle_width, middle, wish)
        | boxes,
        wish,
    )


def _wide_left(total: int) -> dict[str, int]:
    """Heights of the left column; agents go first, then orders."""
    needs = {"positions": 6, "safety": 10, "orders": 5, "agents": 8}
    for name in ("agents", "orders"):
        if sum(needs.values()) > total:
            del needs[name]
    spare = total - sum(needs.values())
    gauges = min(ALL_GAUGES - needs["safety"], spare)
    needs["safety"] += gauges
    spare -= gauges
    needs["positions"] += spare * 45 // 100 if "orders" in needs else spare
    if "orders" in needs:
        needs["orders"] += spare - spare * 45 // 100
    return needs


def _of_positions(wish: Wish, most: int) -> Wish:
    """What is wished of their height alone; ``most`` lines more leave the middle its two panes."""
    sizes = tuple((name, min(by, most)) for name, by in wish.sizes if name == "positions")
    return msgspec.structs.replace(wish, sizes=sizes)


def _with_chosen(boxes: dict[str, Box], wish: Wish) -> dict[str, Box]:
    """A chosen pane without a place takes the one of the positions."""
    if wish.chosen not in boxes:
        boxes[wish.chosen] = boxes.pop("positions")
    return boxes
