"""Real MCP servers that others wrote: the official SDK over HTTP, git and time over stdio."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import mcp_types as types
import pytest
import uvicorn
from mcp.server.lowlevel import Server

from mcpbridge.upstream.errors import OutcomeUnknown, Unknown
from mcpbridge.upstream.replies import ToolResult, ToolRpcError
from mcpbridge.upstream.spec import SandboxProfile, UpstreamSpec
from tests.support.waiting import PATIENCE, eventually_async


class SdkServer:
    """The SDK's low-level server; `era` legacy hides the modern one behind an old gateway."""

    def __init__(self, *, era: str, json_response: bool) -> None:
        self.seen: list[dict] = []
        self.cancelled = asyncio.Event()
        server = Server("sdk", on_list_tools=self._tools, on_call_tool=self._call)
        self._app = server.streamable_http_app(json_response=json_response)
        self._era = era

    async def _tools(self, context, params):
        tool = types.Tool(name="echo", input_schema={"type": "object"}, description="Echoes.")
        return types.ListToolsResult(tools=[tool])

    async def _call(self, context, params):
        self.seen.append(params.arguments)
        if params.name == "hang":
            try:
                await asyncio.sleep(30)
            except BaseException:
                self.cancelled.set()
                raise
        if params.name == "progress":
            for step in range(3):
                await context.session.report_progress(step, 3, "working")
        text = types.TextContent(type="text", text=json.dumps(params.arguments))
        return types.CallToolResult(content=[text], structured_content={"n": 1})

    async def _gate(self, scope, receive, send):
        headers = dict(scope.get("headers", ()))
        if self._era == "legacy" and headers.get(b"mcp-method") == b"server/discover":
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"what?"})
            return
        await self._app(scope, receive, send)

    async def __aenter__(self):
        config = uvicorn.Config(
            self._gate,
            interface="asgi3",
            port=0,
            log_config=None,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._uvicorn = uvicorn.Server(config)
        self._task = asyncio.create_task(self._uvicorn.serve())
        async with asyncio.timeout(PATIENCE):
            while not self._uvicorn.started:
                await asyncio.sleep(0.02)
        port = self._uvicorn.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/mcp"
        return self

    async def __aexit__(self, *_):
        self._uvicorn.should_exit = True
        await self._task


@pytest.mark.parametrize("json_response", [True, False], ids=["json", "sse"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_the_official_sdk_understands_us_in_both_eras(pool, era, json_response):
    async with SdkServer(era=era, json_response=json_response) as server:
        spec = UpstreamSpec(
            id="sdk", name="sdk", transport="http", url=server.url, allow_private_addresses=True
        )
        session = await pool.session(spec)
        assert session.era == era
        assert session.server_info["name"] == "sdk"
        (tool,) = await session.list_tools()
        assert tool["name"] == "echo"
        reply = await session.call_tool(name="echo", arguments=b'{"a":"\xc3\xa9"}')
        assert isinstance(reply, ToolResult)
        assert reply.result["structuredContent"] == {"n": 1}
        assert server.seen == [{"a": "é"}]
        abort = asyncio.Event()
        calling = asyncio.create_task(session.call_tool(name="hang", arguments=b"{}", abort=abort))
        await eventually_async(lambda: len(server.seen) == 2)
        abort.set()
        with pytest.raises(OutcomeUnknown) as caught:
            await calling
        assert caught.value.reason is Unknown.ABORTED
        if era == "legacy" or not json_response:  # its JSON mode does not look for a closed stream
            async with asyncio.timeout(PATIENCE):
                await server.cancelled.wait()


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_progress_of_the_official_sdk_arrives(pool, era):
    seen = []
    async with SdkServer(era=era, json_response=False) as server:
        spec = UpstreamSpec(
            id="sdk", name="sdk", transport="http", url=server.url, allow_private_addresses=True
        )
        session = await pool.session(spec)
        await session.call_tool(name="progress", arguments=b"{}", on_progress=seen.append)
        assert [(step.progress, step.total, step.message) for step in seen] == [
            (0, 3, "working"),
            (1, 3, "working"),
            (2, 3, "working"),
        ]


def git(folder, *words) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return done.stdout


async def test_the_git_server_commits_in_its_sandbox(host):
    repository = host.folder / "data" / "sample" / "repo"
    repository.mkdir(parents=True)
    git(repository, "init", "-q")
    git(repository, "config", "user.email", "robo@example.org")
    git(repository, "config", "user.name", "Robo")
    (repository / "file").write_text("x")
    git(repository, "add", "file")
    spec = host.specs["g"] = UpstreamSpec(
        id="g",
        name="git",
        transport="stdio",
        command=(sys.executable, "-m", "mcp_server_git", "--repository", str(repository)),
        sandbox=SandboxProfile(write_paths=(str(repository),)),
    )
    session = await host.pool.session(spec)
    assert session.era == "modern"
    assert session.sandbox == "bubblewrap"
    assert "git_commit" in {tool["name"] for tool in await session.list_tools()}
    arguments = json.dumps({"repo_path": str(repository), "message": "Approved"}).encode()
    reply = await session.call_tool(name="git_commit", arguments=arguments)
    assert isinstance(reply, ToolResult)
    assert not reply.is_error, reply.result
    assert git(repository, "log", "--format=%s").strip() == "Approved"
    unknown = await session.call_tool(name="git_no_such_tool", arguments=b"{}")
    assert isinstance(unknown, ToolRpcError) or unknown.is_error


async def test_the_time_server_tells_the_time(host):
    spec = host.specs["t"] = UpstreamSpec(
        id="t",
        name="time",
        transport="stdio",
        command=(sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"),
    )
    session = await host.pool.session(spec)
    reply = await session.call_tool(name="get_current_time", arguments=b'{"timezone":"UTC"}')
    assert isinstance(reply, ToolResult)
    assert not reply.is_error, reply.result
