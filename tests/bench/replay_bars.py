"""A year of 5-minute bars through the whole stack, beside backtesting.py on the same bars."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tradeterm.desk import Desk
from tradeterm.model.vocabulary import AgentName
from tradeterm.sessions import RunRequest
from tradeterm.settings.loading import load_settings

BARS = 105_120  # 365 days of 5 minutes
START = 1_704_067_200  # 2024-01-01T00:00:00Z
STEP = 300
FAST, SLOW = 50, 200
#: What the yardstick's rule uses, like ours with its stops at the least and most usual distance.
STOP, REWARD, SHARE = 0.02, 1.9, 0.3
FEE = 0.004
#: The exits ours has beside stop and target (config/execution.yaml), and how to do without them.
ACTIVATION, DISTANCE, HOLDING = 0.01, 0.015, 172_800 // STEP
PLAIN = ("execution.trailing.enabled=false", "execution.time_exit=31536000")

CROSS_ONLY = (
    "agents.trading_decision.rule=ema_cross",
    *(
        f"orchestration.schedule.{name}.enabled=false"
        for name in AgentName
        if name is not AgentName.TRADING
    ),
)


def write_bars(file: Path, count: int = BARS, seed: int = 20) -> None:
    """A seeded random walk with drifting trends, 0.12 % a bar, as a CSV with a header."""
    random = np.random.default_rng(seed)
    drift = np.repeat(random.normal(0, 0.00006, count // 500 + 1), 500)[:count]
    closes = np.round(65_000 * np.exp(np.cumsum(drift + random.normal(0, 0.0012, count))), 1)
    opens = np.concatenate(([65_000.0], closes[:-1]))
    reach = np.abs(random.normal(0, 0.0006, (2, count)))
    highs = np.round(np.maximum(opens, closes) * (1 + reach[0]), 1)
    lows = np.round(np.minimum(opens, closes) * (1 - reach[1]), 1)
    volumes = np.round(random.gamma(2.0, 3.0, count), 4)
    rows = (
        f"{START + STEP * n},{o:.1f},{h:.1f},{low:.1f},{c:.1f},{v:.4f}"
        for n, (o, h, low, c, v) in enumerate(zip(opens, highs, lows, closes, volumes, strict=True))
    )
    file.write_text("\n".join(["date,open,high,low,close,volume", *rows, ""]), encoding="ascii")


def replay(
    file: Path, db: Path, overrides: tuple[str, ...], approve: str = "none"
) -> dict[str, Any]:
    """One full run into a new store: seconds from the file, of the run alone, and the summary."""
    return asyncio.run(_replay(file, db, overrides, approve))


async def _replay(file: Path, db: Path, overrides: tuple[str, ...], approve: str) -> dict[str, Any]:
    settings = load_settings(None, overrides).settings
    request = RunRequest(
        settings, settings.effective(), feed=f"replay:{file}", db=db, approve=approve
    )
    gc.collect()
    began = time.perf_counter()
    desk = await Desk.open(request)
    ready = time.perf_counter()
    await desk.run()
    done = time.perf_counter()
    await desk.close()
    return {
        "seconds_from_csv": time.perf_counter() - began,
        "seconds_run": done - ready,
        "rows": desk.store.last_seq,
        "summary": desk.summary(),
    }


def yardstick(file: Path, *, trailing: bool) -> dict[str, float]:
    """The same rule in backtesting.py: seconds from the file, of the run alone, trades.

    Written with its ``crossover``, as its own quick start does; by hand it is no faster. With
    ``trailing`` stops follow and positions end after 48 h, as ours do; without, only the first
    stop and target end them.
    """
    import pandas as pd
    import talib
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover

    class EmaCross(Strategy):  # type: ignore[misc]  # it ships no types
        """Turns at every cross; stop and target with each entry."""

        def init(self) -> None:
            self.fast = self.I(talib.EMA, self.data.Close, FAST)
            self.slow = self.I(talib.EMA, self.data.Close, SLOW)

        def next(self) -> None:
            if trailing:
                self._keep()
            if crossover(self.fast, self.slow):
                above = True
            elif crossover(self.slow, self.fast):
                above = False
            else:
                return
            self.position.close()
            price = self.data.Close[-1]
            if above:
                self.buy(size=SHARE, sl=price * (1 - STOP), tp=price * (1 + REWARD * STOP))
            else:
                self.sell(size=SHARE, sl=price * (1 + STOP), tp=price * (1 - REWARD * STOP))

        def _keep(self) -> None:
            for trade in self.trades:
                if len(self.data) - trade.entry_bar >= HOLDING:
                    trade.close()
                elif trade.is_long and self.data.High[-1] >= trade.entry_price * (1 + ACTIVATION):
                    trade.sl = max(trade.sl, self.data.High[-1] * (1 - DISTANCE))
                elif trade.is_short and self.data.Low[-1] <= trade.entry_price * (1 - ACTIVATION):
                    trade.sl = min(trade.sl, self.data.Low[-1] * (1 + DISTANCE))

    gc.collect()
    began = time.perf_counter()
    table = pd.read_csv(file)
    table.index = pd.to_datetime(table.pop("date"), unit="s")
    table.columns = [name.capitalize() for name in table.columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = Backtest(table, EmaCross, cash=1_000_000, commission=FEE, margin=1 / 3)
        ready = time.perf_counter()
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            outcome = test.run()
    done = time.perf_counter()
    return {
        "seconds_from_csv": done - began,
        "seconds_run": done - ready,
        "trades": int(outcome["# Trades"]),
    }


def ema_cross(directory: Path, rounds: int = 7, count: int = BARS) -> dict[str, Any]:
    """Bars per second with only the EMA-cross rule, ours and theirs in turns.

    Medians; the ratio is the median of the rounds' own, for a machine is not equally fast in all.

    ``run`` trades every cross (cards approved) with every exit of ours, also in theirs; ``plain``
    with stop and target alone, both; ``unapproved`` lets the cards expire, beside theirs plain.
    """
    file = directory / "BTC_USDT-5m.csv"
    write_bars(file, count)
    replay(file, directory / "warm.db", CROSS_ONLY)
    yardstick(file, trailing=False)
    runs: dict[str, list[dict[str, Any]]] = {}
    for n in range(rounds):
        for name, took in (
            ("run", replay(file, directory / f"run{n}.db", CROSS_ONLY, "all")),
            ("theirs", yardstick(file, trailing=True)),
            ("plain", replay(file, directory / f"plain{n}.db", (*CROSS_ONLY, *PLAIN), "all")),
            ("theirs_plain", yardstick(file, trailing=False)),
            ("unapproved", replay(file, directory / f"unapproved{n}.db", CROSS_ONLY)),
        ):
            runs.setdefault(name, []).append(took)
    figures: dict[str, Any] = {"bars": count}
    for name, ours, theirs, key in (
        ("run", "run", "theirs", "run"),
        ("from_csv", "run", "theirs", "from_csv"),
        ("plain", "plain", "theirs_plain", "run"),
        ("unapproved", "unapproved", "theirs_plain", "run"),
    ):
        mine = [run[f"seconds_{key}"] for run in runs[ours]]
        other = [run[f"seconds_{key}"] for run in runs[theirs]]
        rounds_own = [b / a for a, b in zip(mine, other, strict=True)]
        figures[name] = {
            "ours": count / median(mine),
            "backtesting_py": count / median(other),
            "ratio": median(rounds_own),
            "least": min(rounds_own),
            "most": max(rounds_own),
        }
    last = runs["run"][-1]
    figures |= {
        "rows": last["rows"],
        "exits": sum(last["summary"]["exits"].values()),
        "trades_backtesting_py": runs["theirs"][-1]["trades"],
    }
    return figures


def all_agents(directory: Path, rounds: int = 2, count: int = BARS) -> dict[str, Any]:
    """Bars per second with all five agents on their schedules; median."""
    file = directory / "BTC_USDT-5m.csv"
    write_bars(file, 500)
    replay(file, directory / "warm.db", ())  # imports TA-Lib, and with it the yardstick's pandas
    write_bars(file, count)
    runs = [replay(file, directory / f"all{n}.db", ()) for n in range(rounds)]
    speed = count / median(run["seconds_run"] for run in runs)
    summary = runs[-1]["summary"]
    return {
        "bars": count,
        "ours": speed,
        "target": 10_000,
        "ratio": speed / 10_000,
        "from_csv": count / median(run["seconds_from_csv"] for run in runs),
        "rows": runs[-1]["rows"],
        "agent_runs": {name: counts["runs"] for name, counts in summary["agents"].items()},
        "fills": summary["fills"],
    }
