"""A live desk as one process sees it: how soon, whom it contacts, what survives, what waits."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.exchanges.kraken import KrakenServer
from tests.live.session import session
from tests.living import Stopwatch, end, wait_for
from tests.shell import command, tradeterm
from tests.terminal.screen import child_environment
from tests.wired.stage import BTC, Record
from tradeterm.adapters.advisors.unanswered import interrupted
from tradeterm.adapters.feeds.live import feed
from tradeterm.adapters.feeds.live.exchange import open_exchange
from tradeterm.adapters.feeds.live.link import Link
from tradeterm.adapters.feeds.news.poller import NewsPoller
from tradeterm.control import ask
from tradeterm.model.ports import AgentQuestion, Answer, Question
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import RunState
from tradeterm.settings.live import LiveSettings

#: On a local server the book is there in one second; the rest is for a busy machine.
SOON = 3.0


def arguments(server: KrakenServer, db: Path) -> list[str]:
    places = [f"--set={line}" for line in server.settings]
    return ["run", "--headless", "--feed", "live", "--exchange", "kraken", "--db", str(db), *places]


def start(server: KrakenServer, db: Path, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(*arguments(server, db), *more),
        cwd=db.parent, env=child_environment(db.parent), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def priced(db: Path) -> bool:
    """Whether the running desk knows a price of every symbol."""
    marks = (ask(db, "status") or {}).get("marks", {})
    return bool(marks) and all(marks.values())


def test_a_killed_session_goes_on_and_the_whole_run_replays_to_the_same_state(
    tmp_path: Path,
) -> None:
    db = tmp_path / "run.db"
    with KrakenServer() as server:
        first = start(server, db)
        wait_for(lambda: priced(db) or first.poll() is not None)
        assert first.poll() is None, first.communicate()[1].decode()
        server.wander(200, 1.5)
        first.kill()
        first.communicate()
        server.remember(BTC, time.time(), "65000.1", "0.25")
        server.pairs[BTC].order_min = "0.01"
        second = start(server, db)
        wait_for(lambda: priced(db) or second.poll() is not None)
        server.wander(200, 1.0, seed=9)
        told = Record(db, {})
        wait_for(lambda: any(body["code"] == "F-instrument" for body in told.bodies("system")))
        code, _, err = end(second)
        assert code == 143, err
    record = Record(db, {}).sound()
    assert len(record.rows("run_resumed")) == 1
    said = tradeterm("replay", "--db", db, "--json", home=tmp_path)
    assert said.code == 0, said.out + said.err


def test_a_machine_that_stood_still_says_so_and_fetches_what_it_missed(tmp_path: Path) -> None:
    """FAULTS H01, H02: everything it has is old; the connection is made anew."""
    db = tmp_path / "run.db"
    with KrakenServer() as server:
        child = start(server, db, "--symbols", BTC)
        wait_for(lambda: priced(db) or child.poll() is not None)
        child.send_signal(signal.SIGSTOP)
        time.sleep(3.5)  # a suspended process is what is tested
        server.trade(BTC, "64990.0", "0.5")
        child.send_signal(signal.SIGCONT)
        record = Record(db, {})
        wait_for(lambda: any(body["code"] == "E-GAP" for body in record.bodies("system")))
        wait_for(lambda: len(server.dialled) == 2)
        end(child)
    told = [body["text"] for body in record.sound().bodies("system")]
    assert any("stood still" in text for text in told)
    assert any("away" in text for text in told)


_WATCHED = """
import sys
seen = set()
def hook(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        seen.add(tuple(arguments[1][:2]))
    elif event == "socket.getaddrinfo":
        seen.add((str(arguments[0]), int(arguments[1] or 0)))
sys.addaudithook(hook)
from tradeterm import cli
try:
    cli.main()
finally:
    print("contacted", sorted(seen), file=sys.stderr)
    print("loaded", sorted({"litellm"} & set(sys.modules)), file=sys.stderr)
"""


def test_only_the_configured_hosts_are_contacted(tmp_path: Path) -> None:
    with KrakenServer() as server:
        port = int(server.rest.rpartition(":")[2])
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _WATCHED,
             *arguments(server, tmp_path / "run.db"), "--until", "3s"],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
            env=child_environment(tmp_path, HTTPS_PROXY="http://127.0.0.2:9",
                                  ALL_PROXY="http://127.0.0.2:9"),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"contacted [('127.0.0.1', {port})]" in done.stderr
    assert "loaded []" in done.stderr


async def test_the_book_is_there_soon(tmp_path: Path) -> None:
    """From the opening of the desk; ccxt and aiohttp may be loaded already by other tests."""
    with KrakenServer() as server:
        watch = Stopwatch()
        async with session(server, tmp_path / "run.db") as live:
            took = watch.seconds
            assert live.counts["snapshot"] >= 1
    assert took < SOON


async def test_indicators_are_ready_once_the_past_has_been_told(tmp_path: Path) -> None:
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db", symbols=(BTC,)) as live:
            market = live.desk.engine.core.market
            await live.until(lambda: live.counts["past"] == 1)
            assert all(market.indicators(BTC, frame) for frame in (60, 300, 3600))
            agents = live.desk.engine.core.counters.agents
            await live.until(lambda: agents["technical_analysis"].rule >= 1)
    inputs = Record(tmp_path / "run.db", {}).bodies("agent_output")
    assert any(body["agent"] == "technical_analysis" for body in inputs)


@dataclass
class Slow:
    """A model that answers when the test lets it."""

    name: str = "slow"
    repeatable: bool = False
    asked: list[Question] = field(default_factory=list)
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def settle(self, question: Question) -> Answer:
        self.asked.append(question)
        await self.free.wait()
        return interrupted(question, self.name, 0)

    async def interrupted(self, question: Question, latency: int) -> Answer:
        return interrupted(question, self.name, latency)

    def begin(self) -> None:
        """Nothing is to be loaded."""

    def finish(self) -> None:
        """Nothing is left over."""


async def test_the_market_goes_on_while_a_question_is_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Slow()

    def advisor(*_: Any, **__: Any) -> Slow:
        return model

    monkeypatch.setattr("tradeterm.desk._advisor", advisor)
    local = "{model: openai/m, api_base: 'http://127.0.0.1:9', input_price: 1, output_price: 1}"
    asking = ("llm.provider=litellm", f"llm.roles.technical_analysis={local}")
    db = tmp_path / "run.db"
    with KrakenServer() as server:
        async with session(server, db, *asking, symbols=(BTC,)) as live:
            engine = live.desk.engine
            await live.until(lambda: model.asked)
            (question,) = model.asked
            assert isinstance(question, AgentQuestion)
            before = live.counts["delta"]
            await asyncio.to_thread(server.wander, 300.0, 0.5)
            await live.until(lambda: live.counts["delta"] > before + 20)
            assert [one.id for one in engine.asked.open()] == [question.id]
            model.free.set()
            await live.until(lambda: not engine.asked.open())
            await live.until(lambda: live.counts["answer"] >= 1)
        record = Record(db, {}).sound()
        (answer, *_) = record.rows("agent_answer")
        # It enters when it came, not when the question was put.
        assert answer.ts - question.ts > 0.4 * SECOND
        model.free.set()
        async with session(server, db, *asking, symbols=(BTC,)) as live:
            assert live.desk.engine.core.counters.failures == 0


async def test_news_that_are_looked_for_no_more_halt_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: NewsPoller) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(NewsPoller, "look", broken)
    (tmp_path / "news.txt").write_text("Bitcoin soars", encoding="utf-8")
    sources = f"agents.sentiment_analysis.sources=[{tmp_path / 'news.txt'}]"
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db", sources) as live:
            await live.until(lambda: len(live.said("E-TASK")) == 2)
            first, second = live.said("E-TASK")
            assert first == "E-TASK news died: RuntimeError: boom; it was begun again"
            assert "boom (a second time); halted, exits go on" in second
            assert live.desk.engine.core.state is RunState.HALTED


async def test_an_answer_in_the_moment_of_a_death_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``asyncio.wait_for`` swallows a cancellation that an answer meets (before Python 3.12)."""
    asked: list[asyncio.Future[int]] = []
    broken = Event()

    async def fetch_time() -> int:
        asked.append(asyncio.get_running_loop().create_future())
        return await asked[-1]

    def opened(name: str, settings: LiveSettings) -> Any:
        exchange = open_exchange(name, settings)
        exchange.fetch_time = fetch_time
        return exchange

    async def watch(self: Link) -> None:
        await asyncio.to_thread(broken.wait, 30)
        asked[-1].set_result(0)
        raise RuntimeError("boom")

    monkeypatch.setattr(feed, "open_exchange", opened)
    monkeypatch.setattr(Link, "_watch_clocks", watch)
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db") as live:
            broken.set()
            await live.until(lambda: live.said("E-TASK"), 20)
            assert live.desk.engine.core.state is RunState.HALTED


async def test_a_market_nobody_listens_to_any_more_halts_the_run_and_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Event()

    async def watch(self: Link) -> None:
        await asyncio.to_thread(broken.wait, 30)
        raise RuntimeError("boom")

    monkeypatch.setattr(Link, "_watch_clocks", watch)
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db") as live:
            broken.set()
            await live.until(lambda: live.said("E-TASK"))
            (told,) = live.said("E-TASK")
            assert "market died" in told
            assert "boom" in told
            assert "only a restart listens to the market again" in told
            assert live.desk.engine.core.state is RunState.HALTED
            assert live.verdict() != []
