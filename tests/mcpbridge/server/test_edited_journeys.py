"""What an agent receives when reviewers edit its call."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import pytest

from approvals.models import Ticket, User
from approvals.services import editing
from mcpbridge.calls.dispositions import DISPOSITION_KEY
from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.calls.wording import EDITED_KEY
from mcpbridge.executor.tickets import run_ticket
from mcpbridge.offload import in_database
from tests.mcpbridge.server.test_journeys import decide, open_ticket, text_of
from tests.support.bridge import Bridge
from tests.support.face import ERAS, ServedFace
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

ASKED, EDITED = "delete everything", "délete nothing"


async def edit(ticket: Ticket, user: User, note: str, *, approve: bool = False) -> None:
    await in_database(
        editing.edit_arguments,
        uid=ticket.uid,
        user=user,
        raw=json.dumps({"note": note}).encode(),
        seen_digest=bytes(ticket.digest),
        reason="",
        nonce=secrets.token_hex(8),
        approve=approve,
    )


def arguments_of(witness: Witness) -> list[Any]:
    return [call["arguments"] for call in witness.calls()]


@pytest.mark.parametrize("era", ERAS)
async def test_an_agent_reads_which_arguments_ran_and_the_upstream_got_exactly_those(
    face: ServedFace, witness: Witness, bridge: Bridge, era: str
) -> None:
    async with face.agent(era) as agent:
        calling = asyncio.create_task(agent.call_tool("witness__write_note", {"note": ASKED}))
        ticket = await open_ticket()
        await edit(ticket, bridge.cast.bob, EDITED, approve=True)
        await run_ticket(ticket.uid, worker="test")
        result = await asyncio.wait_for(calling, PATIENCE)
    assert not result.is_error
    assert arguments_of(witness) == [{"note": EDITED}]
    assert "edited the arguments first (changed: /note)" in text_of(result)
    assert EDITED in text_of(result)
    assert result.meta is not None
    assert result.meta[EDITED_KEY] == {"changed": ["/note"], "arguments": {"note": EDITED}}
    assert result.meta[DISPOSITION_KEY] == "approved-executed"


async def test_an_agent_that_comes_back_reads_of_the_edit_before_and_after_the_decision(
    face: ServedFace, witness: Witness, bridge: Bridge
) -> None:
    async with face.agent("modern") as agent:
        calling = asyncio.create_task(agent.call_tool("witness__write_note", {"note": ASKED}))
        ticket = await open_ticket()
        await edit(ticket, bridge.cast.bob, EDITED)
        repeated = asyncio.create_task(agent.call_tool("witness__write_note", {"note": ASKED}))
        await eventually_async(
            lambda: in_database(lambda: Ticket.objects.get(pk=ticket.pk).requests == 2)
        )
        fresh = await in_database(Ticket.objects.get, pk=ticket.pk)
        await decide(fresh, bridge.cast.carol, "approve")
        await run_ticket(ticket.uid, worker="test")
        results = await asyncio.wait_for(asyncio.gather(calling, repeated), PATIENCE)
        awaited = await agent.call_tool(AWAIT_TICKET, {"ticket_id": str(ticket.uid)})
    assert arguments_of(witness) == [{"note": EDITED}], "one execution, of the edited call"
    for result in (*results, awaited):
        assert "edited the arguments first" in text_of(result)
        assert result.meta[EDITED_KEY]["arguments"] == {"note": EDITED}
