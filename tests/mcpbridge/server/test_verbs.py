"""What people do at their desk, by the pages alone, and what the agent receives of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals import api
from approvals.models import Ticket, User
from approvals.services.escalation import escalate_due
from mcpbridge.calls.dispositions import DISPOSITION_KEY
from mcpbridge.executor.tickets import run_ticket
from mcpbridge.offload import in_database
from tests.mcpbridge.server.test_journeys import open_ticket, text_of
from tests.support.bridge import Bridge
from tests.support.desk import Desk
from tests.support.face import ServedFace
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

NOTE = "witness__write_note"


@dataclass
class Call:
    """A paused call of an agent that waits for its answer."""

    ticket: Ticket
    answer: asyncio.Task[Any]
    witness: Witness

    async def runs(self) -> None:
        """A worker looks at the ticket."""
        await run_ticket(self.ticket.uid, worker="test")

    async def told(self) -> tuple[str, str]:
        """What the agent receives: the disposition, and the words."""
        result = await asyncio.wait_for(self.answer, PATIENCE)
        return result.meta[DISPOSITION_KEY], text_of(result)

    async def ran(self, note: str) -> str:
        """A worker runs it, once and with this note, and its agent reads so: the words."""
        await self.runs()
        disposition, words = await self.told()
        assert (disposition, self.sent()) == ("approved-executed", [note])
        return words

    def sent(self) -> list[str]:
        """The notes that reached the upstream."""
        return [call["arguments"]["note"] for call in self.witness.calls()]


@pytest.fixture
async def desks(bridge: Bridge) -> dict[str, Desk]:
    """Everybody, signed in."""
    cast = bridge.cast
    users = {"alice": cast.alice, "bob": cast.bob, "carol": cast.carol, "charlie": cast.charlie}
    return {name: await in_database(Desk, user) for name, user in users.items()}


@asynccontextmanager
async def calling(face: ServedFace, witness: Witness) -> AsyncIterator[Call]:
    """An agent that calls once and waits."""
    async with face.agent("modern") as agent:
        answer = asyncio.create_task(agent.call_tool(NOTE, {"note": "x"}))
        yield Call(ticket=await open_ticket(), answer=answer, witness=witness)


async def policy(**obligations: Any) -> None:
    await in_database(api.publish_policy, document={"rules": [], "defaults": obligations})


async def group(slug: str, *users: User) -> Any:
    key = await in_database(api.ensure_group, slug=slug, name=slug.title())
    await in_database(api.set_members, group=slug, people=[user.person_id for user in users])
    return key


def together(*users: User) -> None:
    """These people are in one team."""
    api.ensure_team(slug="together", name="Together")
    api.set_members(team="together", people=[user.person_id for user in users])


async def test_a_quorum_of_two_runs_once_both_agree_and_a_vote_taken_back_is_none(
    face: ServedFace, witness: Witness, desks: dict[str, Desk]
) -> None:
    await policy(quorum=2)
    async with calling(face, witness) as call:
        uid = call.ticket.uid
        await in_database(desks["bob"].decide, uid, "approve")
        await in_database(desks["bob"].take_back, uid)
        await in_database(desks["carol"].decide, uid, "approve")
        await call.runs()
        assert call.sent() == []
        await in_database(desks["bob"].decide, uid, "approve", reason="Seen.")
        assert "executed once" in await call.ran("x")


async def test_a_call_that_two_groups_have_to_approve_runs_once_both_did(
    face: ServedFace, witness: Witness, bridge: Bridge, desks: dict[str, Desk]
) -> None:
    await group("legal", bridge.cast.carol)
    await group("tech", bridge.cast.bob)
    await policy(quorums=[{"group": "legal"}, {"group": "tech"}])
    async with calling(face, witness) as call:
        await in_database(desks["bob"].decide, call.ticket.uid, "approve")
        await call.runs()
        assert call.sent() == []
        await in_database(desks["carol"].decide, call.ticket.uid, "approve")
        await call.ran("x")


async def test_a_stand_in_approves_for_whoever_is_away_and_the_agent_gets_its_result(
    face: ServedFace, witness: Witness, bridge: Bridge, desks: dict[str, Desk]
) -> None:
    cast = bridge.cast
    legal = await group("legal", cast.bob)
    await group("others", cast.carol)
    await in_database(together, cast.bob, cast.carol)
    await policy(groups=["legal"])
    tomorrow = timezone.now() + timedelta(days=1)
    await in_database(desks["bob"].go_away, until=tomorrow, stand_in=cast.carol, group=legal)
    async with calling(face, witness) as call:
        await in_database(desks["carol"].decide, call.ticket.uid, "approve")
        await call.ran("x")


@pytest.mark.parametrize("verdict", ["approve", "reject"])
async def test_a_call_that_nobody_decided_on_is_decided_by_the_second_group(
    face: ServedFace, witness: Witness, bridge: Bridge, desks: dict[str, Desk], verdict: str
) -> None:
    await group("duty", bridge.cast.charlie)
    await policy(escalate={"to": "duty", "after_seconds": 1})
    async with calling(face, witness) as call:
        uid = call.ticket.uid
        assert await in_database(desks["charlie"].status, f"/tickets/{uid}/") == 404
        await eventually_async(lambda: in_database(escalate_due))
        await in_database(desks["charlie"].decide, uid, verdict, reason="At night.")
        await call.runs()
        disposition, words = await call.told()
    if verdict == "approve":
        assert (disposition, call.sent()) == ("approved-executed", ["x"])
    else:
        assert (disposition, call.sent()) == ("denied-not-executed", [])
        assert "At night." in words


async def test_an_approval_that_is_revoked_before_the_send_reaches_only_the_agent(
    face: ServedFace, witness: Witness, desks: dict[str, Desk]
) -> None:
    async with calling(face, witness) as call:
        await in_database(desks["bob"].decide, call.ticket.uid, "approve")
        await in_database(desks["carol"].revoke, call.ticket.uid)
        await call.runs()
        disposition, words = await call.told()
    assert disposition == "denied-not-executed"
    assert "its approval was taken back before it was sent" in words
    assert "Nothing was executed" in words
    assert call.sent() == []


async def test_a_call_that_was_edited_needs_new_votes_and_its_agent_reads_what_ran(
    face: ServedFace, witness: Witness, desks: dict[str, Desk]
) -> None:
    await policy(quorum=2)
    async with calling(face, witness) as call:
        uid = call.ticket.uid
        await in_database(desks["bob"].decide, uid, "approve")
        await in_database(desks["carol"].edit, uid, '{"note": "y"}')
        await in_database(desks["carol"].decide, uid, "approve")
        await call.runs()
        assert call.sent() == []
        await in_database(desks["bob"].decide, uid, "approve")
        assert "edited the arguments first (changed: /note)" in await call.ran("y")


async def test_a_flood_is_rejected_and_its_agent_learns_that_it_is_paused(
    face: ServedFace, witness: Witness, bridge: Bridge, desks: dict[str, Desk]
) -> None:
    async with face.agent("modern") as agent:
        answer = asyncio.create_task(agent.call_tool(NOTE, {"note": "again"}))
        await open_ticket()
        await in_database(desks["bob"].reject_flood, bridge.agent.pk)
        rejected = await asyncio.wait_for(answer, PATIENCE)
        refused = await agent.call_tool(NOTE, {"note": "and again"})
    assert "Stop." in text_of(rejected)
    assert refused.meta[DISPOSITION_KEY] == "denied-not-executed"
    assert "paused this agent" in text_of(refused)
    assert witness.calls() == []


async def test_what_people_say_to_each_other_reaches_no_agent(
    face: ServedFace, witness: Witness, bridge: Bridge, desks: dict[str, Desk]
) -> None:
    async with calling(face, witness) as call:
        uid = call.ticket.uid
        await in_database(desks["bob"].say, uid, "question", "hush: why today?")
        await in_database(desks["alice"].say, uid, "answer", "hush: the disk is full")
        await in_database(desks["bob"].hand_to, uid, bridge.cast.carol, "hush: yours")
        await in_database(desks["carol"].decide, uid, "approve")
        await call.runs()
        result = await asyncio.wait_for(call.answer, PATIENCE)
    assert result.meta[DISPOSITION_KEY] == "approved-executed"
    assert "hush" not in result.model_dump_json()
