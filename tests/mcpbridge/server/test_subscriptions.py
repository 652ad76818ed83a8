"""What an agent hears of without asking again: in both eras, across eras, and only its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from mcpbridge import approvals_gateway as ledger
from mcpbridge.administration import AgentSettings, change_agent, revoke_token
from mcpbridge.models import Agent, AgentToken
from mcpbridge.offload import in_database
from mcpbridge.server import subscriptions
from mcpbridge.upstream.notifications import UPDATED
from tests.mcpbridge.server.test_prompts_and_resources import ALLOWED, a_house, records
from tests.support.face import ERAS, MODERN, ServedFace, modern_body
from tests.support.library import Library
from tests.support.plain_http import http_client
from tests.support.waiting import eventually_async

AT_ONCE = 12.0  # seconds: before the first keep-alive, after 15, could tell
EVERYTHING = {
    "toolsListChanged": True,
    "promptsListChanged": True,
    "resourcesListChanged": True,
    "resourceSubscriptions": ["book://moby"],
}
CHANGED = {f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")}


@pytest.fixture(autouse=True)
def around(loop_parts: None) -> None:
    """Every test works on a database of its own and leaves nothing open."""


class Ear:
    """What came on one stream."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.over = asyncio.Event()

    def methods(self) -> list[str]:
        return [message.get("method", "result") for message in self.heard]

    async def hears(self, method: str, times: int = 1) -> None:
        await eventually_async(lambda: self.methods().count(method) >= times)


@asynccontextmanager
async def listening(
    face: ServedFace, wanted: dict[str, Any], *, path: str = "/mcp", more: Any = None
) -> AsyncIterator[Ear]:
    """A `subscriptions/listen` of a plain HTTP client."""
    body = modern_body("subscriptions/listen", {"notifications": wanted}, request_id="mine")
    headers = face.headers(mcp_protocol_version=MODERN, mcp_method="subscriptions/listen")
    async with following(face, "POST", path, headers, json.dumps(body)) as ear:
        await ear.hears("notifications/subscriptions/acknowledged")
        yield ear


