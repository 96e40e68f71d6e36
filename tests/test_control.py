"""The socket beside the store: what another shell may order, and as whom."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tradeterm.control import ControlServer, send, socket_path
from tradeterm.model.commands import (
    ApproveCard,
    CancelEntries,
    CancelOrder,
    ClosePosition,
    Command,
    CommandResult,
    EnableTask,
    Flatten,
    ForceRun,
    Halt,
    Pause,
    RejectAll,
    RejectCard,
    Resume,
)

ORDERS: list[Command] = [
    Halt(reason="lunch", actor="operator"),
    Resume(actor="operator"),
    Pause(actor="operator"),
    ClosePosition(position_id="pos-1"),
    CancelOrder(order_id="order-1"),
    CancelEntries(),
    Flatten(),
    RejectCard(card_id="card-1"),
    RejectAll(),
    ForceRun(task="regime_detection"),
    EnableTask(task="regime_detection", enabled=False),
]


async def ordered(db: Path, *commands: Command) -> tuple[list[Command], list[CommandResult]]:
    """What arrives at the engine, and what the callers are told."""
    arrived: list[Command] = []

    async def submit(command: Command) -> CommandResult:
        arrived.append(command)
        return CommandResult(True, "done")

    def status(_asked: str) -> dict[str, Any]:
        return {"reason": "\x1b[2J"}

    server = ControlServer(socket_path(db), submit, {"status": status})
    await server.start()
    try:
        told = [await asyncio.to_thread(send, db, command) for command in commands]
    finally:
        await server.stop()
    assert None not in told
    return arrived, [result for result in told if result is not None]


async def test_every_order_of_a_shell_arrives_as_the_shells(tmp_path: Path) -> None:
    arrived, told = await ordered(tmp_path / "x.db", *ORDERS)
    assert all(result.accepted for result in told)
    assert arrived == [msgspec.structs.replace(order, actor="shell") for order in ORDERS]


async def test_no_process_can_approve_a_card_through_the_socket(tmp_path: Path) -> None:
    approval = ApproveCard(card_id="card-1", content_hash="abc", actor="operator")
    arrived, (told,) = await ordered(tmp_path / "x.db", approval)
    assert arrived == []
    assert not told.accepted
    assert "approve" in told.text


async def test_words_of_an_order_cannot_carry_escape_sequences(tmp_path: Path) -> None:
    hostile = "\x1b]0;X\a\x1b[2J\u202e"
    arrived, _ = await ordered(
        tmp_path / "x.db", Halt(reason=hostile, actor=hostile), CancelOrder(order_id=hostile)
    )
    for command in arrived:
        text = json.dumps(msgspec.to_builtins(command), ensure_ascii=False)
        assert text.isprintable(), text


@pytest.mark.parametrize("line", ["", "nonsense", "{}", '{"command": "nope"}', "\x00"])
async def test_what_is_no_order_is_refused(tmp_path: Path, line: str) -> None:
    server = ControlServer(socket_path(tmp_path / "x.db"), _never, {})
    await server.start()
    try:
        reader, writer = await asyncio.open_unix_connection(socket_path(tmp_path / "x.db"))
        writer.write(line.encode() + b"\n")
        reply = json.loads(await reader.readline())
        writer.close()
        await writer.wait_closed()
    finally:
        await server.stop()
    assert reply["accepted"] is False


async def _never(command: Command) -> CommandResult:
    raise AssertionError(command)
