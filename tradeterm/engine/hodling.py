"""Puts a part of each profit aside: earmarked, bought on spot when it is worth an order, kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.spotting import SpotOrder, Spotting
from tradeterm.model.money import ZERO, plain
from tradeterm.model.orders import Order, Position
from tradeterm.model.timing import HOUR
from tradeterm.model.vocabulary import Purpose, RunState, Side
from tradeterm.portfolio.hodl import shares

TIMER: Final = "hodl:buy"
#: A purchase that could not be made is tried again after this.
RETRY: Final = HOUR


class HodlingState(msgspec.Struct):
    """Purchases under way, and what has been said."""

    orders: dict[str, str]
    parents: dict[str, str]
    said: list[str]


class Hodling:
    """The earmarks themselves are the portfolio's, and so is the bag."""

    def __init__(self, core: Core, books: Books, spotting: Spotting) -> None:
        self._core = core
        self._books = books
        self._spotting = spotting
        self._settings = core.settings.portfolio.hodl
        self._currency = core.settings.market.account.currency
        self._orders: dict[str, str] = {}
        """Asset → its purchase that is out."""
        self._parents: dict[str, str] = {}
        """Asset → the row of its last share."""
        self._said: dict[str, None] = {}
        """Assets whose share stays in trading, which was said."""

    def position_closed(self, position: Position) -> None:
        """Earmark the share of a winning position, and buy what is worth an order."""
        core, earmarks = self._core, self._books.portfolio.earmarks
        found = shares(position.pnl, self._settings.share, self._settings.split)
        taken = {asset: self._room(asset, amount, position.id) for asset, amount in found.items()}
        taken = {asset: amount for asset, amount in taken.items() if amount > 0}
        if not taken:
            return
        row_id = core.journal.new_id("hodl")
        for asset, amount in taken.items():
            earmarks.add(asset, amount)
            self._parents[asset] = row_id
        body = {"profit": position.pnl, "shares": taken, "earmarks": earmarks.amounts()}
        core.journal.write("hodl", row_id, position.id, body)
        self.buy()

    def _room(self, asset: str, amount: Decimal, parent: str) -> Decimal:
        """What of a share may be put aside; the rest stays in trading, which is said once."""
        cap = self._settings.cap.get(asset)
        if asset != self._currency and self._symbol(asset) not in self._core.instruments:
            self._say(asset, f"{self._symbol(asset)} is not in this run", parent)
            return ZERO
        if cap is None:
            return amount
        portfolio = self._books.portfolio
        rate = portfolio.prices().rates.get(asset, ZERO)
        worth = portfolio.bag(asset) * rate + portfolio.earmarks.amount(asset)
        if worth + amount <= cap:
            return amount
        self._say(asset, f"the {asset} bag has reached its cap of {plain(cap)}", parent)
        return max(cap - worth, ZERO)

    def _say(self, asset: str, why: str, parent: str) -> None:
        if asset not in self._said:
            self._said[asset] = None
            text = f"{why}: its share of profits stays in trading"
            self._core.alert("C-HODL-STAYS", "info", text, parent)

    def _symbol(self, asset: str) -> str:
        return f"{asset}/{self._currency}"

    # -- purchases -------------------------------------------------------------------------

    def buy(self) -> None:
        """Turn every earmark that is worth it into its asset; what cannot be now, is later."""
        core = self._core
        waiting = [asset for asset in self._parents if self._worth_it(asset)]
        if waiting and core.state is RunState.RUNNING:
            waiting = [asset for asset in waiting if not self._bought(asset)]
        if waiting:
            core.timers.set(TIMER, core.now + RETRY)

    def _worth_it(self, asset: str) -> bool:
        if asset in self._orders:
            return False
        amount = self._books.portfolio.earmarks.amount(asset)
        threshold = self._settings.threshold.get(asset, ZERO)
        if asset == self._currency:
            return amount > 0 and amount >= threshold
        return amount >= max(threshold, self._spotting.least(self._symbol(asset)))

    def _bought(self, asset: str) -> bool:
        """Whether the purchase is on its way (or, for cash, done)."""
        books, parent = self._books, self._parents[asset]
        amount = books.portfolio.earmarks.amount(asset)
        if asset == self._currency:
            if amount > books.account().free:
                return False
            books.keep_cash(parent)
            return True
        wish = SpotOrder(self._symbol(asset), Side.BUY, amount, Purpose.HODL, with_fee=True)
        self._spotting.send(wish, parent, lambda order_id: self._sent(asset, order_id))
        return asset in self._orders

    def _sent(self, asset: str, order_id: str) -> None:
        self._orders[asset] = order_id

    def order_ended(self, order: Order) -> None:
        """A purchase came to its end; what it did not fill is tried again."""
        asset = order.request.symbol.split("/")[0]
        if self._orders.get(asset) == order.id:
            del self._orders[asset]
            if self._worth_it(asset):
                self._core.timers.set(TIMER, self._core.now + RETRY)

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> HodlingState:
        """For a snapshot."""
        return HodlingState(dict(self._orders), dict(self._parents), list(self._said))

    def load(self, state: HodlingState) -> None:
        """Continue as the dumped one would."""
        self._orders, self._parents = dict(state.orders), dict(state.parents)
        self._said = dict.fromkeys(state.said)
