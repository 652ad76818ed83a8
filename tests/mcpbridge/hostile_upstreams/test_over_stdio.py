"""An approved call to a hostile stdio server: bounded, truthfully ended, felt by nobody else."""

from __future__ import annotations

import asyncio
import json

import pytest

from mcpbridge.approvals_gateway import CancelReason, State, UnknownReason
from mcpbridge.catalog.catalog import catalog
from tests.mcpbridge.hostile_upstreams.conftest import HASTE, PATIENCE
from tests.mcpbridge.upstream.test_sandbox import processes_marked
from tests.support.waiting import eventually_async

SOON = 15.0  # seconds, on a machine that may stand still for some of them


async def nothing_is_left(scene) -> None:
    """End the host, and see that nothing of the server outlives it."""
    await catalog().close()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await scene.host.stop()
    await eventually_async(lambda: not processes_marked(scene.mark), within=SOON)
    assert loop.time() - began < SOON


@pytest.mark.parametrize(
    ("mischief", "reason"),
    [
        ("crash", UnknownReason.EOF),
        ("mute", UnknownReason.TIMEOUT),
        ("stubborn", UnknownReason.TIMEOUT),
        ("drip", UnknownReason.TIMEOUT),
        ("flood", UnknownReason.MALFORMED),
        ("wrong_id", UnknownReason.MALFORMED),
        ("endless_line", UnknownReason.OVERSIZE),
        ("big", UnknownReason.OVERSIZE),
        ("notify", UnknownReason.OVERSIZE),
        ("gossip", UnknownReason.OVERSIZE),
    ],
)
async def test_whatever_it_does_the_outcome_is_unknown_and_nothing_of_it_is_left(
    over_stdio, mischief, reason
):
    patience = HASTE if reason is UnknownReason.TIMEOUT else PATIENCE
    scene = await over_stdio(mischief, timeouts=patience)
    ticket = await scene.run(await scene.ticket())
    assert (ticket.state, ticket.unknown_reason) == (State.OUTCOME_UNKNOWN, reason)
    assert len(scene.host.calls()) == 1
    await nothing_is_left(scene)


@pytest.mark.parametrize("mischief", ["garbage", "repeat", "early", "fork", "sample"])
async def test_what_does_no_harm_ends_in_the_answer_and_nothing_of_it_is_left(over_stdio, mischief):
    scene = await over_stdio(mischief)
    ticket = await scene.run(await scene.ticket())
    assert ticket.state == State.SUCCEEDED
    said = json.loads(ticket.result or b"")["content"][0]["text"]
    assert said == {"repeat": "once"}.get(mischief, said)
    assert mischief != "sample" or json.loads(said)["code"] == -32601
    assert len(scene.host.calls()) == 1
    await nothing_is_left(scene)


async def test_a_server_that_answers_what_it_was_not_asked_is_started_anew(over_stdio):
    scene = await over_stdio("early")
    for note in ("one", "two"):
        ticket = await scene.run(await scene.ticket(note))
        assert ticket.state == State.SUCCEEDED
        assert b"foreseen" not in (ticket.result or b"")
    started = [event for event in scene.host.events() if event["kind"] == "started"]
    assert len(started) == 2


async def test_a_tool_that_changed_after_the_approval_is_not_called(over_stdio):
    scene = await over_stdio("turncoat")
    uid = await scene.ticket()
    catalog()._read_at.clear()
    ticket = await scene.run(uid)
    assert (ticket.state, ticket.cancel_reason) == (State.CANCELLED, CancelReason.DRIFT)
    assert scene.host.calls() == []
