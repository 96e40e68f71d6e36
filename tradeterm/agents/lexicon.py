"""Words of market news and which way they lean. Text goes in, one number comes out."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_GOOD: Final = """
accumulate accumulation adopt adopts adoption advance advances all-time-high approval approve
approved approves beat beats boom boost boosts breakout bull bullish climb climbs climbing demand
expand expands expansion gain gains green growth grows higher highs inflow inflows integrate
integration jump jumps launch launches optimism optimistic outperform outperforms
partner partners partnership positive profits rally rallies rallying rebound rebounds
record recover recovers recovery rise rises rising soar soars soaring strength strengthens strong
surge surges surging unlock upgrade upgrades uptick upside upbeat victory win wins
""".split()
_BAD: Final = """
attack ban banned bans bear bearish breach cautious collapse collapses concern concerns correction crackdown
crash crashes crashing decline declines declining delay delayed delays delist delists delisted dip
dips doubt doubts downgrade downgrades downside downturn drop drops dropping dump dumps exploit
exploited fall falls falling fear fears fell fine fined fines fraud hack hacked hacks halt halted
halts investigation lawsuit liquidation liquidations liquidated lose loses loss losses lower lows
negative outage outflow outflows panic pessimism pessimistic plunge plunges plunging pressure probe
reject rejected rejects risk risks scam selloff sell-off selling sink sinks slide slides sliding slip slips
slump slumps sue sued sues tumble tumbles tumbling uncertainty warn warning warns weak weakens
weakness withdraw withdrawals
""".split()
_FLIPS: Final = frozenset({"not", "no", "never", "denies", "deny", "denied", "without", "unlikely"})
WORDS: Final = {**dict.fromkeys(_GOOD, 1.0), **dict.fromkeys(_BAD, -1.0)}
_TOKEN: Final = re.compile(r"[a-z]+(?:-[a-z]+)*")
#: Words after a negation that it turns round.
REACH: Final = 3


@lru_cache(maxsize=2048)
def lean(text: str) -> float:
    """-1 (bad) … 1 (good); 0 when nothing in it is known or both sides balance."""
    good = bad = 0
    flipped = 0
    for word in _TOKEN.findall(text.lower()):
        if word in _FLIPS:
            flipped = REACH
            continue
        value = WORDS.get(word, 0.0)
        if value:
            if (value > 0) == (flipped == 0):
                good += 1
            else:
                bad += 1
        flipped = max(0, flipped - 1)
    known = good + bad
    return (good - bad) / known if known else 0.0