@asynccontextmanager
async def following(
    face: ServedFace, method: str, path: str, headers: Any, body: str = ""
) -> AsyncIterator[Ear]:
    ear = Ear()

    async def follow() -> None:
        async with (
            http_client(timeout=60) as http,
            http.stream(method, face.origin + path, headers=headers, content=body) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    ear.heard.append(json.loads(line[6:]))
        ear.over.set()

    task = asyncio.create_task(follow())
    try:
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("upstream_era", ["both", "legacy"])
async def test_a_modern_agent_hears_what_changes_at_an_upstream_of_either_era(
    upstream_era: str,
) -> None:
    library = Library(era=upstream_era)
    async with a_house(library) as face, listening(face, EVERYTHING) as ear:
        first = ear.heard[0]
        assert first["params"]["notifications"] == EVERYTHING
        for kind in ("tools", "prompts", "resources"):
            await library.announce(kind)
            await ear.hears(f"notifications/{kind}/list_changed")
        await library.update("book://moby")
        await ear.hears(UPDATED)
        await library.update("book://other")
    updates = [message for message in ear.heard if message["method"] == UPDATED]
    assert [message["params"]["uri"] for message in updates] == ["book://moby"]
    tag = "io.modelcontextprotocol/subscriptionId"
    assert {message["params"]["_meta"][tag] for message in ear.heard} == {"mine"}
    assert ("resources/subscribe", "allow") in await records()


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("upstream_era", ["both", "legacy"])
async def test_an_older_session_hears_on_its_own_stream(upstream_era: str) -> None:
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(getattr(message, "method", ""))

    library = Library(era=upstream_era)
    async with a_house(library) as face, face.agent("legacy", message_handler=hear) as agent:
        await agent.session.subscribe_resource("book://moby")
        await eventually_async(lambda: face.face.subscriptions)
        await stands(library, upstream_era)
        for kind in ("tools", "prompts", "resources"):
            await library.announce(kind)
            await eventually_async(lambda kind=kind: f"notifications/{kind}/list_changed" in heard)
        await library.update("book://moby")
        await eventually_async(lambda: UPDATED in heard)
        await agent.session.unsubscribe_resource("book://moby")
        if upstream_era == "legacy":
            await eventually_async(lambda: "resources/unsubscribe" in library.methods())


async def stands(library: Library, era: str) -> None:
    """Wait until the upstream has been asked for everything."""

    def asked() -> bool:
        if era == "legacy":
            return "resources/subscribe" in library.methods()
        filters = [given for method, given in library.asked if method == "subscriptions/listen"]
        return any("resourceSubscriptions" in given for given in filters)

    await eventually_async(asked)


async def test_nothing_is_said_that_was_not_asked_for() -> None:
    library = Library()
    async with a_house(library) as face, listening(face, {"promptsListChanged": True}) as ear:
        assert ear.heard[0]["params"]["notifications"] == {"promptsListChanged": True}
        await library.announce("tools")
        await library.announce("resources")
        await library.update("book://moby")
        await library.announce("prompts")
        await ear.hears("notifications/prompts/list_changed")
    assert set(ear.methods()[1:]) == {"notifications/prompts/list_changed"}


async def test_a_resource_that_may_not_be_read_is_not_watched() -> None:
    library = Library()
    async with a_house(library, rules=()) as face, listening(face, EVERYTHING) as ear:
        honored = ear.heard[0]["params"]["notifications"]
        assert "resourceSubscriptions" not in honored
        await library.announce("resources")
        await library.announce("tools")
        await ear.hears("notifications/tools/list_changed")
    assert "notifications/resources/list_changed" not in ear.methods()
    assert "resources/subscribe" not in library.methods()


@pytest.mark.parametrize("era", ERAS)
async def test_a_revoked_token_ends_its_streams_within_seconds(era: str) -> None:
    async with a_house(Library()) as face:
        async with a_stream(face, era) as ear:
            await eventually_async(lambda: len(face.face.subscriptions) == 1)
            token = await in_database(lambda: AgentToken.objects.order_by("-created_at").first())
            assert token is not None
            await in_database(revoke_token, actor="system:test", token_id=token.pk)
            async with asyncio.timeout(AT_ONCE):
                await ear.over.wait()
        assert len(face.face.subscriptions) == 0


async def test_a_disabled_agent_hears_no_more() -> None:
    async with a_house(Library()) as face, a_stream(face, "modern") as ear:
        await in_database(_disable)
        async with asyncio.timeout(AT_ONCE):
            await ear.over.wait()
    assert ear.methods()[-1] == "result"


def _disable() -> None:
    agent = Agent.objects.get(name="robo")
    settings = AgentSettings(owner_id=agent.owner_id, team_id=agent.team_id, enabled=False)
    change_agent(actor="system:test", agent_id=agent.pk, settings=settings)


@asynccontextmanager
async def a_stream(face: ServedFace, era: str) -> AsyncIterator[Ear]:
    if era == "modern":
        async with listening(face, EVERYTHING) as ear:
            yield ear
        return
    session = await open_session(face)
    headers = face.headers(mcp_session_id=session)
    async with following(face, "GET", "/mcp", headers) as ear:
        yield ear


async def open_session(face: ServedFace) -> str:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    return (await face.post(message)).headers["mcp-session-id"]


async def test_a_policy_that_changes_is_heard_of_and_closes_what_it_closes() -> None:
    library = Library()
    async with a_house(library) as face, listening(face, EVERYTHING) as ear:
        await in_database(ledger.publish_policy, document={"rules": []})
        await ear.hears("notifications/resources/list_changed")
        await ear.hears("notifications/prompts/list_changed")
        said = len(ear.heard)
        await library.update("book://moby")
        await library.announce("resources")
        await library.announce("tools")
        await ear.hears("notifications/tools/list_changed")
    assert set(ear.methods()[said:]) == {"notifications/tools/list_changed"}


async def test_many_announcements_at_once_are_said_once() -> None:
    library = Library()
    async with a_house(library) as face, listening(face, EVERYTHING) as ear:
        for _ in range(300):
            await library.announce("prompts")
        await ear.hears("notifications/prompts/list_changed")
        await library.announce("resources")
        await ear.hears("notifications/resources/list_changed")
    assert ear.methods().count("notifications/prompts/list_changed") < 20


async def test_the_upstreams_stream_stands_only_while_somebody_listens() -> None:
    library = Library()
    async with a_house(library) as face:
        async with listening(face, EVERYTHING), listening(face, EVERYTHING):
            await eventually_async(lambda: library.listening == 1)
        await eventually_async(lambda: library.listening == 0)
        assert len(face.face.subscriptions) == 0


async def test_a_session_has_one_stream_and_no_other_agents_token_opens_it() -> None:
    async with a_house(Library()) as face:
        session = await open_session(face)
        headers = face.headers(mcp_session_id=session)
        async with following(face, "GET", "/mcp", headers):
            await eventually_async(lambda: len(face.face.subscriptions) == 1)
            async with http_client() as http:
                second = await http.get(face.origin + "/mcp", headers=headers)
                assert second.status_code == 409
                elsewhere = await http.get(face.origin + "/mcp/u/library", headers=headers)
                assert elsewhere.status_code == 404


async def test_an_agent_has_only_so_many_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MOST_OF_ONE_AGENT", 1)
    async with a_house(Library()) as face, listening(face, EVERYTHING):
        answer = await face.modern("subscriptions/listen", {"notifications": EVERYTHING})
        assert "as many as it may" in answer.json()["error"]["message"]


async def test_a_stream_ends_after_so_much_and_is_opened_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_SAID", 1)
    library = Library()
    async with a_house(library) as face, listening(face, EVERYTHING) as ear:
        await library.announce("prompts")
        await ear.hears("notifications/prompts/list_changed")
        await library.announce("resources")
        async with asyncio.timeout(AT_ONCE):
            await ear.over.wait()
    assert ear.methods()[-1] == "result"


async def test_two_copies_of_a_resource_are_heard_of_by_their_own_addresses() -> None:
    one, two = Library(), Library()
    addresses = [f"placet://u/{name}/book://moby" for name in ("library", "library2")]
    wanted = {"resourceSubscriptions": addresses}
    async with a_house(one, two, rules=ALLOWED) as face, listening(face, wanted) as ear:
        assert ear.heard[0]["params"]["notifications"] == wanted
        await two.update("book://moby")
        await ear.hears(UPDATED)
        await one.update("book://moby")
        await ear.hears(UPDATED, times=2)
    said = [message["params"]["uri"] for message in ear.heard if message["method"] == UPDATED]
    assert said == addresses[::-1]


async def test_a_token_that_runs_out_ends_its_streams_though_nothing_moved_the_gate() -> None:
    async with a_house(Library()) as face, a_stream(face, "modern") as ear:
        past = timezone.now() - timedelta(seconds=1)
        await in_database(lambda: AgentToken.objects.update(expires_at=past))
        async with asyncio.timeout(AT_ONCE):
            await ear.over.wait()
    assert ear.methods()[-1] == "result"
