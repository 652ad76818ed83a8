"""One call on its way out and what came back, in words of our own.

The only caller of `UpstreamSession.call_tool`. Whether a call may be made was settled before, in
a committed row; nothing is buffered between that commit and the first byte.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcpbridge.calls.strict_json import JSON
from mcpbridge.catalog.catalog import CatalogTool
from mcpbridge.upstream.client import Progress, UpstreamSession
from mcpbridge.upstream.errors import NothingSent, OutcomeUnknown, Unknown
from mcpbridge.upstream.questions import Asking, Question
from mcpbridge.upstream.replies import Message, QuestionsAsked, ToolReply, ToolResult, ToolRpcError

__all__ = [
    "Asked",
    "Failure",
    "OnLog",
    "OnProgress",
    "Progress",
    "Result",
    "RpcError",
    "Unknown",
    "Unsent",
    "ended_by",
    "make_call",
    "reply_of",
]

type OnProgress = Callable[[Progress], None]
type OnLog = Callable[[Message], None]

QUESTION_SECONDS: Final = 24 * 3600.0  # the most that answers of people may add to a call
SLACK_SECONDS: Final = 15.0  # beyond the session's own timeouts, should it ever lose its clock


@dataclass(frozen=True, slots=True)
class Result:
    """The upstream's whole result object; `is_error` is the tool's own word."""

    result: dict[str, JSON]
    size: int
    is_error: bool
    refused_question: bool = False  # the result is ours: the upstream had asked instead

    def recorded(self) -> bytes:
        """The result as it is kept."""
        return _spelled(self.result)


@dataclass(frozen=True, slots=True)
class RpcError:
    """The upstream answered with a JSON-RPC error: a definite answer."""

    code: int
    message: str
    data: JSON = None

    def recorded(self) -> bytes:
        """The error as it is kept."""
        error: dict[str, JSON] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return _spelled({"error": error})


@dataclass(frozen=True, slots=True)
class Unsent:
    """Certainly no byte of the call left."""

    why: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Bytes of the call may have left, and no proof of its outcome came back."""

    reason: Unknown


@dataclass(frozen=True, slots=True)
class Asked:
    """The upstream asks before it answers; the call is to be sent again with the answers."""

    requests: Mapping[str, Question]
    state: str | None
    size: int


type Reply = Result | RpcError
type Ended = Reply | Unsent | Failure


async def make_call(
    session: UpstreamSession,
    tool: CatalogTool,
    *,
    arguments: bytes,
    meta: Mapping[str, Any],
    on_progress: OnProgress | None = None,
    on_log: OnLog | None = None,
    on_late_reply: Callable[[Reply], None] | None = None,
    abort: asyncio.Event,
    asking: Asking | None = None,
) -> Ended | Asked:
    """Make the call, once. Cancellation of the caller aborts it and is raised again."""
    late: Callable[[ToolReply], None] | None = None
    if on_late_reply is not None:
        tell = on_late_reply

        def late(reply: ToolReply) -> None:
            tell(reply_of(reply))

    schema = tool.definition.get("inputSchema") if tool.mirrors_parameters else {}
    reply = session.call_tool(
        name=tool.name,
        arguments=arguments,
        meta=meta,
        on_progress=on_progress,
        on_log=on_log,
        on_late_reply=late,
        abort=abort,
        input_schema=schema if isinstance(schema, dict) else None,
        asking=asking,
    )
    return await ended_by(reply, session, asking=asking)


async def ended_by(
    reply: Awaitable[ToolReply], session: UpstreamSession, *, asking: Asking | None
) -> Ended | Asked:
    """What a request on its way comes to, in this module's words; it is given up in time."""
    timeouts = session.spec.timeouts
    slack = SLACK_SECONDS if asking is None else SLACK_SECONDS + QUESTION_SECONDS
    try:
        async with asyncio.timeout(timeouts.connect + timeouts.total + slack):
            return reply_of(await reply)
    except QuestionsAsked as asked:
        return Asked(asked.requests, asked.state, asked.size)
    except NothingSent as error:
        return Unsent(error.detail)
    except OutcomeUnknown as error:
        return Failure(error.reason)
    except TimeoutError:
        return Failure(Unknown.TIMEOUT)


def reply_of(reply: ToolReply) -> Reply:
    """An upstream's answer in this module's words."""
    match reply:
        case ToolResult():
            return Result(reply.result, reply.size, reply.is_error, reply.refused_question)
        case ToolRpcError():
            return RpcError(reply.code, reply.message, reply.data)


def _spelled(value: JSON) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
