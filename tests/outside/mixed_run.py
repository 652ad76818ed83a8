"""Calls every tool of the mixed upstreams directly and through the bridge, in a child process."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from mcpbridge.calls.naming import agent_tool_name
from tests.outside.everything.offers import PNG
from tests.outside.everything.process import an_everything_server
from tests.outside.installation import Installation, an_installation
from tests.outside.mixed import CALLS, FOLDER, NOT_CALLED, Found
from tests.outside.node import NODE, judges
from tests.support.databases import RealDatabase
from tests.support.plain_http import http_client
from tests.support.waiting import eventually_async

ASKS_ITS_AGENT = dict.fromkeys(("sampling", "elicitation", "roots"), "agent")
IDENTITY = {"NAME": "Ada", "EMAIL": "ada@example.test", "DATE": "2026-01-02T03:04:05 +0000"}
GIT = {f"GIT_{who}_{k}": v for who in ("AUTHOR", "COMMITTER") for k, v in IDENTITY.items()}
SERVED = {
    "http-modern": ("--era", "modern"),
    "http-legacy": ("--era", "legacy"),
    "http-sse": ("--sse",),
}
"""The upstreams of our own, each by what its server is told."""
MEMORY = 32 << 30  # bytes of address space: Node reserves far more than it uses


def main(database: RealDatabase, arguments: list[str]) -> dict[str, Found]:
    """The child's part: what was found directly, and in each era through the bridge.

    Arguments: the upstreams, or none for all of them.
    """
    return asyncio.run(_compare(database, arguments or list(CALLS)))


async def _compare(database: RealDatabase, chosen: list[str]) -> dict[str, Found]:
    with tempfile.TemporaryDirectory(prefix="placet-mixed-") as name:
        folder = Path(name).resolve()
        with ExitStack() as servers:
            urls = {
                name: servers.enter_context(an_everything_server(*options))
                for name, options in SERVED.items()
                if name in chosen
            }
            _reset(folder)
            found = {"direct": await _directly(chosen, urls, folder)}
            _reset(folder)
            upstreams = _upstreams(urls, folder)
            async with an_installation(
                database,
                upstreams={name: upstreams[name] for name in chosen},
                rules=({"name": "all is fine", "effect": "allow"},),
                thinking=None,
                stdio_host=True,
            ) as house:
                for era in ("modern", "legacy"):
                    found[era] = await _bridged(house, era, folder, found["direct"])
                    _reset(folder)
    return found


def _commands(folder: Path) -> dict[str, tuple[str, ...]]:
    packages = judges() / "@modelcontextprotocol"
    return {
        "files": (
            str(NODE),
            str(packages / "server-filesystem/dist/index.js"),
            f"{folder}/files",
        ),
        "everything": (str(NODE), str(packages / "server-everything/dist/index.js"), "stdio"),
        "git": (sys.executable, "-m", "mcp_server_git", "--repository", f"{folder}/repository"),
    }


def _upstreams(urls: dict[str, str], folder: Path) -> dict[str, dict[str, Any]]:
    sandbox = {"write_paths": [str(folder)], "memory_bytes": MEMORY}
    node = {**sandbox, "read_paths": [str(judges().parent)]}
    found: dict[str, dict[str, Any]] = {
        name: {"url": url, "questions": ASKS_ITS_AGENT} for name, url in urls.items()
    }
    if "http-sse" in found:
        found["http-sse"]["transport"] = "sse"
    for name, command in _commands(folder).items():
        found[name] = {
            "transport": "stdio",
            "command": command,
            "sandbox": sandbox if name == "git" else node,
            "environment": GIT if name == "git" else {},
            "questions": ASKS_ITS_AGENT if name == "everything" else {},
        }
    return found


def _reset(folder: Path) -> None:
    """The same small world before each round, at the same place."""
    for name in ("files", "repository"):
        place = folder / name
        place.mkdir(exist_ok=True)
        for entry in place.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    files, repository = folder / "files", folder / "repository"
    (files / "poem.txt").write_text("The sea is calm tonight.\nThe tide is full.\n")
    (files / "dot.png").write_bytes(base64.b64decode(PNG))
    (files / "inner").mkdir()
    (files / "inner" / "note.txt").write_text("Bring oil.\n")
    light = repository / "light.txt"
    light.write_text("dark\n")
    for argv in (
        ("init", "-q", "-b", "main"),
        ("add", "light.txt"),
        ("commit", "-q", "-m", "Build the light"),
    ):
        subprocess.run(
            ["git", *argv],
            cwd=repository,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **GIT},
            check=True,
        )
    light.write_text("bright\n")


async def _directly(chosen: list[str], urls: dict[str, str], folder: Path) -> Found:
    commands = _commands(folder)

    async def one(name: str) -> tuple[str, Any]:
        if name in commands:
            program, *arguments = commands[name]
            env = GIT if name == "git" else {}
            transport = stdio_client(
                StdioServerParameters(command=program, args=arguments, env=env)
            )
        elif name == "http-sse":
            transport = sse_client(urls[name])
        else:
            transport = streamable_http_client(urls[name])
        # The older transport is of the older era, whatever a newer server lets through it.
        mode = "legacy" if name == "http-sse" else "auto"
        async with _client(transport, mode, answers=name != "files") as client:
            await _settled(client)
            return name, await _all_of(client, name, folder, lambda tool: tool)

    return dict(await asyncio.gather(*(one(name) for name in chosen)))


async def _bridged(house: Installation, era: str, folder: Path, directly: Found) -> Found:
    expected = {
        agent_tool_name(name, tool)
        for name, one in directly.items()
        for tool in one["tools"]
        if (name, tool) not in NOT_CALLED
    }
    headers = {"authorization": f"Bearer {house.secret}"}
    async with http_client(headers=headers, timeout=120) as http:
        transport = streamable_http_client(f"{house.placet.url}/mcp", http_client=http)
        async with _client(transport, "legacy" if era == "legacy" else "auto") as client:
            await _listed(client, expected)
            found = await asyncio.gather(
                *(
                    _all_of(client, name, folder, partial(agent_tool_name, name))
                    for name in directly
                )
            )
            return dict(zip(directly, found, strict=True))


async def _settled(client: Client) -> None:
    """Wait until the list of tools stops growing: some servers offer more once they know us."""
    seen: list[int] = []

    async def still() -> bool:
        seen.append(len((await client.list_tools(cache_mode="refresh")).tools))
        await asyncio.sleep(0.3)
        return seen[-1] > 1 and seen[-3:] == [seen[-1]] * 3

    await eventually_async(still, within=30, why=f"the list of tools is complete: {seen}")


async def _listed(client: Client, expected: set[str]) -> None:
    """Wait until all upstreams were reached; a tool that never comes is found by comparing."""

    async def complete() -> bool:
        tools = (await client.list_tools(cache_mode="refresh")).tools
        return expected <= {tool.name for tool in tools}

    with contextlib.suppress(AssertionError):
        await eventually_async(complete, within=60)


async def _all_of(client: Client, upstream: str, folder: Path, exposed: Any) -> dict[str, Any]:
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    own = await _own_names(client, upstream, exposed, listed)
    calls = []
    for tool, arguments in CALLS[upstream]:
        given = _placed(arguments, str(folder))
        try:
            result = await asyncio.wait_for(client.call_tool(exposed(tool), given), 40)
            calls.append({"result": _whole(result)})
        except MCPError as refused:
            calls.append({"error": {"code": refused.error.code, "message": refused.error.message}})
        except Exception as problem:  # noqa: BLE001  # whatever a client met is compared
            calls.append({"error": {"code": 0, "message": f"{type(problem).__name__}: {problem}"}})
    return {"tools": own, "calls": calls}


async def _own_names(
    client: Client, upstream: str, exposed: Any, listed: dict[str, Any]
) -> dict[str, Any]:
    """The definitions under the upstream's own names."""
    named = {exposed(tool): tool for tool, _ in CALLS[upstream]}
    prefix = exposed("x").removesuffix("x")
    found = {}
    for name, tool in listed.items():
        own = named.get(name) or (name.removeprefix(prefix) if name.startswith(prefix) else "")
        if own:
            found[own] = _whole(tool)
    return found


