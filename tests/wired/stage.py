"""The stage of the wired stories: markets written by the test, the whole desk, its book of record.

The market is a tape whose every price is chosen; the decision rule is the cross of EMA 2 over EMA 3
on one-minute bars. So the moment, the price and the size of every order can be worked out by hand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tradeterm.adapters.store.explain import Link, explain
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import StoredRow
from tradeterm.adapters.store.verify import verify
from tradeterm.desk import Desk
from tradeterm.model.timing import MINUTE, SECOND, iso
from tradeterm.sessions import RunRequest
from tradeterm.settings.loading import load_settings

BTC, ETH, XRP, CROSS = "BTC/USDT", "ETH/USDT", "XRP/USDT", "XRP/BTC"
START = 1_748_822_400 * SECOND  # 2025-06-02T00:00:00Z
STEP = 5
"""Seconds between two prints: as long as a stream stays fresh."""
RISE = 21
"""The minute at whose end the first BUY falls."""
ANALYSTS = ("technical_analysis", "regime_detection", "sentiment_analysis", "portfolio_rebalance")
#: One rule decides, nobody else speaks, the wished size (20 % of equity at leverage 2) fits.
PLAIN = (
    "agents.trading_decision.rule=ema_cross",
    "agents.trading_decision.fast=2",
    "agents.trading_decision.slow=3",
    "agents.trading_decision.risk_per_trade=0.3",
    "risk.regime_leverage.choppy=2",
    # Their stories have tests of their own; here signals follow one another every few minutes.
    "risk.cooldown={trade: 0, loss: 0, volatility: 0, unusual_move: 0, rebalance: 0}",
    "risk.streak_cooldown=[]",
    "risk.confidence_leverage=[]",
    "risk.sizing.confidence=[{at: 0, part: 100}]",
    "risk.sizing.regime.choppy=100",
    *(f"orchestration.schedule.{name}.enabled=false" for name in ANALYSTS),
)
EVERY = "orchestration.approval.mode=all"
"""Every proposal needs a key."""


@dataclass
class Tape:
    """A recorded market: a book of known depth and one print every five seconds."""

    path: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    def show(
        self,
        seconds: float,
        price: float,
        symbol: str = BTC,
        *,
        spread: float = 0.2,
        size: float = 50.0,
        decimals: int = 1,
        digest: bool = True,
    ) -> None:
        """At this second the book stands around ``price`` and a trade prints there."""
        ts = START + int(seconds * SECOND)
        half = spread / 2

        def level(value: float) -> list[str]:
            return [f"{value:.{decimals}f}", str(size)]

        if digest:
            self.lines.append({
                "ts": ts, "s": symbol, "t": "snap",
                "b": [level(price - half), level(price - half - 10 ** -decimals)],
                "a": [level(price + half), level(price + half + 10 ** -decimals)],
            })  # fmt: skip
        self.lines.append({
            "ts": ts, "s": symbol, "t": "trade", "p": f"{price:.{decimals}f}", "q": "0.01",
            "side": "buy", "id": str(len(self.lines)),
        })  # fmt: skip

    def hold(self, begin: float, end: float, price: float, symbol: str = BTC, **look: Any) -> None:
        """The price stays from one second (included) to another (excluded)."""
        second = begin
        while second < end:
            self.show(second, price, symbol, **look)
            second += STEP

    def rise(self, symbol: str = BTC, *, low: float = 60_000.0, by: float = 10.0, tick: float = 1.0,
             **look: Any) -> None:  # fmt: skip
        """Twenty minutes down a step each, then one up: the bar ending at 00:21 crosses."""
        for minute in range(RISE - 1):
            price = low + (RISE - 2 - minute) * tick
            self.hold(minute * 60, (minute + 1) * 60, price, symbol, **look)
        self.hold((RISE - 1) * 60, RISE * 60, low + by, symbol, **look)

    def write(self) -> Path:
        """The file."""
        lines = sorted(self.lines, key=lambda line: line["ts"])
        self.path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return self.path


@dataclass
class Record:
    """What the book of record says after a run, and the summary the run ended with."""

    db: Path
    summary: dict[str, Any]

    def reader(self) -> Reader:
        return Reader(self.db)

    def rows(self, *kinds: str) -> list[StoredRow]:
        """Journal rows of these kinds (all: none named), oldest first."""
        with Reader(self.db) as reader:
            found = reader.journal(limit=-1)
        return [row for row in found if not kinds or row.kind in kinds]

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        return [row.data for row in self.rows(kind)]

    def trading(self) -> list[tuple[str, str, int, bytes]]:
        """What traded, comparable between two stores."""
        kinds = {"run_started", "run_resumed", "run_finished", "command"}
        return [(r.kind, r.id, r.ts, r.body) for r in self.rows() if r.kind not in kinds]

    def positions(self) -> list[dict[str, Any]]:
        with Reader(self.db) as reader:
            return reader.positions(everything=True)

    def orders(self, purpose: str | None = None) -> list[dict[str, Any]]:
        """Oldest first."""
        with Reader(self.db) as reader:
            found = reader.orders(everything=True)
        number = {row["id"]: int(row["id"].rpartition("-")[2]) for row in found}
        ordered = sorted(found, key=lambda row: number[row["id"]])
        return [row for row in ordered if purpose is None or row["purpose"] == purpose]

    def fills(self) -> list[dict[str, Any]]:
        with Reader(self.db) as reader:
            return reader.fills()[::-1]

    def cards(self) -> list[dict[str, Any]]:
        with Reader(self.db) as reader:
            return reader.cards()

    def votes(self) -> list[dict[str, Any]]:
        """What each model said in an agent's place, oldest first."""
        with Reader(self.db) as reader:
            return sorted(reader.votes(), key=lambda vote: (vote["seq"], vote["n"]))

    def card_states(self) -> list[tuple[str, str]]:
        return [(card["state"], card["reason"]) for card in self.cards()]

    def codes(self) -> set[str]:
        with Reader(self.db) as reader:
            return {code for verdict in reader.verdicts() for code in verdict["codes"]}

    def explain(self, row_id: str) -> list[Link]:
        with Reader(self.db) as reader:
            return explain(reader, row_id)

    def sound(self) -> Record:
        """Assert that the store is what was written and that the invariants hold."""
        assert verify(self.db).as_dict()["problems"] == []
        return self


