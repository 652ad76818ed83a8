"""Standing permissions as the agent meets them: nobody is asked again, until somebody is."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from approvals import api
from approvals.domain.pins import Terms
from approvals.models import Ticket, User
from approvals.selectors.grants import session_of
from approvals.services.decisions import decide
from approvals.services.grants import GrantRefused, Wanted
from mcpbridge.executor.tickets import run_ticket
from mcpbridge.offload import in_database
from tests.mcpbridge.server.test_journeys import open_ticket, text_of
from tests.support.bridge import Bridge
from tests.support.desk import Desk
from tests.support.face import ServedFace
from tests.support.waiting import PATIENCE
from tests.support.witness import Witness

pytestmark = pytest.mark.requirement("grant-journeys")
NOTE = "witness__write_note"


async def grant(ticket: Ticket, user: User) -> api.Decided:
    """Approve the call and agree to two more like it in its session, whatever the note says."""
    return await in_database(
        decide,
        uid=ticket.uid,
        user=user,
        verdict=api.Answer.APPROVE,
        seen_digest=bytes(ticket.digest),
        reason="",
        nonce=secrets.token_hex(16),
        grant=Wanted(terms=Terms(session_only=True, free=("/note",), max_uses=2, seconds=600)),
    )


async def test_a_permission_lets_the_next_call_through_and_its_revocation_asks_again(
    face: ServedFace, witness: Witness, bridge: Bridge
) -> None:
    bob = await in_database(Desk, bridge.cast.bob)
    async with face.agent("modern") as agent:
        calling = asyncio.create_task(agent.call_tool(NOTE, {"note": "one"}))
        ticket = await open_ticket()
        assert await in_database(session_of, ticket) == ""
        with pytest.raises(GrantRefused, match="in no session"):
            await grant(ticket, bridge.cast.bob)
        given = await in_database(bob.permit, ticket.uid, free="/note", uses=3)
        await run_ticket(ticket.uid, worker="test")
        assert not (await asyncio.wait_for(calling, PATIENCE)).is_error

        calling = asyncio.create_task(agent.call_tool(NOTE, {"note": "two"}))
        again = await open_ticket()
        assert (again.grant_id, again.state) == (given.pk, "approved")
        await run_ticket(again.uid, worker="test")
        told = await asyncio.wait_for(calling, PATIENCE)
        assert "Allowed by a standing permission" in text_of(told)
        assert len(witness.calls()) == 2

        calling = asyncio.create_task(agent.call_tool(NOTE, {"note": "three"}))
        unsent = await open_ticket()
        await in_database(bob.revoke_grant, given)
        told = await asyncio.wait_for(calling, PATIENCE)
        assert "the standing permission behind it was revoked" in text_of(told)
        assert (await in_database(Ticket.objects.get, pk=unsent.pk)).state == "cancelled"

        calling = asyncio.create_task(agent.call_tool(NOTE, {"note": "four"}))
        assert (await open_ticket()).state == "pending"
        calling.cancel()
    assert len(witness.calls()) == 2


async def test_a_permission_for_a_session_ends_with_it(
    face: ServedFace, witness: Witness, bridge: Bridge
) -> None:
    async with face.agent("legacy") as agent:
        calling = asyncio.create_task(agent.call_tool(NOTE, {"note": "one"}))
        ticket = await open_ticket()
        assert await in_database(session_of, ticket)
        await grant(ticket, bridge.cast.bob)
        await run_ticket(ticket.uid, worker="test")
        await asyncio.wait_for(calling, PATIENCE)
        calling = asyncio.create_task(agent.call_tool(NOTE, {"note": "two"}))
        again = await open_ticket()
        assert again.state == "approved"
        await run_ticket(again.uid, worker="test")
        await asyncio.wait_for(calling, PATIENCE)
    async with face.agent("legacy") as agent:
        calling = asyncio.create_task(agent.call_tool(NOTE, {"note": "three"}))
        assert (await open_ticket()).state == "pending"
        calling.cancel()
    assert len(witness.calls()) == 2
