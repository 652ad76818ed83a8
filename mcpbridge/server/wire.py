"""ASGI as the agents' face speaks it: types, headers, small answers, refusals.

Knows HTTP and JSON-RPC's error shape; knows no MCP method, no agent and no database.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type RequestId = str | int | None
type Headers = Iterable[tuple[bytes, bytes]]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020


class Refused(Exception):
    """A request that ends at the edge: an HTTP status, and a JSON-RPC error that says why."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: int = INVALID_REQUEST,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        request_id: RequestId = None,
    ) -> None:
        self.status = status
        self.message = message
        self.code = code
        self.data = data
        self.headers = headers or {}
        self.request_id = request_id
        super().__init__(message)


class AgentGone(Exception):
    """The agent closed the connection before its request was complete."""


def header(headers: Headers, name: str) -> str | None:
    """The value of a header that may stand once; raises Refused (400) when it stands twice."""
    wanted = name.lower().encode("ascii")
    values = [value for key, value in headers if key.lower() == wanted]
    if len(values) > 1:
        raise Refused(400, f"the header {name} stands more than once", code=HEADER_MISMATCH)
    return values[0].decode("latin-1").strip() if values else None


async def answer_json(
    send: Send, status: int, value: Any, headers: dict[str, str] | None = None
) -> None:
    """Write one whole JSON response."""
    body = json.dumps(value, separators=(",", ":")).encode("utf-8")
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode("ascii")),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
                *(
                    (name.lower().encode("ascii"), value.encode("latin-1"))
                    for name, value in (headers or {}).items()
                ),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def answer_refusal(send: Send, refused: Refused) -> None:
    """Write a refusal as a JSON-RPC error under its HTTP status."""
    error: dict[str, Any] = {"code": refused.code, "message": refused.message}
    if refused.data:
        error["data"] = refused.data
    await answer_json(
        send,
        refused.status,
        {"jsonrpc": "2.0", "id": refused.request_id, "error": error},
        refused.headers,
    )