def request(feed: str, db: Path, *overrides: str, **changes: Any) -> RunRequest:
    """What the command line would ask for."""
    settings = load_settings(None, overrides).settings
    asked = RunRequest(settings=settings, effective=settings.effective(), feed=feed, db=db)
    return replace(asked, **changes)


async def play(asked: RunRequest) -> Record:
    """Open the desk, run it to its end, close it."""
    desk = await Desk.open(asked)
    try:
        await desk.run()
        summary = desk.summary()
    finally:
        await desk.close()
    assert asked.db is not None
    return Record(asked.db, summary)


@dataclass
class Stage:
    """A folder with a tape, perhaps a key script, and the store."""

    folder: Path
    tape: Tape = field(init=False)
    keys: list[dict[str, Any]] = field(default_factory=list)
    overrides: list[str] = field(default_factory=lambda: list(PLAIN))

    def __post_init__(self) -> None:
        self.tape = Tape(self.folder / "market.jsonl")

    def key(self, seconds: float, command: str, **body: Any) -> None:
        """The operator presses a key at this second of the market."""
        at = iso(START + int(seconds * SECOND))
        self.keys.append({"at": at, "command": command, **body})

    def request(self, *overrides: str, **changes: Any) -> RunRequest:
        """The tape under these settings; keys are a script when there are any."""
        feed = f"replay:{self.tape.write()}"
        if self.keys:
            script = self.folder / "keys.jsonl"
            script.write_text("".join(json.dumps(key) + "\n" for key in self.keys))
            changes.setdefault("approve", f"script:{script}")
        db = changes.pop("db", self.folder / "run.db")
        return request(feed, db, *self.overrides, *overrides, **changes)

    async def play(self, *overrides: str, **changes: Any) -> Record:
        return await play(self.request(*overrides, **changes))


def minute(number: float) -> int:
    """Market time (ns) of a minute of the story."""
    return START + int(number * MINUTE)


def kinds_of(links: Sequence[Link]) -> list[str]:
    return [link.kind for link in links]
