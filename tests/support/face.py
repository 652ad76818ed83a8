"""The agents' face on a real socket in the test's own event loop, and clients of both eras.

uvicorn serves it, so that streams and disconnects are real while the test still sees the face's
insides. `agent` speaks with the official client; `raw` with a plain HTTP client.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import uvicorn
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from mcpbridge.server.app import Face
from tests.support.plain_http import http_client
from tests.support.waiting import eventually_async

MODERN = "2026-07-28"
ERAS = ("modern", "legacy")
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
_VERSION = "io.modelcontextprotocol/protocolVersion"


@dataclass
class ServedFace:
    """A running face. `secret` is the bearer token that its clients show."""

    face: Face
    origin: str
    secret: str = ""
    statuses: list[int] = field(default_factory=list)

    def headers(self, **more: str) -> dict[str, str]:
        found = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        if self.secret:
            found.setdefault("authorization", f"Bearer {self.secret}")
        return found

    @asynccontextmanager
    async def agent(self, era: str, *, path: str = "/mcp", **options: Any) -> AsyncIterator[Client]:
        """An official client, connected in that era."""
        mode = "legacy" if era == "legacy" else "auto"
        async with http_client(
            headers={"authorization": f"Bearer {self.secret}"}, timeout=60
        ) as http:
            transport = streamable_http_client(self.origin + path, http_client=http)
            async with Client(transport, mode=mode, **options) as client:
                yield client

    async def post(
        self, body: Any, *, path: str = "/mcp", headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        """One POST of JSON, or of bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with http_client(timeout=30) as http:
            return await http.post(
                self.origin + path, content=content, headers=headers or self.headers()
            )

    async def modern(self, method: str, params: dict[str, Any] | None = None) -> httpx2.Response:
        """One request of revision 2026-07-28."""
        name = (params or {}).get("name") or (params or {}).get("taskId", "")
        more = {"mcp_protocol_version": MODERN, "mcp_method": method}
        if name:
            more["mcp_name"] = name
        return await self.post(modern_body(method, params), headers=self.headers(**more))


def with_tasks(params: dict[str, Any]) -> dict[str, Any]:
    """The params of a request that declares the extension for tasks."""
    declared = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    return {**params, "_meta": {_CAPABILITIES: declared, **params.get("_meta", {})}}


def modern_body(
    method: str, params: dict[str, Any] | None = None, *, request_id: Any = 1
) -> dict[str, Any]:
    """A request of revision 2026-07-28 with its envelope."""
    given = dict(params or {})
    meta = {_VERSION: MODERN, _CAPABILITIES: {}, **given.pop("_meta", {})}
    return {
        "jsonrpc": "2.0",
        "id": request_id,
        "method": method,
        "params": {**given, "_meta": meta},
    }


@asynccontextmanager
async def served(
    face: Face | None = None, *, secret: str = "", wrap: Callable[[Any], Any] | None = None
) -> AsyncIterator[ServedFace]:
    """Serve a face until left. The parts below it are closed by the fixture `loop_parts`."""
    face = face or Face()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(
                wrap(face) if wrap is not None else face,
                lifespan="off",
                log_config=None,
                ws="none",
                timeout_graceful_shutdown=2,
            )
        )
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await eventually_async(lambda: server.started)
            port = listener.getsockname()[1]
            yield ServedFace(face=face, origin=f"http://127.0.0.1:{port}", secret=secret)
        finally:
            server.should_exit = True
            await face.close()
            await running
