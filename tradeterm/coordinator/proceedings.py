"""Where each proposal stands: an illegal step raises before anything follows from it."""

from __future__ import annotations

from typing import Final

from tradeterm.model.stages import Stage, step

#: Over, or (sent) a matter of the order's own states from here on.
OVER: Final = frozenset(
    {
        Stage.SENT, Stage.VETOED, Stage.ABORTED, Stage.DROPPED, Stage.EXPIRED, Stage.DRIFTED,
        Stage.VOID,
    }
)  # fmt: skip
#: Refusals that could be taken back; older ones are forgotten.
MOST_REFUSED: Final = 100


class Proceedings:
    """Proposals that are neither sent nor at their end, in the order they came."""

    def __init__(self) -> None:
        """None yet."""
        self._stages: dict[str, Stage] = {}

    def moves(self, proposal: str, stage: Stage) -> None:
        """A proposal reaches a stage; IllegalStage when it may not from where it stands."""
        reached = step(proposal, self._stages.get(proposal), stage)
        self._stages[proposal] = reached
        if reached in OVER:
            del self._stages[proposal]
        elif reached is Stage.REJECTED:
            self._forget()

    def _forget(self) -> None:
        refused = [one for one, stage in self._stages.items() if stage is Stage.REJECTED]
        for one in refused[:-MOST_REFUSED]:
            del self._stages[one]

    def dump(self) -> dict[str, Stage]:
        """For a snapshot."""
        return dict(self._stages)

    def load(self, state: dict[str, Stage]) -> None:
        """Continue as the dumped ones would."""
        self._stages = dict(state)
