"""Re-executing a recorded run: how a crash is recovered from, and how a replay is checked.

From the last snapshot the engine is fed the same inputs again. Market data comes from the feed,
commands and answers from the journal; every row that follows must equal the recorded one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from tradeterm.adapters.advisors.unanswered import interrupted
from tradeterm.adapters.store.recovery import Recovered
from tradeterm.adapters.store.rows import StoredRow
from tradeterm.engine.engine import Engine
from tradeterm.errors import StoreDamaged
from tradeterm.model.commands import RecordedCommand
from tradeterm.model.market import Feed, FeedMark
from tradeterm.model.messages import Row
from tradeterm.model.ports import Advisor, AgentAnswer, Answer, Question
from tradeterm.model.vocabulary import MarketMode
from tradeterm.sessions import restore

ANSWER_KINDS = frozenset({"answer", "agent_answer"})
SESSION_KINDS = frozenset({"run_started", "run_resumed", "run_finished"})

_command = msgspec.json.Decoder(RecordedCommand).decode
_answer = msgspec.json.Decoder(Answer).decode


class Rerun:
    """Feeds recorded inputs to a fresh engine and compares what follows, row by row."""

    def __init__(self, engine: Engine, feed: Feed, advisor: Advisor | None, run_row: str) -> None:
        """``advisor`` is only asked what the journal has no answer to, and only if repeatable."""
        self.rechecked = 0
        self.mark = FeedMark(0)
        """Where the feed stands after catching up."""
        self.new_rows: list[Row] = []
        """Rows that followed from the last input but had not been committed."""
        self._engine = engine
        self._feed = feed
        self._advisor = advisor
        self._run_row = run_row
        self._expected: deque[StoredRow] = deque()
        self._commands: deque[StoredRow] = deque()
        self._answers: dict[str, Answer] = {}
        self._late: dict[str, AgentAnswer] = {}
        self._last = 0
        """Market time of the last recorded row."""

    async def catch_up(self, recovered: Recovered) -> None:
        """Bring engine and feed to just after the last committed row.

        Raises StoreDamaged when a row differs: the code or the data is not what it was.
        """
        self._load(recovered.rows())
        snapshot = recovered.snapshot
        if snapshot is None:
            self._engine.begin(self._feed.start, self._run_row)
            self._compare()
        else:
            restore(self._engine, snapshot.body)
            self.mark = msgspec.msgpack.decode(snapshot.feed, type=FeedMark)
            self._feed.seek(self.mark)
        position = await self._replay()
        if position is not None or self._feed.mode == MarketMode.LIVE.value:
            self.mark = self._feed.mark(self._engine.market_inputs)
            self._feed.seek(self.mark)

    def _load(self, rows: Iterable[StoredRow]) -> None:
        for row in rows:
            if row.kind in SESSION_KINDS:
                continue
            self._expected.append(row)
            self._last = row.ts
            if row.kind == "command":
                self._commands.append(row)
            elif row.kind in ANSWER_KINDS:
                self._remember(_answer(row.body))

    def _remember(self, answer: Answer) -> None:
        if isinstance(answer, AgentAnswer) and answer.late:
            self._late[answer.question_id] = answer
        else:
            self._answers[answer.question_id] = answer

    async def _replay(self) -> int | None:
        """Feed events one by one until nothing more is expected."""
        engine, taken = self._engine, None
        while self._expected or engine.effects:
            if engine.effects:
                await self._answer_question()
            elif self._commands and engine.inputs == self._commands[0].input - 1:
                row = self._commands.popleft()
                engine.command(_command(row.body), row.ts)
            else:
                taken = await self._take_events()
                if taken is None and not self._time_goes_on():
                    break
            self._compare()
        if self._expected:
            self._differs(self._expected[0], "the feed ended before it")
        return taken

    async def _take_events(self) -> int | None:
        """Run the next batch up to the next command; None when the feed has ended."""
        engine = self._engine
        batch = self._feed.take()
        if not batch:
            if not self._expected:
                engine.advance(engine.now)
            return None
        index = 0
        while index < len(batch) and (self._expected or engine.effects):
            if engine.effects:
                await self._answer_question()
            elif self._commands and engine.inputs == self._commands[0].input - 1:
                row = self._commands.popleft()
                engine.command(_command(row.body), row.ts)
            elif self._expected and engine.next_due <= self._expected[0].ts < batch[index].ts:
                engine.advance(min(self._expected[0].ts, batch[index].ts - 1))
            else:
                index = engine.run(batch, index, index + 1)
            self._compare()
        return index

    def _time_goes_on(self) -> bool:
        """Behind the last event (a live market fell silent) time alone may bring the next row."""
        return bool(self._expected) and self._engine.advance(self._expected[0].ts)

    async def _answer_question(self) -> None:
        question = self._engine.effects[0]
        answer = self._answers.get(question.id)
        if answer is None and self._advisor is not None and self._advisor.repeatable:
            answer = await self._advisor.settle(question)
        if answer is None:  # in flight when the process died: never asked again silently
            answer = await self._interrupted(question)
        self._engine.answer(answer, self._late.get(question.id))

    async def _interrupted(self, question: Question) -> Answer:
        """It was still out when the last row was written: its answer enters after that one."""
        latency = max(0, self._last - question.ts) + 1
        if self._advisor is not None:
            return await self._advisor.interrupted(question, latency)
        return interrupted(question, self._engine.core.settings.llm.provider, latency)

    def _compare(self) -> None:
        for row in self._engine.take_rows():
            if not self._expected:
                self.new_rows.append(row)
                continue
            recorded = self._expected.popleft()
            if (row.kind, row.id, row.ts, row.body) != (
                recorded.kind,
                recorded.id,
                recorded.ts,
                recorded.body,
            ):
                self._differs(recorded, f"now {row.kind} {row.id}: {row.body.decode()[:300]}")
            self.rechecked += 1

    def _differs(self, recorded: StoredRow, found: str) -> None:
        raise StoreDamaged(
            f"re-executing the run gives something else than row {recorded.seq} "
            f"({recorded.kind} {recorded.id}: {recorded.body.decode()[:300]}): {found}. The data or "
            "the program changed since; keep the file, and start with --fresh or another --db"
        )
