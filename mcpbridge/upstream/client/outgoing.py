"""One request as a session sends it, and how its caller wants it made and followed.

Shared by all transports. Knows neither of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from mcpbridge.upstream.client.flight import Flight, OnMessage, OnProgress
from mcpbridge.upstream.questions import Asking
from mcpbridge.upstream.replies import Message, ToolReply
from mcpbridge.upstream.spec import Timeouts

OnAnnouncement = Callable[[str, str, Message], None]
"""Take (upstream id, scope, message): what a server said to everybody who uses it."""


class CallOptions(TypedDict, total=False):
    """How one request is made and followed; every part may be left out.

    `meta` may hold trace context and a log level; its progress token is replaced by one of ours,
    which is sent when `on_progress` is given. `on_log` gets log messages that came with this very
    request. `on_late_reply` gets an answer that came after we had given up. `input_schema` is the
    pinned schema, needed only for tools that mirror parameters in headers. With `asking`, what the
    upstream asks during the request is answered, or raised as QuestionsAsked where the protocol
    has questions in the place of a result.
    """

    meta: Mapping[str, Any] | None
    on_progress: OnProgress | None
    on_log: OnMessage | None
    on_late_reply: Callable[[ToolReply], None] | None
    abort: asyncio.Event | None
    timeouts: Timeouts | None
    input_schema: Mapping[str, Any] | None
    asking: Asking | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One request, ready to leave. `name` and `headers` are for transports that have headers."""

    flight: Flight
    line: bytes
    method: str
    name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
