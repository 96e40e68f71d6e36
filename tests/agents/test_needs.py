"""How many bars an agent needs, as it says at the end of a run in which it never spoke."""

from __future__ import annotations

import pytest

from tests.agents.world import SETTINGS, context, drift, market, snapshot
from tradeterm.agents.roster import Roster
from tradeterm.model.vocabulary import AgentName

ROSTER = Roster(SETTINGS.agents, SETTINGS.portfolio)


@pytest.mark.parametrize("name", [AgentName.TECHNICAL, AgentName.REGIME])
def test_an_agent_speaks_from_the_bar_it_says_it_needs(name: AgentName) -> None:
    needs = ROSTER.needs()[name]
    for count, speaks in ((needs - 1, False), (needs, True)):
        said = ROSTER.run(name, context(snapshot(market(drift(count, 0.0005)))))
        assert (said is not None) is speaks, count
