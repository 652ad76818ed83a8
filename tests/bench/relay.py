"""A relay that does nothing but relay: raw ASGI, a pooled client, no token, no record.

What it costs is what any gateway in Python under this web server costs at least.
"""

from __future__ import annotations

import os
from typing import Any

import aiohttp

PASSED = (b"content-type", b"accept", b"mcp-protocol-version", b"mcp-method", b"mcp-name")
_http: list[aiohttp.ClientSession] = []


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Pass one POST on, and its answer back; the tool has its name of the upstream's."""
    if scope["type"] != "http":
        raise ValueError("only HTTP is relayed")
    if not _http:
        _http.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {key.decode(): value.decode() for key, value in scope["headers"] if key in PASSED}
    upstream = os.environ["RELAY_UPSTREAM"]
    async with _http[0].post(upstream, data=body, headers=headers) as answer:
        whole = await answer.read()
        kind = answer.headers["content-type"].encode()
        status = answer.status
    start = {"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]}
    await send(start)
    await send({"type": "http.response.body", "body": whole})