def _whole(value: Any) -> dict[str, Any]:
    spelled: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return spelled


def _placed(value: Any, folder: str) -> Any:
    if isinstance(value, dict):
        return {key: _placed(inner, folder) for key, inner in value.items()}
    if isinstance(value, list):
        return [_placed(inner, folder) for inner in value]
    return value.replace(FOLDER, folder) if isinstance(value, str) else value


@asynccontextmanager
async def _client(transport: Any, mode: str, *, answers: bool = True) -> AsyncIterator[Client]:
    """The official client, whose user, model and roots answer the same to everybody."""

    async def fill(_context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        schema = getattr(params, "requested_schema", None) or {}
        content = {name: _filled(field) for name, field in (schema.get("properties") or {}).items()}
        return types.ElicitResult(action="accept", content=content)

    async def speak(_context: Any, _params: Any) -> types.CreateMessageResult:
        said = types.TextContent(type="text", text="Something.")
        return types.CreateMessageResult(role="assistant", content=said, model="parrot")

    async def places(_context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri="file:///srv/tide", name="tide")])

    more: dict[str, Any] = (
        {"elicitation_callback": fill, "sampling_callback": speak, "list_roots_callback": places}
        if answers
        else {}
    )
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(Client(transport, mode=mode, **more))


def _filled(field: dict[str, Any]) -> Any:
    """A value that fits one field of a form."""
    if "default" in field:
        return field["default"]
    if field.get("type") == "array":
        return [_choice(field["items"])]
    if field.get("type") == "boolean":
        return True
    if field.get("type") in {"integer", "number"}:
        return field.get("minimum", 1)
    formats = {"email": "ada@example.test", "uri": "https://example.test/", "date": "2026-01-02"}
    return _choice(field) or formats.get(field.get("format", ""), "tide")


def _choice(field: dict[str, Any]) -> Any:
    if "enum" in field:
        return field["enum"][0]
    for key in ("oneOf", "anyOf"):
        if key in field:
            return field[key][0]["const"]
    return None
