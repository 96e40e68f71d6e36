"""The ledger worked out a second time, from fills and positions alone, and compared.

Whoever owns what is what the fills say: spot fills move assets against ``market``, positions hold
their collateral and what they realised, every fee is a fill's or a position's carry. What is left
is cash; it cannot differ when nothing else does, because every entry sums to zero.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from typing import Any

from tradeterm.adapters.store.rows import StoredRow
from tradeterm.model.account import FEES, MARKET, PNL
from tradeterm.model.money import LEDGER_STEP, ZERO, plain

Report = Callable[[str, str], None]
Balances = dict[tuple[str, str], Decimal]


class Bookkeeping:
    """Fed every row of a run in order; ``finish`` compares the two ledgers."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._posted: Balances = {}
        self._filled: Balances = {}
        self._positions: dict[str, tuple[Decimal, Decimal, Decimal]] = {}
        """Collateral, realised and carry by position."""
        self._currency = ""
        """The first deposit's asset."""
        self._takers: dict[str, Callable[[dict[str, Any]], None]] = {
            "entry": self._entry,
            "fill": self._fill,
            "position": self._position,
        }

    def check(self, row: StoredRow, body: dict[str, Any]) -> None:
        """Take a row in."""
        take = self._takers.get(row.kind)
        if take is not None:
            take(body)

    def _entry(self, body: dict[str, Any]) -> None:
        if not self._currency and body["kind"] == "deposit":
            self._currency = body["postings"][0]["asset"]
        for leg in body["postings"]:
            _add(self._posted, leg["account"], leg["asset"], Decimal(leg["amount"]))

    def _fill(self, body: dict[str, Any]) -> None:
        _add(self._filled, FEES, body["fee_asset"], Decimal(body["fee"]))
        if body["book"] != "spot":
            return
        base, quote = body["symbol"].split("/")
        size, price = Decimal(body["size"]), Decimal(body["price"])
        buys = body["side"] == "buy"
        rounding = ROUND_CEILING if buys else ROUND_DOWN
        worth = (size * price).quantize(LEDGER_STEP, rounding=rounding)
        _add(self._filled, MARKET, base, -size if buys else size)
        _add(self._filled, MARKET, quote, worth if buys else -worth)

    def _position(self, body: dict[str, Any]) -> None:
        position = body["position"]
        names = ("collateral", "realised", "carry")
        collateral, realised, carry = (Decimal(position.get(name, "0")) for name in names)
        self._positions[position["id"]] = collateral, realised, carry

    def finish(self) -> None:
        """The run's end (so far)."""
        expected = dict(self._filled)
        for name, (collateral, realised, carry) in self._positions.items():
            _add(expected, f"margin:{name}", self._currency, collateral)
            _add(expected, PNL, self._currency, -realised)
            _add(expected, FEES, self._currency, carry)
        for key in dict.fromkeys((*expected, *self._posted)):
            account, asset = key
            if account not in {FEES, MARKET, PNL} and not account.startswith("margin:"):
                continue
            posted, right = self._posted.get(key, ZERO), expected.get(key, ZERO)
            if posted != right:
                self._report(
                    f"account {account}",
                    f"{plain(posted)} {asset} are posted, fills and positions come to "
                    f"{plain(right)}",
                )


def _add(balances: Balances, account: str, asset: str, amount: Decimal) -> None:
    balances[account, asset] = balances.get((account, asset), ZERO) + amount
