"""Thirty days of bars with rebalances, plans and hodl: the sums hold at every row."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path

from tests.wired.stage import BTC, START, XRP, Record, play, request
from tradeterm.model.timing import SECOND

D = Decimal
DAYS, BAR = 30, 900
SETTINGS = (
    "agents.trading_decision.rule=ema_cross",
    "agents.trading_decision.fast=5",
    "agents.trading_decision.slow=20",
    "risk.regime_leverage.choppy=2",
    *(f"orchestration.schedule.{name}.enabled=false"
      for name in ("technical_analysis", "regime_detection", "sentiment_analysis")),
    "portfolio.hodl.threshold.BTC=1",
    "portfolio.hodl.threshold.XRP=1",
    "portfolio.hodl.share=100",
)  # fmt: skip


def month(path: Path, seed: int) -> Path:
    """Bars of a quarter of an hour: runs long enough to be won, wild enough to rebalance."""
    draw = random.Random(seed)
    lines = []
    prices, drift = {BTC: 60_000.0, XRP: 0.5}, {BTC: 0.0, XRP: 0.0}
    for number in range(DAYS * 86_400 // BAR):
        for symbol, decimals in ((BTC, 1), (XRP, 5)):
            begin = prices[symbol]
            drift[symbol] = 0.97 * drift[symbol] + draw.gauss(0, 0.0006)
            end = begin * (1 + drift[symbol] + draw.gauss(0, 0.002))
            prices[symbol] = end
            lines.append({
                "ts": START + (number + 1) * BAR * SECOND, "s": symbol, "t": "candle", "tf": BAR,
                "o": f"{begin:.{decimals}f}", "h": f"{max(begin, end) * 1.001:.{decimals}f}",
                "l": f"{min(begin, end) * 0.999:.{decimals}f}", "c": f"{end:.{decimals}f}",
                "v": "100",
            })  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def assert_plans_add_up(record: Record) -> int:
    """Batches sum to their leg, what was filled comes from fills; how many plans there were."""
    fills: dict[str, Decimal] = {}
    for fill in record.fills():
        worth = D(fill["size"]) * D(fill["price"])
        fills[fill["order_id"]] = fills.get(fill["order_id"], D(0)) + worth
    orders = {order["id"]: order for order in record.orders("dca")}
    spent: dict[tuple[str, str], Decimal] = {}
    verdicts = {row.id: row.parent for row in record.rows("verdict")}
    for name, order in orders.items():
        key = (verdicts[order["verdict_id"]], order["symbol"])
        spent[key] = spent.get(key, D(0)) + fills.get(name, D(0))
    ended = {body["plan"]["id"]: body["plan"] for body in record.bodies("plan")}
    for plan in ended.values():
        for leg in plan["legs"]:
            whole = sum(map(D, leg["batches"]), D(0))
            assert whole == whole.quantize(D("0.01"))
            told = D(leg["filled"])
            assert abs(spent.get((plan["id"], leg["symbol"]), D(0)) - told) < D("0.0001")
            if plan["status"] == "completed":
                assert abs(told - whole) < 10 + whole / 100
    return len(ended)


def assert_bag_only_grows(record: Record) -> dict[str, Decimal]:
    bag: dict[str, Decimal] = {}
    for entry in record.bodies("entry"):
        for posting in entry["postings"]:
            if posting["account"] == "hodl":
                assert D(posting["amount"]) > 0
                bag[posting["asset"]] = bag.get(posting["asset"], D(0)) + D(posting["amount"])
    with record.reader() as reader:
        assert reader.balances().get("hodl", {}) == bag
    return bag


def assert_equity_is_the_ledger(record: Record, closes: dict[str, Decimal]) -> None:
    with record.reader() as reader:
        balances = reader.balances()
    worth = sum(
        (
            amount * closes.get(f"{asset}/USDT", D(1))
            for asset, amount in balances["trading"].items()
        ),
        D(0),
    )
    worth += sum((b["USDT"] for a, b in balances.items() if a.startswith("margin:")), D(0))
    worth += D(record.summary["unrealised_pnl"])
    assert abs(D(record.summary["equity"]) - worth) < D("0.000001")


async def test_the_sums_hold_over_a_month(tmp_path: Path) -> None:
    tape = month(tmp_path / "month.jsonl", seed=1)
    asked = request(f"replay:{tape}", tmp_path / "run.db", *SETTINGS)
    record = (await play(asked)).sound()
    closes = {}
    for line in tape.read_text().splitlines()[-2:]:
        bar = json.loads(line)
        closes[bar["s"]] = D(bar["c"])
    assert_equity_is_the_ledger(record, closes)
    assert assert_plans_add_up(record) == record.summary["plans"]["created"] >= 1
    bag = assert_bag_only_grows(record)
    won = [D(body["pnl"]) for body in record.bodies("settled") if D(body["pnl"]) > 0]
    assert won
    assert bag
    shares = sum((sum(map(D, body["shares"].values())) for body in record.bodies("hodl")), D(0))
    assert shares == sum(won)
    assert {order["side"] for order in record.orders("hodl")} == {"buy"}
