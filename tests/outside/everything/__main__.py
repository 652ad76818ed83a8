"""Serves the everything server on a free port of loopback and prints its address.

`--era legacy` or `modern` speaks that one only; `--sse` serves the older HTTP+SSE transport.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import uvicorn
from mcp.server.sse import SseServerTransport
from mcp_types import UNSUPPORTED_PROTOCOL_VERSION
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.outside.everything.server import Everything
from tests.support.ports import listening_socket

ERAS = ("both", "modern", "legacy")


class OneEra:
    """Hides one era of a server as a server of the other would."""

    def __init__(self, app: ASGIApp, era: str) -> None:
        self._app, self._era = app, era

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        is_modern = b"mcp-method" in headers
        if scope["type"] == "http" and self._era != "both" and is_modern != self._is_served:
            await self._refuse(send)
            return
        await self._app(scope, receive, send)

    @property
    def _is_served(self) -> bool:
        return self._era == "modern"

    async def _refuse(self, send: Send) -> None:
        error: dict[str, Any] = {"code": -32600, "message": "Missing session ID"}
        if self._era == "modern":
            error = {"code": UNSUPPORTED_PROTOCOL_VERSION, "message": "Unsupported version"}
            error["data"] = {"supported": ["2026-07-28"], "requested": ""}
        body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def sse_application() -> ASGIApp:
    """The same server behind GET /sse and POST /messages/."""
    server, transport = Everything().server(), SseServerTransport("/messages/")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/sse" and scope["method"] == "GET":
            async with transport.connect_sse(scope, receive, send) as (read, write):
                await server.run(read, write, server.create_initialization_options())
        elif scope["path"].startswith("/messages/"):
            await transport.handle_post_message(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 405, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    return answer


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.outside.everything")
    parser.add_argument("--era", choices=ERAS, default="both")
    parser.add_argument("--sse", action="store_true")
    options = parser.parse_args()
    app: ASGIApp = (
        sse_application()
        if options.sse
        else OneEra(Everything().server().streamable_http_app(host="127.0.0.1"), options.era)
    )
    sock = listening_socket()
    path = "/sse" if options.sse else "/mcp"
    print(f"http://127.0.0.1:{sock.getsockname()[1]}{path}", flush=True)
    uvicorn.run(
        app,
        fd=sock.fileno(),
        log_level="warning",
        ws="none",
        lifespan="off" if options.sse else "on",
    )


if __name__ == "__main__":
    main()
