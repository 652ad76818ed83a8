"""Whole calls through the face: the official client, the real ledger, a real upstream."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from mcp.client.client import Client

from approvals import api
from approvals.models import Ticket, User
from mcpbridge.calls.dispositions import DISPOSITION_KEY
from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.calls.wording import TICKET_KEY
from mcpbridge.executor.tickets import run_ticket
from mcpbridge.models import CallRecord
from mcpbridge.offload import in_database
from tests.support.bridge import Bridge
from tests.support.face import ERAS, ServedFace
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

pytestmark = pytest.mark.both_engines


async def open_ticket() -> Ticket:
    """The one open ticket, as soon as it stands."""
    found = await eventually_async(
        lambda: in_database(lambda: list(Ticket.objects.filter(ended_at=None)))
    )
    assert len(found) == 1
    return found[0]


async def decide(ticket: Ticket, user: User, verdict: str, reason: str = "") -> None:
    await in_database(
        api.decide,
        uid=ticket.uid,
        user=user,
        verdict=api.Answer(verdict),
        seen_digest=bytes(ticket.digest),
        reason=reason,
        nonce=secrets.token_hex(16),
    )


async def approve_and_execute(ticket: Ticket, user: User) -> None:
    await decide(ticket, user, "approve")
    await run_ticket(ticket.uid, worker="test")


def text_of(result: Any) -> str:
    return "\n".join(part.text for part in result.content)


@pytest.mark.parametrize("era", ERAS)
async def test_an_allowed_call_is_recorded_and_answered(
    face: ServedFace, witness: Witness, era: str
) -> None:
    async with face.agent(era) as agent:
        result = await agent.call_tool("witness__echo", {"text": "hello"})
    assert "hello" in text_of(result)
    assert not result.is_error
    records = await in_database(lambda: list(CallRecord.objects.all()))
    assert [record.tool_name for record in records] == ["echo"]
    assert [call["tool"] for call in witness.calls()] == ["echo"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_held_call_is_answered_with_the_result_once_approved(
    face: ServedFace, witness: Witness, bridge: Bridge, era: str
) -> None:
    async with face.agent(era) as agent:
        calling = asyncio.create_task(agent.call_tool("witness__write_note", {"note": "buy milk"}))
        ticket = await open_ticket()
        assert witness.calls() == []
        await approve_and_execute(ticket, bridge.cast.bob)
        result = await asyncio.wait_for(calling, PATIENCE)
    assert not result.is_error
    assert result.meta is not None
    assert result.meta[DISPOSITION_KEY] == "approved-executed"
    assert result.meta[TICKET_KEY] == str(ticket.uid)
    assert len(witness.calls()) == 1
    await eventually_async(
        lambda: in_database(lambda: Ticket.objects.get(pk=ticket.pk).delivered_at is not None),
    )


@pytest.mark.parametrize("era", ERAS)
async def test_a_rejection_reaches_the_agent_with_its_reason(
    face: ServedFace, witness: Witness, bridge: Bridge, era: str
) -> None:
    async with face.agent(era) as agent:
        calling = asyncio.create_task(agent.call_tool("witness__write_note", {"note": "x"}))
        await decide(await open_ticket(), bridge.cast.carol, "reject", "not on a Friday")
        result = await asyncio.wait_for(calling, PATIENCE)
    assert result.is_error
    assert "Rejected" in text_of(result)
    assert "not on a Friday" in text_of(result)
    assert witness.calls() == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_denied_call_says_so_and_reaches_nobody(
    face: ServedFace, witness: Witness, era: str
) -> None:
    async with face.agent(era) as agent:
        result = await agent.call_tool("witness__big", {"n": 1})
    assert result.is_error
    assert "Denied by policy" in text_of(result)
    assert witness.calls() == []


@pytest.mark.parametrize("era", ERAS)
async def test_the_list_shows_what_this_agent_may_use_and_how_to_wait(
    face: ServedFace, era: str
) -> None:
    async with face.agent(era) as agent:
        listed = await agent.list_tools()
    names = {tool.name for tool in listed.tools}
    assert {"witness__echo", "witness__write_note", AWAIT_TICKET} <= names
    assert "witness__big" not in names


@pytest.mark.parametrize("era", ERAS)
async def test_one_upstream_keeps_its_tools_own_names(face: ServedFace, era: str) -> None:
    async with face.agent(era, path="/mcp/u/witness") as agent:
        names = {tool.name for tool in (await agent.list_tools()).tools}
        result = await agent.call_tool("echo", {"text": "short"})
    assert {"echo", AWAIT_TICKET} <= names
    assert "short" in text_of(result)


@pytest.mark.parametrize("era", ERAS)
async def test_progress_says_at_once_who_is_waited_for(
    face: ServedFace, bridge: Bridge, era: str
) -> None:
    said: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        said.append(message or "")

    async with face.agent(era) as agent:
        calling = asyncio.create_task(
            agent.call_tool("witness__write_note", {"note": "x"}, progress_callback=hear)
        )
        ticket = await open_ticket()
        await eventually_async(lambda: said)
        await decide(ticket, bridge.cast.bob, "reject")
        await asyncio.wait_for(calling, PATIENCE)
    assert "Reviewers" in said[0]
    assert f"/tickets/{ticket.uid}/" in said[0]


@pytest.mark.parametrize("era", ERAS)
async def test_progress_of_an_allowed_call_is_forwarded(face: ServedFace, era: str) -> None:
    seen: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with face.agent(era) as agent:
        result = await agent.call_tool("witness__slow", {"seconds": 0.3}, progress_callback=hear)
    assert not result.is_error
    assert seen == sorted(seen)
    assert seen


@pytest.mark.parametrize("era", ERAS)
async def test_at_the_hold_limit_the_agent_learns_how_to_wait_on(
    face: ServedFace, bridge: Bridge, witness: Witness, era: str
) -> None:
    await in_database(hold_for, bridge, 0)  # shorter than a round
    async with face.agent(era) as agent:
        result = await agent.call_tool("witness__write_note", {"note": "later"})
        assert not result.is_error
        told = result.structured_content
        assert told is not None
        assert told["status"] == "pending"
        assert told["executed"] is False
        ticket = await open_ticket()
        assert told["ticket_id"] == str(ticket.uid)
        waiting = asyncio.create_task(wait_to_the_end(agent, told["ticket_id"]))
        await approve_and_execute(ticket, bridge.cast.bob)
        outcome = await asyncio.wait_for(waiting, 30)
    assert not outcome.is_error
    assert "executed once" in text_of(outcome)
    assert len(witness.calls()) == 1


async def wait_to_the_end(agent: Client, ticket_id: str) -> Any:
    """What an agent does that is told to come back: come back until it is over."""
    while True:
        result = await agent.call_tool(AWAIT_TICKET, {"ticket_id": ticket_id})
        if (result.structured_content or {}).get("status") != "pending":
            return result


def hold_for(bridge: Bridge, seconds: int) -> None:
    bridge.agent.hold_seconds = seconds
    bridge.agent.save(update_fields=["hold_seconds"])
