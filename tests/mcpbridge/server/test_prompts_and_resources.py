"""Everything that is no tool call: what an agent sees, gets, and is refused, in both eras."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from approvals.models import User
from mcpbridge import approvals_gateway as ledger
from mcpbridge.administration import UpstreamSettings, create_upstream, issue_token
from mcpbridge.models import CallCompletion, CallRecord
from mcpbridge.offload import in_database
from tests.support.bridge import Bridge, a_bridge
from tests.support.face import ERAS, ServedFace, modern_body, served
from tests.support.library import Library, opened
from tests.support.waiting import eventually_async

ALLOWED = tuple(
    {"name": f"{name} is fine", "tool": name, "effect": "allow"}
    for name in ("resources/read", "prompts/get", "completion/complete", "lend")
)


@asynccontextmanager
async def a_house(
    *libraries: Library, rules: tuple[dict[str, Any], ...] = ALLOWED
) -> AsyncIterator[ServedFace]:
    """A face in front of libraries that are called library, library2 and so on."""
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(opened(library)) for library in libraries]
        bridge = await in_database(make, [library.url for library in running], rules)
        issued = await in_database(issue_token, actor="system:test", agent=bridge.agent)
        face = await stack.enter_async_context(served(secret=issued.secret))
        yield face


def make(urls: list[str], rules: tuple[dict[str, Any], ...]) -> Bridge:
    bridge = a_bridge("http://127.0.0.1:9/mcp", rules=rules)
    bridge.upstream.teams.clear()
    for number, url in enumerate(urls, start=1):
        create_upstream(
            actor="system:test",
            name=f"library{number if number > 1 else ''}",
            settings=UpstreamSettings(
                transport="http",
                url=url,
                allow_private_addresses=True,
                pin_on_first_contact=True,
                team_ids=frozenset({bridge.cast.team.pk}),
            ),
        )
    return bridge


CROSSED = (("modern", "legacy"), ("legacy", "both"))
"""Agent and upstream of different eras; an upstream of both is spoken to in the newer one."""


@pytest.fixture(autouse=True)
def around(loop_parts: None) -> None:
    """Every test works on a database of its own and leaves nothing open."""


def whole(result: Any) -> dict[str, Any]:
    found: dict[str, Any] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return found


async def records() -> list[tuple[str, str]]:
    return await in_database(
        lambda: [(row.tool_name, row.verdict) for row in CallRecord.objects.order_by("started_at")]
    )


@pytest.mark.parametrize("upstream_era", ["both", "legacy"])
@pytest.mark.parametrize("era", ERAS)
async def test_resources_are_listed_and_read_between_any_two_eras(
    era: str, upstream_era: str
) -> None:
    library = Library(era=upstream_era)
    library.books |= {f"book://{n}": str(n) for n in range(4)}
    async with a_house(library) as face, face.agent(era) as agent:
        listed = await agent.list_resources()
        templates = await agent.list_resource_templates()
        read = await agent.read_resource("book://moby")
        shelf = await agent.read_resource("shelf://1/moby")
    assert [str(resource.uri) for resource in listed.resources] == list(library.books)
    assert [one.uri_template for one in templates.resource_templates] == ["shelf://{row}/{book}"]
    assert read.contents[0].text == "Call me Ishmael."
    assert read.meta is not None
    assert read.meta["library/loans"] == 3
    assert shelf.contents[0].text == "from the shelf"
    assert await records() == [("resources/read", "allow")] * 2


@pytest.mark.parametrize("upstream_era", ["both", "legacy"])
@pytest.mark.parametrize("era", ERAS)
async def test_prompts_and_completion_are_forwarded_between_any_two_eras(
    era: str, upstream_era: str
) -> None:
    library = Library(era=upstream_era)
    async with a_house(library) as face, face.agent(era) as agent:
        listed = await agent.list_prompts()
        got = await agent.get_prompt("library__summarise", {"style": "dry"})
        done = await agent.complete(
            PromptReference(type="ref/prompt", name="library__summarise"),
            {"name": "style", "value": "sh"},
        )
        shelf = await agent.complete(
            ResourceTemplateReference(type="ref/resource", uri="shelf://{row}/{book}"),
            {"name": "row", "value": "1"},
        )
    assert [prompt.name for prompt in listed.prompts] == ["library__summarise"]
    assert got.messages[0].content.text == "summarise {'style': 'dry'}"
    assert got.meta is not None
    assert got.meta["library/kind"] == "prompt"
    assert done.completion.values == shelf.completion.values == ["short", "shorter"]
    assert ("prompts/get", {"name": "summarise", "arguments": {"style": "dry"}}) in library.asked
    assert {name for name, _ in await records()} == {"prompts/get", "completion/complete"}


async def test_one_upstream_has_its_own_names() -> None:
    async with (
        a_house(Library()) as face,
        face.agent("modern", path="/mcp/u/library") as agent,
    ):
        listed = await agent.list_prompts()
        got = await agent.get_prompt("summarise", {"style": "dry"})
    assert [prompt.name for prompt in listed.prompts] == ["summarise"]
    assert got.messages


async def test_nothing_that_a_resource_or_prompt_says_is_dropped() -> None:
    async with a_house(Library()) as face:
        listed = (await face.modern("resources/list")).json()["result"]
        headers = face.headers(
            mcp_protocol_version="2026-07-28", mcp_method="resources/read", mcp_name="book://moby"
        )
        read = (
            await face.post(modern_body("resources/read", {"uri": "book://moby"}), headers=headers)
        ).json()["result"]
    assert listed["resources"][0]["xRare"] is True
    assert listed["cacheScope"] == "private"
    assert listed["resultType"] == "complete"
    assert type(listed["ttlMs"]) is int
    assert read["contents"][0]["xPage"] == 1
    assert read["ttlMs"] == 1234
    assert read["cacheScope"] == "private"


@pytest.mark.parametrize("era", ERAS)
async def test_without_a_rule_there_are_no_resources_and_no_prompts(era: str) -> None:
    library = Library()
    async with a_house(library, rules=()) as face, face.agent(era) as agent:
        assert agent.server_capabilities.resources is None
        assert agent.server_capabilities.prompts is None
        assert agent.server_capabilities.completions is None
        for listing in (agent.list_resources, agent.list_prompts):
            with pytest.raises(MCPError, match="Method not found"):
                await listing()
        with pytest.raises(MCPError, match="an admin can allow"):
            await agent.read_resource("book://moby")
        with pytest.raises(MCPError, match="Unknown prompt"):
            await agent.get_prompt("library__summarise", {"style": "dry"})
    assert set(library.methods()) <= {"tools/list", "subscriptions/listen"}


@pytest.mark.parametrize(
    ("effect", "said"),
    [("require_approval", "an admin can allow"), ("deny", "denied by policy")],
)
async def test_only_allow_lets_a_resource_be_read(effect: str, said: str) -> None:
    library = Library()
    rules = ({"name": "no", "tool": "resources/*", "effect": effect},)
    async with (
        a_house(library, rules=rules) as face,
        face.agent("modern", path="/mcp/u/library") as agent,
    ):
        with pytest.raises(MCPError, match=said):
            await agent.read_resource("book://moby")
    assert library.methods() == []
    assert await records() == [("resources/read", "deny")]


async def test_the_kill_switch_stops_reading() -> None:
    library = Library()
    async with a_house(library) as face, face.agent("modern", path="/mcp/u/library") as agent:
        await in_database(_kill)
        with pytest.raises(MCPError, match="kill switch"):
            await agent.read_resource("book://moby")
    assert "resources/read" not in library.methods()


@pytest.mark.parametrize(("era", "code"), [("modern", -32602), ("legacy", -32002)])
async def test_a_resource_that_nobody_has_is_not_found_in_the_words_of_the_era(
    era: str, code: int
) -> None:
    async with a_house(Library()) as face, face.agent(era) as agent:
        with pytest.raises(MCPError) as none:
            await agent.read_resource("book://nowhere")
    assert none.value.error.code == code
    assert none.value.error.data == {"uri": "book://nowhere"}


async def test_an_older_upstreams_not_found_is_told_in_the_newer_words() -> None:
    async with (
        a_house(Library(era="legacy")) as face,
        face.agent("modern", path="/mcp/u/library") as agent,
    ):
        with pytest.raises(MCPError) as none:
            await agent.read_resource("book://nowhere")
    assert none.value.error.code == -32602
    assert none.value.error.data == {"uri": "book://nowhere"}


async def test_a_uri_that_two_upstreams_list_is_told_apart_by_an_address() -> None:
    one, two = Library(template="one://{x}"), Library(template="two://{x}")
    two.books = {"book://moby": "The other copy.", "book://only": "alone"}
    async with a_house(one, two) as face, face.agent("modern") as agent:
        uris = [str(resource.uri) for resource in (await agent.list_resources()).resources]
        assert uris == [
            "placet://u/library/book://moby",
            "placet://u/library2/book://moby",
            "book://only",
        ]
        with pytest.raises(MCPError, match="several upstreams") as several:
            await agent.read_resource("book://moby")
        assert several.value.error.data["alternatives"] == uris[:2]
        read = await agent.read_resource(uris[1])
        assert read.contents[0].text == "The other copy."
        assert str(read.contents[0].uri) == uris[1]
        assert (await agent.read_resource("book://only")).contents[0].text == "alone"


async def test_an_address_opens_no_upstream_that_the_agent_may_not_use() -> None:
    rules = ({"name": "one", "upstream": "library", "tool": "resources/read", "effect": "allow"},)
    two = Library()
    async with a_house(Library(), two, rules=rules) as face, face.agent("modern") as agent:
        with pytest.raises(MCPError, match="Resource not found"):
            await agent.read_resource("placet://u/library2/book://moby")
    assert two.methods() == []


async def test_a_long_list_comes_in_pages_and_a_stale_cursor_is_refused() -> None:
    library = Library(page=400)
    library.books = {f"book://{n}": "x" for n in range(1100)}
    async with a_house(library) as face, face.agent("modern") as agent:
        first = await agent.list_resources()
        second = await agent.list_resources(cursor=first.next_cursor)
        third = await agent.list_resources(cursor=second.next_cursor)
        assert third.next_cursor is None
        found = [*first.resources, *second.resources, *third.resources]
        assert len({str(resource.uri) for resource in found}) == 1100
        for bad in ("p1.3.0000000000000000", "x", "p1.0.1"):
            with pytest.raises(MCPError, match="no such page"):
                await agent.list_resources(cursor=bad)


async def test_an_upstream_that_is_away_hides_no_other() -> None:
    async with a_house(Library()) as face, face.agent("modern") as agent:
        await in_database(
            create_upstream,
            actor="system:test",
            name="away",
            settings=UpstreamSettings(
                transport="http",
                url="http://127.0.0.1:9/mcp",
                allow_private_addresses=True,
                team_ids=frozenset(await in_database(_teams)),
            ),
        )
        listed = await agent.list_resources()
        assert [str(resource.uri) for resource in listed.resources] == ["book://moby"]


def _teams() -> list[Any]:
    return [team.id for team in ledger.directory().teams]


@pytest.mark.parametrize(("era", "upstream_era"), CROSSED)
async def test_of_a_requests_meta_only_the_trace_reaches_the_upstream(
    era: str, upstream_era: str
) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    library = Library(era=upstream_era)
    async with a_house(library) as face, face.agent(era) as agent:
        await agent.read_resource("book://moby", meta={"traceparent": parent, "agent/secret": "s"})
    [meta] = [meta for method, meta in library.metas if method == "resources/read"]
    own = {key: value for key, value in meta.items() if not key.startswith("io.modelcontext")}
    assert own == {"traceparent": parent}
    record = await in_database(CallRecord.objects.get)
    assert record.trace_id == parent[3:35]


@pytest.mark.parametrize(("era", "upstream_era"), CROSSED)
async def test_what_a_tool_answers_comes_whole_between_any_two_eras(
    era: str, upstream_era: str
) -> None:
    async with a_house(Library(era=upstream_era)) as face, face.agent(era) as agent:
        result = await agent.call_tool("library__lend", {})
    assert result.structured_content == {"days": 14}
    assert result.meta is not None
    assert result.meta["library/shelf"] == 7


@pytest.mark.parametrize(("era", "upstream_era"), CROSSED)
async def test_log_messages_come_at_the_level_that_the_agent_wants(
    era: str, upstream_era: str
) -> None:
    heard: list[tuple[str, Any]] = []

    async def hear(params: Any) -> None:
        heard.append((params.level, params.data))

    library = Library(era=upstream_era)
    async with (
        a_house(library) as face,
        face.agent(era, logging_callback=hear) as agent,
    ):
        meta = {"io.modelcontextprotocol/logLevel": "warning"} if era == "modern" else None
        if era == "legacy":
            await face_level(agent, "warning")
        await agent.call_tool("library__lend", {}, meta=meta)
        await eventually_async(lambda: heard)
    assert heard == [("warning", "the book is late")]
    assert ("logging/setLevel" in library.methods()) is (upstream_era == "legacy")


async def face_level(agent: Any, level: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        await agent.set_logging_level(level)


async def test_a_modern_agent_that_asks_for_no_log_messages_gets_none() -> None:
    heard: list[Any] = []

    async def hear(params: Any) -> None:
        heard.append(params)

    async with (
        a_house(Library(era="legacy")) as face,
        face.agent("modern", logging_callback=hear) as agent,
    ):
        await agent.call_tool("library__lend", {})
    assert heard == []


async def test_how_a_request_ended_is_on_record() -> None:
    async with a_house(Library()) as face, face.agent("modern") as agent:
        await agent.read_resource("book://moby")
        with pytest.raises(MCPError):
            await agent.read_resource("placet://u/library/book://nowhere")

    async def both() -> bool:
        return await in_database(CallCompletion.objects.count) == 2

    await eventually_async(both)
    statuses = await in_database(
        lambda: sorted(CallCompletion.objects.values_list("status", flat=True))
    )
    assert statuses == ["error", "ok"]


def _kill() -> None:
    ledger.kill(user=User.objects.create_superuser("root@example.test"))
