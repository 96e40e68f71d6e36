"""Keys that change what is shown and nothing else: book, chart, hits, copies, layout, jump mode."""

from __future__ import annotations

from msgspec.structs import replace
from textual.timer import Timer

from tradeterm.model.timing import timeframe_text
from tradeterm.tui import layout
from tradeterm.tui.console import Console
from tradeterm.tui.ink import clip
from tradeterm.tui.jump import LETTERS, JumpLine
from tradeterm.tui.layout import Layout
from tradeterm.tui.panes.book import GROUPS
from tradeterm.tui.panes.chart import STEP
from tradeterm.tui.plan import ORDER, plan
from tradeterm.tui.printable import printable
from tradeterm.tui.typed import Typed

#: Cells of a copied text that are shown back.
_SHOWN = 48
#: Seconds without another size after which the terminal's is taken to stay.
SETTLED = 0.1


class ViewKeys(Console):
    """What only looks."""

    _settling: Timer | None = None

    # -- book and chart ------------------------------------------------------------------------

    def action_finer(self) -> None:
        self._step_timeframe(-1)

    def action_coarser(self) -> None:
        self._step_timeframe(1)

    def _step_timeframe(self, by: int) -> None:
        before = self.choice.timeframe
        self.choice.step_timeframe(self.view, by)
        self.deck.rebuild("chart")
        now = self.choice.timeframe
        end = f", there is no {'coarser' if by > 0 else 'finer'} one" if now == before else ""
        self.say(f"chart: bars of {timeframe_text(now)}{end}")

    def action_next_symbol(self) -> None:
        self._step_symbol(1)

    def action_previous_symbol(self) -> None:
        self._step_symbol(-1)

    def _step_symbol(self, by: int) -> None:
        self.choice.step_symbol(self.view, by)
        self._show_choice()

    def _show_choice(self) -> None:
        self.deck.rebuild("chart", "book", "agents")

    def action_follow_cursor(self) -> None:
        self.choice.follows = not self.choice.follows
        pane = self.deck.list_pane(self.pane)
        if pane is not None:
            pane.selection_changed()
        self._show_choice()
        told = "follow the cursor" if self.choice.follows else f"stay with {self.choice.symbol}"
        self.say(f"book and chart {told}")

    def action_indicators(self) -> None:
        self.choice.indicators = not self.choice.indicators
        self.deck.rebuild("chart")
        self.say(f"averages and levels {'on' if self.choice.indicators else 'off'}")

    def action_candles(self) -> None:
        self.choice.closes = not self.choice.closes
        self.deck.rebuild("chart")

    def action_finer_book(self) -> None:
        self._group_book(-1)

    def action_coarser_book(self) -> None:
        self._group_book(1)

    def _group_book(self, by: int) -> None:
        at = GROUPS.index(self.choice.grouping) + by
        self.choice.grouping = GROUPS[min(len(GROUPS) - 1, max(0, at))]
        self.deck.rebuild("book")
        ticks = self.choice.grouping
        self.say(f"book: {ticks} ticks in a line" if ticks > 1 else "book: every price")

    def action_left(self) -> None:
        self._scroll_sideways(-1)

    def action_right(self) -> None:
        self._scroll_sideways(1)

    def _scroll_sideways(self, by: int) -> None:
        """Other columns of the focused table, or other times of the chart."""
        pane = self.deck.list_pane(self.pane)
        if self.pane == "chart":
            self.deck.chart.scroll(by * STEP)
        elif pane is not None:
            pane.scroll_sideways(by)

    # -- hits and copies -----------------------------------------------------------------------

    def action_next_hit(self) -> None:
        self._seek(1)

    def action_previous_hit(self) -> None:
        self._seek(-1)

    def _seek(self, by: int) -> None:
        pane = self.deck.list_pane(self.pane)
        if pane is None:
            return
        place, count = pane.seek(by)
        self.moved()
        if count:
            self.say(f"{place} of {count} with “{pane.search}”")
        else:
            self.say(f"no row contains “{pane.search}” any more", "warning")

    def action_copy_id(self) -> None:
        self._copy_row(whole=False)

    def action_copy_row(self) -> None:
        self._copy_row(whole=True)

    def _copy_row(self, whole: bool) -> None:
        pane = self.deck.list_pane(self.pane)
        if pane is not None:
            self.copy(pane.copied(whole))

    def copy(self, text: str) -> None:
        """To the clipboard of whoever sits at the terminal, as far as that allows it."""
        cleaned = printable(text)
        self.copy_to_clipboard(cleaned)
        self.say(f"copied: {clip(cleaned, _SHOWN)}")

    def action_follow_events(self) -> None:
        self.deck.events.follow(not self.deck.events.following)
        still = not self.deck.events.following
        self.say("events: they stand still" if still else "events: the newest is followed")

    # -- screen --------------------------------------------------------------------------------

    def action_taller(self) -> None:
        self._resize(2)

    def action_shorter(self) -> None:
        self._resize(-2)

    def _resize(self, by: int) -> None:
        wish, size = self.deck.wish, self.deck.size
        sizes = dict(wish.sizes)
        sizes[self.pane] = sizes.get(self.pane, 0) + by
        wanted = tuple(sorted((name, lines) for name, lines in sizes.items() if lines))
        before = plan(size.width, size.height, wish)
        if plan(size.width, size.height, replace(wish, sizes=wanted)) == before:
            self.say("no room: zoomed, asked something, or nothing beside it to take from")
        else:
            self.deck.wants(sizes=wanted)

    def action_planned_sizes(self) -> None:
        self.deck.wants(sizes=())

    def action_redraw(self) -> None:
        self.deck.repaint()
        self.deck.arrange_anew()

    def on_resize(self) -> None:
        """Once the size has settled."""
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLED, self.deck.arrange_anew)

    def action_jump(self) -> None:
        self.type_in(JumpLine(self.show_pane))

    def type_in(self, line: Typed | None) -> None:
        lettered = isinstance(line, JumpLine)
        for name in ORDER:
            self.deck.panes[name].badge = LETTERS[name] if lettered else ""
        super().type_in(line)
        self.deck.rebuild(*ORDER)

    # -- layout --------------------------------------------------------------------------------

    def action_save_layout(self) -> None:
        path = self.options.layout
        if path is None:
            return
        try:
            layout.keep(path, self._layout())
        except OSError as error:
            self.say(f"the layout is not kept: {error}", "warning")
        else:
            self.say(f"layout kept for the next start: {self.pane}, {self._shown()}")

    def _shown(self) -> str:
        return f"{self.choice.symbol} {timeframe_text(self.choice.timeframe)}"

    def _layout(self) -> Layout:
        choice, deck = self.choice, self.deck
        lists = ((name, deck.list_pane(name)) for name in ORDER)
        return Layout(
            pane=self.pane,
            zoomed=deck.wish.zoomed,
            sizes=dict(deck.wish.sizes),
            symbol=choice.symbol,
            follows=choice.follows,
            timeframe=choice.timeframe,
            grouping=choice.grouping,
            indicators=choice.indicators,
            closes=choice.closes,
            theme=self.ink.palette.name,
            over=self.options.theme,
            filters={name: pane.filter for name, pane in lists if pane and pane.filter},
            errors_only=deck.events.errors_only,
        )

    def settled_in(self) -> None:
        """The settings are here: show what was kept, if it can be read."""
        path = self.options.layout
        try:
            found = layout.kept(path) if path else None
        except ValueError as error:
            self.say(f"{path} is not used: {error}; ^s writes it anew", "warning")
            return
        if found is not None:
            self._arrange(found)

    def _arrange(self, found: Layout) -> None:
        choice, deck = self.choice, self.deck
        choice.symbol, choice.timeframe = found.symbol, found.timeframe
        choice.follows, choice.grouping = found.follows, found.grouping
        choice.indicators, choice.closes = found.indicators, found.closes
        if choice.grouping not in GROUPS:
            choice.grouping = GROUPS[0]
        deck.events.errors_only = found.errors_only
        for name, text in found.filters.items():
            pane = deck.list_pane(name)
            if pane is not None:
                pane.set_filter(text)
        if found.over == self.options.theme:
            self.use_theme(found.theme)
        self.show_pane(found.pane)
        deck.wants(zoomed=found.zoomed, sizes=tuple(sorted(found.sizes.items())))
