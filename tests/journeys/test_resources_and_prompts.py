"""An agent of either era reads, prompts and hears what changes, under Daphne as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from mcpbridge import offload
from mcpbridge.administration import issue_token, revoke_token
from mcpbridge.models import CallRecord
from mcpbridge.offload import in_database
from tests.mcpbridge.server.test_prompts_and_resources import ALLOWED, make
from tests.support.face import ERAS
from tests.support.library import Library, opened
from tests.support.live import LivePlacet
from tests.support.plain_http import http_client
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def threads() -> Iterator[None]:
    """This process's threads end with their connections."""
    yield
    offload.shutdown()


@asynccontextmanager
async def an_agent(url: str, secret: str, era: str, **options: Any) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {secret}"}
    mode = "legacy" if era == "legacy" else "auto"
    async with http_client(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=mode, **options) as client:
            yield client


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_agents_of_both_eras_read_and_hear_of_changes_until_their_token_is_revoked(
    live_placet: LivePlacet, threads: None
) -> None:
    heard: list[str] = []

    async def hear(message: Any) -> None:
        heard.append(getattr(message, "method", ""))

    library = Library(era="legacy")
    async with opened(library):
        bridge = await in_database(make, [library.url], ALLOWED)
        issued = await in_database(issue_token, actor="system:test", agent=bridge.agent)
        await asyncio.to_thread(live_placet.start, worker=False)
        for era in ERAS:
            async with an_agent(live_placet.url, issued.secret, era) as agent:
                read = await agent.read_resource("book://moby")
                got = await agent.get_prompt("library__summarise", {"style": "dry"})
            assert read.contents[0].text == "Call me Ishmael.", live_placet.logs()
            assert got.messages
        async with an_agent(
            live_placet.url, issued.secret, "legacy", message_handler=hear
        ) as agent:
            await agent.session.subscribe_resource("book://moby")
            await eventually_async(lambda: "resources/subscribe" in library.methods())
            await library.update("book://moby")
            await eventually_async(lambda: "notifications/resources/updated" in heard)
            await in_database(revoke_token, actor="system:test", token_id=issued.token_id)
            await eventually_async(lambda: "resources/unsubscribe" in library.methods())
    names = await in_database(lambda: set(CallRecord.objects.values_list("tool_name", flat=True)))
    assert names == {"resources/read", "prompts/get", "resources/subscribe"}
