"""Keys that make the system more or less careful: agents, the level, drills."""

from __future__ import annotations

from tradeterm.errors import UsageError
from tradeterm.model.commands import EnableTask, RunDrill, SetLevel
from tradeterm.model.drills import Drill
from tradeterm.model.timing import SECOND, parse_duration
from tradeterm.model.vocabulary import Level
from tradeterm.tui import figures
from tradeterm.tui.cardkeys import CardKeys
from tradeterm.tui.wordkeys import WordKeys

LEVELS = tuple(Level)
#: Market time a drill lasts when nothing is said.
DRILL = "10m"


class CareKeys(CardKeys, WordKeys):
    """Stricter acts at once; looser asks."""

    def action_pause_agent(self) -> None:
        agent = self.deck.agents.current()
        if agent is None or self.guarded("pause_agent"):
            return
        name = figures.agent(agent.name)
        if agent.enabled:
            self.send(EnableTask(task=agent.name, enabled=False), f"pausing {name}")
            return
        self._make_sure(
            f"let {name} run again: ",
            lambda: self.send(EnableTask(task=agent.name, enabled=True), f"{name} runs again"),
        )

    def action_level(self) -> None:
        if self.guarded("level"):
            return
        now = self.view.status.level

        def done(text: str) -> None:
            found = [level for level in LEVELS if level.value.startswith(text.upper())]
            if len(found) != 1:
                self.say(f"{text!r} is no level: nothing was sent", "warning")
            elif now in LEVELS and LEVELS.index(found[0]) < LEVELS.index(Level(now)):
                self._confirm_looser_level(found[0])
            else:
                self.send(SetLevel(level=found[0]), f"level {found[0]}")

        self._ask_amount(f"level, now {now} (normal, reduced, limited, emergency): ", done)

    def _confirm_looser_level(self, level: Level) -> None:
        from tradeterm.tui.screens.pages import loosen_facts

        self.ask_word(
            "LOOSEN",
            f"Loosen to {level}?",
            loosen_facts(self.view, level),
            lambda: self.send(SetLevel(level=level), f"loosening to {level}"),
        )

    def action_drill(self) -> None:
        if self.guarded("drill"):
            return

        def done(text: str) -> None:
            name, _, lasting = text.partition(" ")
            found = [drill for drill in Drill if drill.value.startswith(name)]
            try:
                seconds = 0 if lasting == "0" else parse_duration(lasting or DRILL) // SECOND
            except UsageError as error:
                self.say(f"{error}: nothing was sent", "warning")
                return
            if len(found) != 1:
                known = ", ".join(Drill)
                self.say(f"{name!r} is no drill; there are {known}", "warning")
                return
            self.send(RunDrill(drill=found[0], seconds=seconds), f"drill {found[0]}")

        self._ask_amount(f"drill, e.g. llm-outage {DRILL} (or 0): ", done)
