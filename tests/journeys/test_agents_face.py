"""The agents' face under Daphne, with a worker and a broker as processes of their own."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from approvals import api
from approvals.models import Ticket
from mcpbridge import offload
from mcpbridge.administration import issue_token
from mcpbridge.offload import in_database
from tests.support import witness as witnesses
from tests.support.bridge import Bridge, a_bridge
from tests.support.face import ERAS, MODERN, modern_body
from tests.support.live import LivePlacet
from tests.support.plain_http import http_client
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

pytestmark = pytest.mark.timeout(180)

NOTE = {"name": "witness__write_note", "arguments": {"note": "x"}}
AT_ONCE = 12.0  # seconds: before the keep-alive, after 15, could tell that the agent has left


@pytest.fixture
def witness(live_placet: LivePlacet) -> Iterator[Witness]:
    running = witnesses.start(live_placet.folder / "witness")
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def bridge(live_placet: LivePlacet, witness: Witness) -> Iterator[Bridge]:
    yield a_bridge(witness.url)
    offload.shutdown()


@pytest.fixture
def secret(bridge: Bridge) -> str:
    return issue_token(actor="system:test", agent=bridge.agent).secret


@asynccontextmanager
async def an_agent(url: str, secret: str, era: str) -> AsyncIterator[Client]:
    mode = "legacy" if era == "legacy" else "auto"
    headers = {"authorization": f"Bearer {secret}"}
    async with http_client(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


async def open_ticket() -> Ticket:
    found = await eventually_async(
        lambda: in_database(lambda: list(Ticket.objects.filter(ended_at=None)))
    )
    return found[0]


async def decide(ticket: Ticket, bridge: Bridge, verdict: str) -> None:
    now = await in_database(Ticket.objects.get, pk=ticket.pk)
    await in_database(
        api.decide,
        uid=now.uid,
        user=bridge.cast.bob,
        verdict=api.Answer(verdict),
        seen_digest=bytes(now.digest),
        reason="",
        nonce=secrets.token_hex(16),
    )


def text_of(result: Any) -> str:
    return "\n".join(part.text for part in result.content)


@pytest.mark.parametrize("era", ERAS)
async def test_an_approval_is_executed_by_a_worker_and_resumes_the_held_call(
    live_placet: LivePlacet, witness: Witness, bridge: Bridge, secret: str, era: str
) -> None:
    live_placet.start()
    async with an_agent(live_placet.url, secret, era) as agent:
        allowed = await agent.call_tool("witness__echo", {"text": "hello"})
        assert "hello" in text_of(allowed), live_placet.logs()
        calling = asyncio.create_task(agent.call_tool(**NOTE))
        await decide(await open_ticket(), bridge, "approve")
        result = await asyncio.wait_for(calling, PATIENCE)
    assert "executed once" in text_of(result), live_placet.logs()
    assert [call["tool"] for call in witness.calls()] == ["echo", "write_note"]


async def test_daphne_sends_the_headers_of_a_held_call_at_once_and_hears_the_agent_leave(
    live_placet: LivePlacet, bridge: Bridge, secret: str
) -> None:
    live_placet.start(worker=False)
    headers = {
        "authorization": f"Bearer {secret}",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
    }
    async with http_client(timeout=30, headers=headers) as http:
        session = await open_session(http, live_placet.url)
        body = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": NOTE}
        began = time.monotonic()
        async with http.stream(
            "POST", f"{live_placet.url}/mcp", json=body, headers={"mcp-session-id": session}
        ) as held:
            assert held.headers["content-type"].startswith("text/event-stream")
            assert time.monotonic() - began < AT_ONCE
            ticket = await open_ticket()
        await eventually_async(lambda: is_detached(ticket), within=AT_ONCE)
        modern = {
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": NOTE["name"],
        }
        call = modern_body("tools/call", {**NOTE, "_meta": {"progressToken": 1}})
        async with http.stream("POST", f"{live_placet.url}/mcp", json=call, headers=modern):
            await eventually_async(lambda: is_attached(ticket))
        await eventually_async(lambda: is_detached(ticket), within=AT_ONCE)


async def is_detached(ticket: Ticket) -> bool:
    return (await in_database(Ticket.objects.get, pk=ticket.pk)).detached_at is not None


async def is_attached(ticket: Ticket) -> bool:
    now = await in_database(Ticket.objects.get, pk=ticket.pk)
    return now.requests == 2 and now.detached_at is None


async def open_session(http: httpx2.AsyncClient, url: str) -> str:
    answer = await http.post(
        f"{url}/mcp",
        json={
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
    )
    session = str(answer.headers["mcp-session-id"])
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await http.post(f"{url}/mcp", content=json.dumps(ready), headers={"mcp-session-id": session})
    return session


@pytest.mark.both_engines
async def test_two_web_processes_share_a_ticket_and_neither_withdraws_it_from_the_other(
    live_placet: LivePlacet, bridge: Bridge, secret: str
) -> None:
    live_placet.start(worker=False)
    _, second_url = await asyncio.to_thread(live_placet.start_second_web)
    async with (
        an_agent(live_placet.url, secret, "modern") as one,
        an_agent(second_url, secret, "modern") as two,
    ):
        first = asyncio.create_task(one.call_tool(**NOTE))
        ticket = await open_ticket()
        second = asyncio.create_task(two.call_tool(**NOTE))
        await eventually_async(lambda: is_attached(ticket))
        first.cancel()
        await asyncio.wait({first})
        await asyncio.sleep(3)  # longer than one look of the waiters at the rows
        now = await in_database(Ticket.objects.get, pk=ticket.pk)
        assert now.state == "pending"
        await decide(ticket, bridge, "reject")
        assert "Rejected" in text_of(await asyncio.wait_for(second, PATIENCE))


async def test_a_ticket_stays_held_when_the_process_that_joined_last_lets_go(
    live_placet: LivePlacet, bridge: Bridge, secret: str
) -> None:
    live_placet.start(worker=False)
    _, second_url = await asyncio.to_thread(live_placet.start_second_web)
    async with an_agent(live_placet.url, secret, "modern") as one:
        first = asyncio.create_task(one.call_tool(**NOTE))
        ticket = await open_ticket()
        async with an_agent(second_url, secret, "legacy") as two:
            second = asyncio.create_task(two.call_tool(**NOTE))
            await eventually_async(lambda: is_attached(ticket))
            second.cancel()
            await asyncio.wait({second})
        await asyncio.sleep(5)  # two looks: the first process sees it and holds the ticket again
        await eventually_async(lambda: is_attached(ticket))
        now = await in_database(Ticket.objects.get, pk=ticket.pk)
        assert (now.state, now.detached_at) == ("pending", None), live_placet.logs()
        await decide(ticket, bridge, "reject")
        assert "Rejected" in text_of(await asyncio.wait_for(first, PATIENCE))


@pytest.mark.both_engines
async def test_a_killed_web_process_leaves_its_call_the_grace_period_and_no_longer(
    live_placet: LivePlacet, bridge: Bridge, secret: str
) -> None:
    live_placet.env["PLACET_HOLDER_LEASE_SECONDS"] = "4"
    bridge.agent.grace_seconds = 1
    await in_database(bridge.agent.save)
    live_placet.start()
    async with http_client(timeout=30) as http:
        headers = {
            "authorization": f"Bearer {secret}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": NOTE["name"],
        }
        call = modern_body("tools/call", {**NOTE, "_meta": {"progressToken": 1}})
        async with http.stream("POST", f"{live_placet.url}/mcp", json=call, headers=headers):
            ticket = await open_ticket()
            assert live_placet.web is not None
            await asyncio.to_thread(live_placet.web.kill)

    async def is_given_up() -> bool:
        now = await in_database(Ticket.objects.get, pk=ticket.pk)
        return now.cancel_reason == "agent_gone"

    await eventually_async(is_given_up)
