"""What stdio servers say without being asked, in both eras, through the host that owns them."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import pytest

from mcpbridge.upstream.notifications import UPDATED, Wanted
from mcpbridge.upstream.replies import ToolResult
from mcpbridge.upstream.spec import SandboxProfile, UpstreamSpec
from tests.mcpbridge.upstream.conftest import REPOSITORY
from tests.support.waiting import PATIENCE, eventually_async

EVERYTHING = Wanted(frozenset({"tools", "prompts", "resources"}), frozenset({"book://moby"}))


def library(host) -> UpstreamSpec:
    spec = host.specs["l"] = UpstreamSpec(
        id="l",
        name="library",
        transport="stdio",
        command=(sys.executable, str(REPOSITORY / "tests" / "support" / "library_stdio.py")),
        sandbox=SandboxProfile(read_paths=(str(REPOSITORY / "tests"),)),
    )
    return spec


@contextlib.asynccontextmanager
async def listening(session):
    opened = asyncio.Event()
    stream = asyncio.create_task(session.listen(EVERYTHING, opened=opened))
    async with asyncio.timeout(PATIENCE):
        await opened.wait()
    try:
        yield stream
    finally:
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)


async def test_a_modern_server_announces_on_the_stream_that_was_asked_for(host):
    heard = []
    pool = host.another_pool(on_announcement=lambda *said: heard.append(said))
    try:
        session = await pool.session(library(host))
        assert session.era == "modern"
        async with listening(session):
            for kind in ("tools", "prompts", "resources"):
                await session.call_tool(name="lend", arguments=b'{"announce":"%s"}' % kind.encode())
            await session.call_tool(name="lend", arguments=b'{"update":"book://moby"}')
            await eventually_async(lambda: len(heard) >= 4)
        said = [(upstream, scope, message.method) for upstream, scope, message in heard]
        assert said == [
            ("l", "shared", "notifications/tools/list_changed"),
            ("l", "shared", "notifications/prompts/list_changed"),
            ("l", "shared", "notifications/resources/list_changed"),
            ("l", "shared", UPDATED),
        ]
        assert session.in_flight == 0
        assert isinstance(await session.call_tool(name="lend", arguments=b"{}"), ToolResult)
    finally:
        await pool.close()


async def test_whatever_else_it_serves_is_asked_for_like_a_call(host):
    session = await host.pool.session(library(host))
    read = await session.request("resources/read", {"uri": "book://moby"})
    assert isinstance(read, ToolResult)
    assert read.result["contents"][0]["text"] == "Call me Ishmael."
    got = await session.request("prompts/get", {"name": "summarise", "arguments": {"style": "x"}})
    assert isinstance(got, ToolResult)
    assert got.result["description"] == "how to read"


async def test_an_older_servers_announcements_reach_every_process(host):
    heard = {"one": [], "two": []}
    pools = [
        host.another_pool(on_announcement=lambda *said, name=name: heard[name].append(said[2]))
        for name in heard
    ]
    try:
        one, two = [await pool.session(host.witness(era="legacy")) for pool in pools]
        async with listening(one), listening(two):
            await one.call_tool(name="slow", arguments=b'{"seconds":0.1}')
            await eventually_async(lambda: all(heard.values()))
        assert {message.method for said in heard.values() for message in said} == {
            "notifications/resources/list_changed"
        }
    finally:
        for pool in pools:
            await pool.close()


async def test_a_log_message_is_for_the_only_call_in_flight(host):
    mine, others = [], []
    session = await host.pool.session(host.witness(era="legacy"))
    await session.call_tool(name="slow", arguments=b'{"seconds":0.1}', on_log=mine.append)
    assert [message.body["params"]["data"] for message in mine] == ["slow, 0.1 s"]
    await asyncio.gather(
        session.call_tool(name="slow", arguments=b'{"seconds":1.0}', on_log=others.append),
        session.call_tool(name="slow", arguments=b'{"seconds":0.5}', on_log=others.append),
    )
    assert len(others) < 2  # the second was said while both were under way


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_stream_ends_with_its_server(host, era):
    session = await host.pool.session(
        library(host) if era == "modern" else host.witness(era="legacy")
    )
    async with listening(session) as stream:
        await session.close()
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({stream})
