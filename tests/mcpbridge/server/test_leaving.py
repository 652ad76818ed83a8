"""Agents that leave, repeat themselves or are stopped, over the real ledger and real sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from approvals import api
from approvals.models import Ticket
from mcpbridge.models import CallCompletion
from mcpbridge.offload import in_database
from mcpbridge.server import road
from tests.mcpbridge.server.test_journeys import approve_and_execute, decide, open_ticket, text_of
from tests.support.bridge import Bridge
from tests.support.face import ERAS, MODERN, ServedFace, modern_body
from tests.support.plain_http import http_client
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

NOTE = {"name": "witness__write_note", "arguments": {"note": "x"}}
AT_ONCE = 12.0  # seconds: before a keep-alive, after 15, could tell that somebody has left
SLOW = {"name": "witness__slow", "arguments": {"seconds": 20}}


async def row(ticket: Ticket) -> Ticket:
    return await in_database(Ticket.objects.get, pk=ticket.pk)


def modern_stream(face: ServedFace, http: httpx2.AsyncClient, call: dict[str, Any]) -> Any:
    headers = face.headers(
        mcp_protocol_version=MODERN, mcp_method="tools/call", mcp_name=call["name"]
    )
    params = {**call, "_meta": {"progressToken": 1}}
    return http.stream(
        "POST",
        face.origin + "/mcp",
        content=json.dumps(modern_body("tools/call", params)).encode(),
        headers=headers,
    )


async def test_closing_the_stream_begins_the_grace_period(
    face: ServedFace, witness: Witness
) -> None:
    async with http_client(timeout=20) as http, modern_stream(face, http, NOTE) as answer:
        assert answer.status_code == 200
        ticket = await open_ticket()
    await eventually_async(lambda: is_left(ticket), within=AT_ONCE)
    assert (await row(ticket)).state == "pending"
    assert witness.calls() == []


async def is_left(ticket: Ticket) -> bool:
    return (await row(ticket)).detached_at is not None


async def is_cancelled(ticket: Ticket, reason: str) -> bool:
    now = await row(ticket)
    return now.state == "cancelled" and now.cancel_reason == reason


async def test_a_cancelled_call_of_the_official_modern_client_is_left(face: ServedFace) -> None:
    async with face.agent("modern") as agent:
        calling = asyncio.create_task(agent.call_tool(**NOTE))
        ticket = await open_ticket()
        calling.cancel()
        await eventually_async(lambda: is_left(ticket), within=AT_ONCE)


async def test_a_cancelled_call_of_the_official_older_client_is_withdrawn(
    face: ServedFace,
) -> None:
    async with face.agent("legacy") as agent:
        calling = asyncio.create_task(agent.call_tool(**NOTE))
        ticket = await open_ticket()
        calling.cancel()
        await eventually_async(lambda: is_cancelled(ticket, "withdrawn"), within=AT_ONCE)


async def test_a_call_that_the_official_older_client_gave_up_waits_for_it_to_come_back(
    face: ServedFace,
) -> None:
    async with face.agent("legacy") as agent:
        with pytest.raises(MCPError):
            await agent.call_tool(**NOTE, read_timeout_seconds=1)
        found = await in_database(Ticket.objects.get)
        await eventually_async(lambda: is_left(found), within=AT_ONCE)
        again = asyncio.create_task(agent.call_tool(**NOTE))
        await eventually_async(lambda: has_requests(found, 2))
        now = await row(found)
        assert (now.state, now.detached_at) == ("pending", None)
        again.cancel()


async def test_a_lost_connection_of_an_older_client_begins_the_grace_period(
    face: ServedFace,
) -> None:
    async with face.agent("legacy") as agent:
        calling = asyncio.create_task(agent.call_tool(**NOTE))
        ticket = await open_ticket()
        session = agent.session
        assert session is not None
        headers = face.headers(mcp_session_id=await session_of(face))
        async with http_client(timeout=20) as http:
            body = {"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": NOTE}
            async with http.stream(
                "POST", face.origin + "/mcp", content=json.dumps(body).encode(), headers=headers
            ):
                await eventually_async(lambda: has_requests(ticket, 2))
        # The first request still waits, so nothing is detached.
        await asyncio.sleep(0.2)
        assert (await row(ticket)).detached_at is None
        calling.cancel()
        await eventually_async(lambda: is_cancelled(ticket, "withdrawn"), within=AT_ONCE)


async def has_requests(ticket: Ticket, requests: int) -> bool:
    return (await row(ticket)).requests == requests


async def session_of(face: ServedFace) -> str:
    manager = await face.face.sessions.manager()
    return next(iter(manager._server_instances))


async def test_a_session_that_is_deleted_leaves_its_call_the_grace_period(
    face: ServedFace,
) -> None:
    async with face.agent("legacy") as agent:
        calling = asyncio.create_task(agent.call_tool(**NOTE))
        ticket = await open_ticket()
        headers = face.headers(mcp_session_id=await session_of(face))
        async with http_client() as http:
            await http.delete(face.origin + "/mcp", headers=headers)

        async def is_detached() -> bool:
            return (await row(ticket)).detached_at is not None

        await eventually_async(is_detached, within=AT_ONCE)
        assert (await row(ticket)).state == "pending"
        calling.cancel()
        await asyncio.wait({calling})


@pytest.mark.parametrize("era", ERAS)
async def test_a_repeat_attaches_and_both_requests_hear_of_one_execution(
    face: ServedFace, bridge: Bridge, witness: Witness, era: str
) -> None:
    async with face.agent(era) as one, face.agent(era) as two:
        first = asyncio.create_task(one.call_tool(**NOTE))
        ticket = await open_ticket()
        second = asyncio.create_task(two.call_tool(**NOTE))
        await eventually_async(lambda: has_requests(ticket, 2))
        await approve_and_execute(await row(ticket), bridge.cast.bob)
        results = await asyncio.wait_for(asyncio.gather(first, second), PATIENCE)
    assert all("one execution for 2 requests" in text_of(result) for result in results)
    assert len(witness.calls()) == 1


async def test_one_request_that_leaves_does_not_withdraw_what_another_waits_for(
    face: ServedFace, bridge: Bridge
) -> None:
    async with face.agent("modern") as agent:
        staying = asyncio.create_task(agent.call_tool(**NOTE))
        ticket = await open_ticket()
        async with http_client(timeout=20) as http, modern_stream(face, http, NOTE):
            await eventually_async(lambda: has_requests(ticket, 2))
        await eventually_async(lambda: len(face.face.waiters) == 1)
        assert (await row(ticket)).state == "pending"
        await decide(await row(ticket), bridge.cast.bob, "reject")
        assert "Rejected" in text_of(await asyncio.wait_for(staying, PATIENCE))


async def test_an_idempotency_key_with_other_arguments_is_an_error(face: ServedFace) -> None:
    meta = {"placet/idempotency-key": "once"}
    async with face.agent("modern") as agent:
        first = asyncio.create_task(agent.call_tool(**NOTE, meta=meta))
        ticket = await open_ticket()
        other = {"name": "witness__write_note", "arguments": {"note": "y"}}
        with pytest.raises(MCPError) as caught:
            await agent.call_tool(**other, meta=meta)
        assert caught.value.error.data == {"reason": "idempotency_key_reused"}
        first.cancel()
        await eventually_async(lambda: is_left(ticket), within=AT_ONCE)


@pytest.mark.parametrize("era", ERAS)
async def test_the_kill_switch_ends_held_calls_and_refuses_new_ones(
    face: ServedFace, bridge: Bridge, witness: Witness, era: str
) -> None:
    async with face.agent(era) as agent:
        held = asyncio.create_task(agent.call_tool(**NOTE))
        await open_ticket()
        await in_database(make_admin, bridge)
        await in_database(api.kill, user=bridge.cast.carol)
        ended = await asyncio.wait_for(held, PATIENCE)
        refused = await agent.call_tool(**NOTE)
        allowed = await agent.call_tool("witness__echo", {"text": "x"})
    assert "an operator stopped all calls" in text_of(ended)
    for result in (refused, allowed):
        assert result.is_error
        assert "stopped all calls" in text_of(result)
    assert witness.calls() == []


def make_admin(bridge: Bridge) -> None:
    person = bridge.cast.carol.person
    person.is_admin = True
    person.save(update_fields=["is_admin"])


async def test_closing_the_stream_of_an_allowed_call_aborts_it(
    face: ServedFace, witness: Witness
) -> None:
    async with http_client(timeout=20) as http, modern_stream(face, http, SLOW) as answer:
        assert answer.status_code == 200
        await eventually_async(witness.calls)

    async def completion() -> CallCompletion | None:
        return await in_database(CallCompletion.objects.first)

    found = await eventually_async(completion)
    assert (found.status, found.reason) == ("unknown", "aborted")


async def test_leaving_while_the_call_is_being_enforced_leaves_its_ticket_too(
    face: ServedFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, release = asyncio.Event(), asyncio.Event()
    original = road.enforce

    async def slowly(*args: Any, **kwargs: Any) -> Any:
        entered.set()
        await release.wait()
        return await original(*args, **kwargs)

    monkeypatch.setattr(road, "enforce", slowly)
    headers = face.headers(
        mcp_protocol_version=MODERN, mcp_method="tools/call", mcp_name=NOTE["name"]
    )
    posting = asyncio.create_task(face.post(modern_body("tools/call", NOTE), headers=headers))
    await asyncio.wait_for(entered.wait(), PATIENCE)
    posting.cancel()
    await eventually_async(lambda: face.face.capacity.in_flight == 0)
    release.set()
    found = await eventually_async(lambda: in_database(lambda: list(Ticket.objects.all())))
    await eventually_async(lambda: is_left(found[0]), within=AT_ONCE)
