"""What must not be sent is not sent: the kill switch, and tools that changed after the approval."""

from __future__ import annotations

import asyncio
import time

import pytest

from approvals.models import Ticket
from mcpbridge.offload import in_database
from tests.support.face import ERAS
from tests.support.house import NOTE, House, text_of, told
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.timeout(180)

# Seconds that calls in flight may outlive the answer of the kill switch, on a machine that stands
# still for some of them; their upstream would let them wait for a minute.
STOPPED = 15.0


@pytest.mark.both_engines
@pytest.mark.parametrize("era", ERAS)
async def test_the_kill_switch_ends_calls_in_flight_and_nothing_is_sent_after_it(
    house: House, era: str
) -> None:
    await house.furnish()
    house.placet.start()
    async with house.agent(era) as agent, house.person("bob") as bob, house.person("dora") as dora:
        running = asyncio.create_task(agent.call_tool(NOTE, {"note": "running"}))
        pending = asyncio.create_task(agent.call_tool(NOTE, {"note": "pending"}))
        ticket = await house.ticket(note="running")
        open_ticket = await house.ticket(note="pending")
        house.witness.hold()
        await bob.decide(ticket.uid, "approve")
        allowed = asyncio.create_task(agent.call_tool("witness__slow", {"seconds": 60}))
        await eventually_async(lambda: len(house.witness.calls()) == 2)

        await dora.turn_kill_switch(on=True)
        answered = time.monotonic()
        for calling, words in (
            (running, "the call was aborted while it ran"),
            (allowed, "the call was aborted while it ran"),
            (pending, "an operator stopped all calls. Nothing was executed"),
        ):
            left = answered + STOPPED - time.monotonic()
            assert words in await told(calling, within=left)
        house.witness.release()

        assert not await bob.may_decide(open_ticket.uid)
        for name, arguments in (("witness__echo", {"text": "x"}), (NOTE, {"note": "later"})):
            refused = await agent.call_tool(name, arguments)
            assert "An operator has stopped all calls" in text_of(refused)
        assert len(house.witness.calls()) == 2

        await dora.turn_kill_switch(on=False)
        assert "again" in text_of(await agent.call_tool("witness__echo", {"text": "again"}))
        states = await in_database(lambda: dict(Ticket.objects.values_list("uid", "state")))
        assert states == {ticket.uid: "outcome_unknown", open_ticket.uid: "cancelled"}
    assert [call["tool"] for call in house.witness.calls()][2:] == ["echo"]


async def test_a_tool_that_changed_after_its_approval_is_not_called(house: House) -> None:
    await house.furnish()
    house.placet.start(worker=False)
    async with house.agent("modern") as agent, house.person("bob") as bob:
        calling = asyncio.create_task(agent.call_tool(NOTE, {"note": "as it was"}))
        ticket = await house.ticket(note="as it was")
        await bob.decide(ticket.uid, "approve")
        await asyncio.to_thread(house.restart_witness, revised=True)
        house.placet.start_worker()
        drifted = await told(calling)
        assert "the tool or its server changed after the call was made" in drifted
        assert "Nothing was executed" in drifted
    assert house.witness.calls() == []
