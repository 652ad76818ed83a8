"""Running a call that policy allowed and whose start is on record.

Runs in the web process, on the same road as approved tickets. What the agent is told never waits
for the completion to be written.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from mcpbridge import records
from mcpbridge.calls import outcome as outcomes
from mcpbridge.calls.abort import Abort
from mcpbridge.calls.outcome import Outcome
from mcpbridge.calls.tool_call import LOG_LEVEL_KEY, PROGRESS_TOKEN_KEY, ToolCall
from mcpbridge.catalog.catalog import CatalogTool, catalog
from mcpbridge.executor.inflight import in_flight
from mcpbridge.executor.road import (
    Asked,
    Ended,
    Failure,
    OnLog,
    OnProgress,
    Result,
    RpcError,
    Unknown,
    Unsent,
    make_call,
)
from mcpbridge.records import CallEnd
from mcpbridge.records.rows import Status
from mcpbridge.upstream.errors import UpstreamUnavailable
from mcpbridge.upstream.questions import Asking


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A call whose start was committed under `record_id`. It may be run once."""

    record_id: UUID
    agent_id: UUID
    tool: CatalogTool
    call: ToolCall


async def run_allowed(
    allowed: Allowed,
    *,
    on_progress: OnProgress | None = None,
    on_log: OnLog | None = None,
    abort: asyncio.Event | None = None,
) -> Outcome:
    """Make the call and say what came of it; setting `abort`, or cancelling, aborts it."""
    ended = await converse(
        allowed, on_progress=on_progress, on_log=on_log, abort=abort, asking=None
    )
    return outcomes.OutcomeUnknown(reason="malformed") if isinstance(ended, Asked) else ended


async def converse(
    allowed: Allowed,
    *,
    on_progress: OnProgress | None = None,
    on_log: OnLog | None = None,
    abort: asyncio.Event | None = None,
    asking: Asking | None,
) -> Outcome | Asked:
    """Make a call during which the upstream may ask; setting `abort`, or cancelling, aborts it.

    Asked is what a modern upstream wants to know before it goes on: by another call.
    """
    abort = abort if abort is not None else Abort()
    began = asyncio.get_running_loop().time()
    ended: Ended | Asked = Failure(Unknown.ABORTED)  # what is recorded if the caller is cancelled
    try:
        with in_flight().enter(allowed.record_id, abort):
            ended = await _run(allowed, on_progress, on_log, abort, asking)
    finally:
        seconds = asyncio.get_running_loop().time() - began
        records.ended(completion_of(allowed.record_id, ended, milliseconds=int(seconds * 1000)))
    return ended if isinstance(ended, Asked) else _outcome(ended)


async def _run(
    allowed: Allowed,
    on_progress: OnProgress | None,
    on_log: OnLog | None,
    abort: asyncio.Event,
    asking: Asking | None,
) -> Ended | Asked:
    meta = allowed.call.meta.forwarded()
    meta.pop(PROGRESS_TOKEN_KEY, None)  # the road names progress by a token of its own
    try:
        session = await catalog().session(allowed.tool.source, agent_id=allowed.agent_id)
    except UpstreamUnavailable as error:
        return Unsent(error.detail)
    if session.era == "legacy" and (level := str(meta.pop(LOG_LEVEL_KEY, ""))):
        await session.ask_for_logs(level)
    return await make_call(
        session,
        allowed.tool,
        arguments=allowed.call.arguments_bytes,
        meta=meta,
        on_progress=on_progress,
        on_log=on_log,
        abort=abort,
        asking=asking,
    )


def completion_of(call_id: UUID, ended: Ended | Asked, *, milliseconds: int) -> CallEnd:
    """How a call's end is put on record."""
    status: Status
    reason, size = "", 0
    match ended:
        case Result():
            status, size = ("error" if ended.is_error else "ok"), ended.size
        case Asked():
            status, reason, size = "ok", "input_required", ended.size
        case RpcError():
            status, reason = "error", str(ended.code)
        case Unsent():
            status = "unsent"
        case Failure():
            status, reason = "unknown", ended.reason.value
    return CallEnd(
        call_id=call_id,
        status=status,
        reason=reason,
        result_bytes=size,
        milliseconds=milliseconds,
    )


def _outcome(ended: Ended) -> Outcome:
    match ended:
        case Result():
            return outcomes.Executed(result=ended.result)
        case RpcError():
            return outcomes.UpstreamError(code=ended.code, message=ended.message, data=ended.data)
        case Unsent():
            return outcomes.NotSent(why=ended.why)
        case Failure():
            return outcomes.OutcomeUnknown(reason=ended.reason.value)
