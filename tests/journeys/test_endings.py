"""Every ending of a call, as the official client of both eras is told it, over real processes."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.support.bridge import ALLOW_ECHO, DENY_BIG
from tests.support.face import ERAS
from tests.support.house import NOTE, House, text_of, told
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.timeout(180)

# How long people think before they approve, in seconds. The story is the same with 20.
THINKING = float(os.environ.get("JOURNEY_THINKING_SECONDS", "3"))
HURRIED = {
    "name": "decided within seconds",
    "tool": "count",
    "effect": "require_approval",
    "obligations": {"approval_seconds": 2},
}


@pytest.mark.parametrize("era", ERAS)
async def test_every_ending_is_told_as_it_is_and_only_what_was_approved_is_executed(
    house: House, era: str
) -> None:
    house.rules = (ALLOW_ECHO, DENY_BIG, HURRIED)
    await house.furnish(grace_seconds=2)
    house.placet.start()
    async with (
        house.agent(era) as agent,
        house.person("bob") as bob,
        house.person("alice") as alice,
    ):
        assert "hello" in text_of(await agent.call_tool("witness__echo", {"text": "hello"}))
        denied = await agent.call_tool("witness__big", {"n": 1})
        assert denied.is_error
        assert "Denied by policy" in text_of(denied)

        words = ("approve", "reject", "owner", "withdraw")
        calls = {word: asyncio.create_task(agent.call_tool(NOTE, {"note": word})) for word in words}
        hurried = asyncio.create_task(agent.call_tool("witness__count", {}))
        tickets = {word: await house.ticket(note=word, calling=calls[word]) for word in words}

        await bob.decide(tickets["reject"].uid, "reject", reason="not on a Friday")
        rejected = await asyncio.wait_for(calls["reject"], PATIENCE)
        assert rejected.is_error
        assert "Rejected" in text_of(rejected)
        assert "not on a Friday" in text_of(rejected)

        await alice.cancel(tickets["owner"].uid)
        assert "the agent's owner withdrew it" in await told(calls["owner"])

        calls["withdraw"].cancel()
        await asyncio.wait({calls["withdraw"]})
        withdrawn = await house.reaches(tickets["withdraw"].uid, "cancelled")
        # A closed stream may only mean lost patience, so a modern agent has time to come back.
        expected = "withdrawn" if era == "legacy" else "agent_gone"
        assert withdrawn.cancel_reason == expected
        later = await agent.call_tool(
            "placet__await_ticket", {"ticket_id": str(tickets["withdraw"].uid)}
        )
        said = {
            "withdrawn": "the request was cancelled by its client",
            "agent_gone": "nobody waited for it any more",
        }
        assert said[expected] in text_of(later)

        expired = await told(hurried)
        assert "nobody decided on it before the deadline passed" in expired
        assert "Nothing was executed" in expired

        await asyncio.sleep(THINKING)
        assert not calls["approve"].done()
        await bob.decide(tickets["approve"].uid, "approve")
        approved = await asyncio.wait_for(calls["approve"], PATIENCE)
        assert not approved.is_error
        assert next(part.text for part in approved.content) == "noted"
        assert "Approved by a person and executed once" in text_of(approved)

        assert not await bob.may_decide(tickets["withdraw"].uid)
    assert [call["tool"] for call in house.witness.calls()] == ["echo", "write_note"]
    assert house.notes() == ["approve"]
