"""What a run without a screen has to say at its end: data left out, agents that never spoke."""

from __future__ import annotations

from tradeterm.engine.engine import Engine
from tradeterm.model.timing import iso

#: Lines at most; a run of many damaged files is told by the first of them.
MOST_LINES = 30


def afterword(engine: Engine) -> list[str]:
    """One line for each kind of notice and file, and for each agent that is not warm yet."""
    counters = engine.core.counters
    lines = [
        f"{notice.code}: {notice.first}"
        if notice.count == 1
        else f"{notice.code}: {notice.count} times{' or more' if notice.more else ''} "
        f"for {notice.subject or 'the feed'}, "
        f"first: {notice.first}"
        for notice in counters.notices
    ]
    away = engine.gap.away
    if away is not None and away.until:
        lines += [f"away from {iso(away.since)} to {iso(away.until)}: {away.fills} fills"]
        lines += away.lines
    told = {notice.code for notice in counters.notices}
    lines += [
        f"{code}: {count} events were left out"
        for code, count in engine.core.market.rejected.items()
        if code not in told
    ]
    lines += [
        f"{agent.name} is still warming up for {agent.symbol}: "
        f"needs {agent.needs} bars, has {agent.has}"
        for agent in engine.analysis.silent()
    ]
    if len(lines) > MOST_LINES:
        rest = len(lines) - MOST_LINES + 1
        lines = [*lines[: MOST_LINES - 1], f"… and {rest} more like these: see the journal"]
    return lines
