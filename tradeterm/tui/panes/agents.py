"""The agents: who is awake, what each last said about the symbol in view."""

from __future__ import annotations

from typing import ClassVar

from tradeterm.engine.view import AgentView, ConsoleView
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, Part
from tradeterm.tui.panes.base import ListPane
from tradeterm.tui.panes.columns import Column, heads, row

COLUMNS = (
    Column("AGENT", 9, "<", 0, pinned=True),
    Column("STATE", 7, "<", 1),
    Column("SAYS", 13, "<", 0),
    Column("CONF", 4, ">", 2),
    Column("BY", 6, "<", 6),
    Column("RUNS", 6, ">", 5),
    Column("ERR", 4, ">", 7),
    Column("LAST", 5, ">", 3),
    Column("NEXT", 5, ">", 4),
    Column("LAT", 5, ">", 8),
    Column("COST", 8, ">", 9),
)
#: Instead of a symbol: what is said of the portfolio as one.
WHOLE = "*"
_STATES = {"ok": "up", "failed": "error", "warming": "warn", "off": "quiet", "idle": "quiet"}
_SAYS = {
    "long": "up",
    "buy": "up",
    "trending_bull": "up",
    "volatile_bull": "up",
    "short": "down",
    "sell": "down",
    "trending_bear": "down",
    "volatile_bear": "down",
}


def _asked(by: str) -> str:
    """The model's own name, or how many: who really answered is on the agent's page."""
    models = by.split(", ")
    if len(models) > 1:
        return f"{len(models)} LLM"
    return by.partition(" as ")[0].rpartition("/")[2]


class AgentsPane(ListPane):
    """One row per agent."""

    NAME: ClassVar[str] = "agents"
    KEY: ClassVar[str] = "6"
    TITLE: ClassVar[str] = "Agents"
    HINTS = (
        ("detail", "reasoning"),
        ("pause_agent", "pause"),
        ("show_votes", "all words"),
    )

    def part_of(self, view: ConsoleView) -> object:
        second = view.status.market_time // 10**9
        return view.agents, self.choice.symbol, second, figures.age(view.status.data_age)

    def heading(self) -> str:
        return f"Agents on {self.choice.symbol}" if self.choice.symbol else "Agents"

    def age(self) -> str:
        return f"age {figures.age(self.view.status.data_age)}"

    def ids(self) -> list[str]:
        return [each.name for each in self.view.agents if self.passes(each.name, each.state)]

    def current(self) -> AgentView | None:
        """The agent under the cursor."""
        return next((each for each in self.view.agents if each.name == self.selected), None)

    def empty(self) -> tuple[str, ...]:
        return ("the five agents appear here",)

    def header(self, width: int) -> list[Line]:
        return [heads(COLUMNS, width, self.sideways)]

    def columns(self) -> tuple[Column, ...]:
        return COLUMNS

    def row(self, row_id: str, width: int) -> Line:
        agent = next(each for each in self.view.agents if each.name == row_id)
        return row(COLUMNS, self._cells(agent), width, self.sideways)

    def _cells(self, agent: AgentView) -> list[Part]:
        symbol = WHOLE if WHOLE in agent.votes else self.choice.symbol
        says = agent.votes.get(symbol, "–")
        confidence = agent.confidences.get(symbol)
        return [
            (figures.agent(agent.name), "text+bold"),
            (agent.state, _STATES.get(agent.state, "text")),
            (says.replace("_", " "), _SAYS.get(says.lower(), "text")),
            ("–" if confidence is None else f"{confidence:.2f}", "text"),
            (_asked(agent.by), "text" if agent.model else "quiet"),
            (str(agent.runs), "quiet"),
            (str(agent.errors), "error" if agent.errors else "quiet"),
            (self._since(agent.last_run), "quiet"),
            (self._until(agent.next_run), "quiet"),
            ("–" if agent.latency is None else f"{agent.latency:.1f}s", "quiet"),
            (f"${agent.cost:.4f}" if agent.model else "–", "quiet"),
        ]

    def _since(self, ts: int | None) -> str:
        if ts is None:
            return "–"
        return figures.age(max(0, self.view.status.market_time - ts) // 10**9 + 0.0).replace(
            ".0s", "s"
        )

    def _until(self, ts: int | None) -> str:
        return "–" if ts is None else figures.countdown(ts, self.view.status.market_time)
