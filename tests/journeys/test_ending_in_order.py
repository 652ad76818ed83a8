"""A web process that is told to end lets go of what it holds at once, under either server."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from approvals.models import Holder, Ticket
from approvals.models.clock import DatabaseNow
from mcpbridge import offload
from mcpbridge.administration import issue_token
from mcpbridge.models import CallCompletion
from mcpbridge.offload import in_database
from placet.up import programs
from tests.support import witness as witnesses
from tests.support.bridge import Bridge, a_bridge
from tests.support.face import MODERN, modern_body
from tests.support.live import LivePlacet
from tests.support.plain_http import http_client
from tests.support.processes import Running
from tests.support.waiting import eventually_async
from tests.support.witness import Witness

pytestmark = [pytest.mark.timeout(120)]

NOTE = {"name": "witness__write_note", "arguments": {"note": "x"}}
SLOW = {"name": "witness__slow", "arguments": {"seconds": 30}}


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


def a_server(placet: LivePlacet, kind: str) -> Running:
    """The web process under Daphne, as `up` starts it, or under uvicorn."""
    descriptor = placet.web_socket.fileno()
    program = programs.web(descriptor)
    if kind == "uvicorn":
        argv = (sys.executable, "-m", "uvicorn", "placet.asgi:application")
        options = ("--fd", str(descriptor), "--timeout-graceful-shutdown", "1")
        program = programs.Program(name="uvicorn", argv=(*argv, *options), pass_fds=(descriptor,))
    placet.web = placet.run(program)
    placet.wait_for_web()
    return placet.web


@asynccontextmanager
async def asked(url: str, secret: str, call: dict[str, object]) -> AsyncIterator[None]:
    """A call that is under way; its answer may break off."""
    headers = {
        "authorization": f"Bearer {secret}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": str(call["name"]),
    }

    async def ask() -> None:
        async with http_client(timeout=60, headers=headers) as http:
            try:
                await http.post(f"{url}/mcp", json=modern_body("tools/call", call))
            except httpx2.TransportError:
                return

    asking = asyncio.create_task(ask())
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.wait({asking})


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
async def test_a_server_that_ends_begins_the_grace_of_held_calls_and_records_allowed_ones(
    live_placet: LivePlacet, bridge: Bridge, witness: Witness, kind: str
) -> None:
    live_placet.env["PLACET_HOLDER_LEASE_SECONDS"] = "60"  # not the lease's own end
    secret = (await in_database(issue_token, actor="system:test", agent=bridge.agent)).secret
    web = await asyncio.to_thread(a_server, live_placet, kind)
    async with (
        asked(live_placet.url, secret, NOTE),
        asked(live_placet.url, secret, SLOW),
        http_client() as idle,
    ):
        await idle.get(f"{live_placet.url}/healthz")  # a connection that is kept and asks nothing
        await eventually_async(lambda: in_database(Ticket.objects.exists))
        await eventually_async(lambda: len(witness.calls()) == 1)
        began = time.monotonic()
        web.signal(signal.SIGTERM)
        await asyncio.to_thread(web.process.wait, 30)
        took = time.monotonic() - began
    assert took < 2 * programs.web(0).grace, web.output()  # this machine may stand still
    if kind == "daphne":  # uvicorn itself reports each request that it breaks off
        assert "Traceback" not in web.output(), web.output()
    ticket = await in_database(Ticket.objects.get)
    assert (ticket.state, ticket.cancel_reason) == ("pending", "")
    held = Holder.objects.filter(lease_expires_at__gt=DatabaseNow())
    assert ticket.detached_at is not None or not await in_database(held.exists)
    ended = await in_database(CallCompletion.objects.get)
    assert (ended.status, ended.reason) == ("unknown", "aborted")
