"""What enter opens: everything about the row under the cursor. Nothing executes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradeterm.tui import figures
from tradeterm.tui.guards import number
from tradeterm.tui.printable import printable
from tradeterm.tui.wordkeys import WordKeys

if TYPE_CHECKING:
    from tradeterm.tui.screens.detail import Detail


class DetailKeys(WordKeys):
    """Pages about one row or one pane."""

    def action_detail(self) -> None:
        if self.word_just_ended:
            return
        if self.pane in {"positions", "orders"}:
            self._trade_detail()
        elif self.pane in {"safety", "portfolio", "book"}:
            self._pane_detail()
        else:
            self._row_detail()

    def _trade_detail(self) -> None:
        from tradeterm.tui.screens.order import OrderDetail
        from tradeterm.tui.screens.position import PositionDetail

        position, order = self.deck.positions.current(), self.deck.orders.current()
        if self.pane == "positions" and position:
            self.open_detail(f"Position {position.symbol}", PositionDetail(position.id))
        elif self.pane == "orders" and order:
            self.open_detail(f"Order {order.id}", OrderDetail(order.id))

    def open_detail(self, title: str, detail: Detail) -> None:
        """A page that follows the market and reads the story of its row."""
        from tradeterm.tui.screens.detail import DetailScreen

        self.push_screen(
            DetailScreen(
                printable(title), detail, self.session.store, self.ink, self.view, self.clock
            )
        )

    def _pane_detail(self) -> None:
        from tradeterm.tui.screens.depth import book_page
        from tradeterm.tui.screens.portfolio import portfolio_page
        from tradeterm.tui.screens.risk import risk_page

        if self.pane == "safety":
            self.open_page("Risk", risk_page)
        elif self.pane == "portfolio":
            self.open_page("Portfolio", portfolio_page)
        else:
            symbol = self.choice.symbol
            self.open_page(f"Book {symbol}", book_page(symbol))

    def _row_detail(self) -> None:
        from tradeterm.tui.screens import pages

        deck = self.deck
        if self.pane == "conflicts" and (card := deck.conflicts.current()):
            self.open_page(f"Card {number(card.id)}", pages.card_page(card.id))
        elif self.pane == "agents" and (agent := deck.agents.current()):
            self.open_page(f"Agent {figures.agent(agent.name)}", pages.agent_page(agent.name))
        elif self.pane == "events" and (event := deck.events.current()):
            self.open_page("Event", pages.event_page(event))

    def action_show_votes(self) -> None:
        from tradeterm.tui.screens.votes import votes_page

        self.open_page("Agents", votes_page)
