"""Rounds of a held call: at the limit the same request is asked for again, once per state."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from approvals.models import Ticket
from mcpbridge.administration import issue_token
from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.models import RedeemedState
from mcpbridge.offload import in_database
from mcpbridge.server import rendering, rounds
from tests.mcpbridge.server.test_journeys import (
    approve_and_execute,
    decide,
    hold_for,
    open_ticket,
    text_of,
)
from tests.mcpbridge.server.test_tasks import another_agent
from tests.support.bridge import Bridge
from tests.support.face import ServedFace
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

pytestmark = pytest.mark.both_engines

NOTE = {"name": "witness__write_note", "arguments": {"note": "buy milk"}}


@pytest.fixture(autouse=True)
def shortly(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """robo's calls are held for a moment only."""
    monkeypatch.setattr(rendering, "_SHORTEST_ROUND", 0.0)
    hold_for(bridge, 0)


async def asked(face: ServedFace, params: dict[str, Any]) -> httpx2.Response:
    return await face.modern("tools/call", params)


async def a_state(face: ServedFace, params: dict[str, Any] = NOTE) -> str:
    """The state that asks for the next round of this call."""
    answer = (await asked(face, params)).json()["result"]
    assert answer["resultType"] == "input_required"
    assert "inputRequests" not in answer
    return answer["requestState"]


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    return error["code"], error["data"]["reason"]


async def test_the_official_client_waits_round_after_round_and_gets_the_result(
    face: ServedFace, witness: Witness, bridge: Bridge
) -> None:
    await in_database(hold_for, bridge, 1)
    async with face.agent("modern") as agent:
        calling = asyncio.create_task(agent.call_tool(**NOTE))
        ticket = await open_ticket()
        await eventually_async(lambda: in_database(RedeemedState.objects.exists))
        await approve_and_execute(ticket, bridge.cast.bob)
        result = await asyncio.wait_for(calling, PATIENCE)
    assert not result.is_error
    assert "executed once" in text_of(result)
    assert "requests" not in text_of(result)  # rounds are no repeats
    assert len(witness.calls()) == 1


async def test_after_the_last_round_the_call_is_handed_over_and_waited_for_by_its_ticket(
    face: ServedFace, witness: Witness, bridge: Bridge
) -> None:
    async with face.agent("modern") as agent:
        told = await asyncio.wait_for(agent.call_tool(**NOTE), PATIENCE)
        assert told.structured_content is not None
        assert told.structured_content["status"] == "pending"
        states = await in_database(RedeemedState.objects.count)
        assert states == rendering.MOST_ROUNDS
        ticket = await open_ticket()
        await decide(ticket, bridge.cast.bob, "reject", "no")
        over = await agent.call_tool(AWAIT_TICKET, {"ticket_id": str(ticket.uid)})
    assert "Rejected" in text_of(over)
    assert witness.calls() == []


async def test_waiting_for_a_ticket_goes_round_as_well(face: ServedFace) -> None:
    await a_state(face)
    ticket = await open_ticket()
    waiting = {"name": AWAIT_TICKET, "arguments": {"ticket_id": str(ticket.uid)}}
    state = await a_state(face, waiting)
    assert await a_state(face, {**waiting, "requestState": state}) != state


async def test_between_two_rounds_the_ticket_waits_for_a_short_while_only(
    face: ServedFace,
) -> None:
    await a_state(face)
    ticket = await open_ticket()
    assert ticket.waiting == "handed_over"
    waits = (ticket.waits_until - ticket.created_at).total_seconds()
    assert waits < rounds.GAP_SECONDS + 10


async def test_older_clients_are_handed_over_at_once(face: ServedFace) -> None:
    async with face.agent("legacy") as agent:
        told = await agent.call_tool(**NOTE)
    assert (told.structured_content or {})["status"] == "pending"


# -- refusals -------------------------------------------------------------------------------------


async def test_a_state_is_honoured_once(face: ServedFace, bridge: Bridge) -> None:
    state = await a_state(face)
    await a_state(face, {**NOTE, "requestState": state})
    again = await asked(face, {**NOTE, "requestState": state})
    assert refusal(again) == (-32602, "request_state_used")
    assert (await open_ticket()).requests == 1


async def test_of_two_requests_with_one_state_at_once_exactly_one_is_served(
    face: ServedFace,
) -> None:
    state = await a_state(face)
    answers = await asyncio.gather(
        *(asked(face, {**NOTE, "requestState": state}) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


@pytest.mark.parametrize(
    "changes",
    [
        {"arguments": {"note": "sell milk"}},
        {"name": "witness__echo", "arguments": {"text": "buy milk"}},
        {"requestState": "made-up"},
        {"requestState": ""},
    ],
    ids=["arguments", "tool", "forged", "empty"],
)
async def test_a_state_with_another_request_or_a_forged_one_is_refused(
    face: ServedFace, witness: Witness, changes: dict[str, Any]
) -> None:
    state = await a_state(face)
    before = await open_ticket()
    answer = await asked(face, {**NOTE, "requestState": state, **changes})
    assert refusal(answer) == (-32602, "request_state_invalid")
    assert (await open_ticket()).version == before.version
    assert witness.calls() == []


async def test_a_state_of_another_agent_is_refused_and_still_good_for_its_own(
    face: ServedFace, bridge: Bridge
) -> None:
    state = await a_state(face)
    own, face.secret = face.secret, await in_database(another_agent, bridge)
    answer = await asked(face, {**NOTE, "requestState": state})
    assert refusal(answer) == (-32602, "request_state_invalid")
    face.secret = own
    await a_state(face, {**NOTE, "requestState": state})


async def test_a_state_outlives_its_agents_token(face: ServedFace, bridge: Bridge) -> None:
    state = await a_state(face)
    issued = await in_database(issue_token, actor="system:test", agent=bridge.agent)
    face.secret = issued.secret
    await a_state(face, {**NOTE, "requestState": state})


async def test_a_state_that_comes_too_late_is_refused(
    face: ServedFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "TTL_SECONDS", 0.0)
    state = await a_state(face)
    answer = await asked(face, {**NOTE, "requestState": state})
    assert refusal(answer) == (-32602, "request_state_expired")


async def test_who_gives_up_and_calls_again_finds_the_same_ticket(face: ServedFace) -> None:
    await a_state(face)
    await a_state(face)
    found = await in_database(lambda: list(Ticket.objects.values_list("requests", flat=True)))
    assert found == [2]
