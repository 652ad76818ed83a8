"""Agents that come back, repeat themselves, or are gone for good."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.support.face import ERAS
from tests.support.house import NOTE, House, text_of, told
from tests.support.processes import Running

pytestmark = pytest.mark.timeout(180)

AWAIT = "placet__await_ticket"


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_is_handed_over_at_the_hold_limit_and_a_repeat_attaches_to_it(
    house: House, era: str
) -> None:
    await house.furnish(hold_seconds=0)  # and so without rounds
    house.placet.start()
    async with house.agent(era) as agent, house.person("bob") as bob:
        handed_over = await agent.call_tool(NOTE, {"note": "once"})
        assert not handed_over.is_error
        assert "This is not a failure, and nothing has been executed" in text_of(handed_over)
        pending = handed_over.structured_content
        assert (pending["status"], pending["executed"]) == ("pending", False)
        assert pending["next_tool"] == AWAIT
        ticket = await house.ticket(note="once")
        assert pending["ticket_id"] == str(ticket.uid)

        still = await agent.call_tool(AWAIT, {"ticket_id": pending["ticket_id"]})
        assert still.structured_content["status"] == "pending"

        repeated = await agent.call_tool(NOTE, {"note": "once"})
        assert repeated.structured_content["ticket_id"] == str(ticket.uid)
        assert "one execution for 2 requests" in text_of(repeated)

        # Decided while nobody is connected: a handed-over ticket waits for its agent.
        await bob.decide(ticket.uid, "approve")
        await house.reaches(ticket.uid, "succeeded")
        result = await agent.call_tool(AWAIT, {"ticket_id": pending["ticket_id"]})
        assert result.content[0].text == "noted"
        assert "executed once" in text_of(result)
    assert house.notes() == ["once"]


async def test_nobody_is_asked_about_the_call_of_an_agent_that_died(house: House) -> None:
    await house.furnish(grace_seconds=1)
    house.placet.start()
    async with house.person("bob") as bob:
        processes = {era: a_lonely_agent(house, era) for era in ERAS}
        tickets = {era: await house.ticket(note=era) for era in ERAS}
        for process in processes.values():
            await asyncio.to_thread(process.kill)
        for era in ERAS:
            gone = await house.reaches(tickets[era].uid, "cancelled")
            assert gone.cancel_reason == "agent_gone"
            assert not await bob.may_decide(gone.uid)
        async with house.agent("modern") as agent:
            later = await agent.call_tool(AWAIT, {"ticket_id": str(tickets["legacy"].uid)})
            assert "nobody waited for it any more" in text_of(later)
    assert house.notes() == []


def a_lonely_agent(house: House, era: str) -> Running:
    """An agent in a process of its own, which asks for a note named after its era."""
    return Running(
        [sys.executable, "-m", "tests.support.lonely_agent", house.placet.url, era, NOTE, era],
        log=house.placet.folder / f"agent-{era}.log",
        env={**house.placet.env, "AGENT_TOKEN": house.secret},
    )


@pytest.mark.both_engines
async def test_an_agent_at_another_web_process_shares_the_ticket_and_its_one_execution(
    house: House,
) -> None:
    await house.furnish()
    house.placet.start()
    house.placet.start_worker()
    _, second = await asyncio.to_thread(house.placet.start_second_web)
    async with (
        house.agent("modern") as one,
        house.agent("legacy", url=second) as two,
        house.person("bob") as bob,
    ):
        calls = [asyncio.create_task(agent.call_tool(NOTE, {"note": "shared"})) for agent in (one,)]
        ticket = await house.ticket(note="shared")
        calls.append(asyncio.create_task(two.call_tool(NOTE, {"note": "shared"})))
        await house.counts(ticket.uid, requests=2)
        await bob.decide(ticket.uid, "approve")
        for calling in calls:
            assert "one execution for 2 requests" in (await told(calling))
    assert house.notes() == ["shared"]
