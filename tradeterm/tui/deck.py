"""The deck: every pane, arranged by ``plan``; layout is arithmetic, not a tree of containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.geometry import NULL_OFFSET, Region, Size, Spacing
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from tradeterm.engine.view import ConsoleView
from tradeterm.tui.choice import Choice
from tradeterm.tui.ink import Ink
from tradeterm.tui.options import ConsoleOptions
from tradeterm.tui.panes.agents import AgentsPane
from tradeterm.tui.panes.bars import Banner, FooterBar, NoticeBar, SmallCard, StatusBar
from tradeterm.tui.panes.base import ListPane, Pane
from tradeterm.tui.panes.book import BookPane
from tradeterm.tui.panes.chart import ChartPane
from tradeterm.tui.panes.conflicts import ConflictsPane
from tradeterm.tui.panes.events import EventsPane
from tradeterm.tui.panes.orders import OrdersPane
from tradeterm.tui.panes.portfolio import PortfolioPane
from tradeterm.tui.panes.positions import PositionsPane
from tradeterm.tui.panes.safety import SafetyPane
from tradeterm.tui.plan import MIN_HEIGHT, MIN_WIDTH, Wish, plan

if TYPE_CHECKING:
    from textual import events


class PlannedLayout(Layout):
    """Places the deck's panes where the plan says."""

    name = "planned"

    def __init__(self, deck: Deck) -> None:
        self._deck = deck

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        boxes = plan(size.width, size.height, self._deck.wish)
        placements: list[WidgetPlacement] = []
        for child in children:
            box = boxes.get(child.id or "")
            if isinstance(child, Pane):
                child.placed = box is not None
            if box is not None:
                placements.append(WidgetPlacement(Region(*box), NULL_OFFSET, Spacing(), child))
        return placements


class Deck(Widget):
    """Owns the panes and what the operator wants to see of them."""

    def __init__(self, choice: Choice, ink: Ink) -> None:
        super().__init__(id="deck")
        self.wish = Wish()
        self.positions = PositionsPane(choice, ink)
        self.conflicts = ConflictsPane(choice, ink)
        self.book = BookPane(choice, ink)
        self.chart = ChartPane(choice, ink)
        self.events = EventsPane(choice, ink)
        self.agents = AgentsPane(choice, ink)
        self.orders = OrdersPane(choice, ink)
        self.safety = SafetyPane(choice, ink)
        self.portfolio = PortfolioPane(choice, ink)
        self.status = StatusBar(choice, ink)
        self.banner = Banner(choice, ink)
        self.notice = NoticeBar(choice, ink)
        self.footer = FooterBar(choice, ink)
        self.small = SmallCard(choice, ink)
        self.panes: dict[str, Pane] = {
            pane.NAME: pane
            for pane in (
                self.status,
                self.banner,
                self.positions,
                self.conflicts,
                self.book,
                self.chart,
                self.events,
                self.agents,
                self.orders,
                self.safety,
                self.portfolio,
                self.notice,
                self.footer,
                self.small,
            )
        }
        self._layout = PlannedLayout(self)

    def compose(self) -> ComposeResult:
        yield from self.panes.values()

    @property
    def layout(self) -> Layout:
        """The plan."""
        return self._layout

    @property
    def too_small(self) -> bool:
        """Whether there is room for one card only."""
        return self.size.width < MIN_WIDTH or self.size.height < MIN_HEIGHT

    def wants(self, **changes: object) -> None:
        """Change what is wanted; lays out anew only when it differs."""
        wish = replace(self.wish, **changes)
        if wish != self.wish:
            self.wish = wish
            self.arrange_anew()

    def receive(
        self, view: ConsoleView, now: float, options: ConsoleOptions, slower: float
    ) -> None:
        """Hand a new picture to every pane at its own rate."""
        self.wants(banner=bool(view.fault))
        for name, pane in self.panes.items():
            if pane is self.footer:  # it shows what the others hold: the app feeds it last
                continue
            pane.receive(view, now, options.refresh.get(name, 0.0) * slower)

    def rebuild(self, *names: str) -> None:
        """Repaint these panes at once (all without names): a key changed what they show."""
        for name in names or self.panes:
            if self.panes[name].placed:
                self.panes[name].rebuild()

    def repaint(self) -> None:
        """Everything anew: other colours."""
        for pane in self.panes.values():
            pane.repaint()

    def list_pane(self, name: str) -> ListPane | None:
        """The pane if it has rows."""
        pane = self.panes.get(name)
        return pane if isinstance(pane, ListPane) else None

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that grew or shrank is arranged anew."""
        self.arrange_anew()

    def arrange_anew(self) -> None:
        """Forget every place that was worked out before."""
        # A layout asked for by a child clears this widget's arrangement, one of its own that of the
        # screen: in a storm of sizes Textual may keep one that was made for another size.
        self.footer.refresh(repaint=False, layout=True)
        self.refresh(layout=True)
