"""Making a request that policy allowed and whose start is on record: anything but a tool call.

Shares the session, the time-outs and the watch over the kill switch with calls of tools.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from mcpbridge import records
from mcpbridge.calls.forwarded import Forwarded
from mcpbridge.calls.tool_call import LOG_LEVEL_KEY, PROGRESS_TOKEN_KEY
from mcpbridge.catalog.catalog import catalog
from mcpbridge.catalog.snapshot import Source
from mcpbridge.executor.allowed import completion_of
from mcpbridge.executor.inflight import in_flight
from mcpbridge.executor.road import (
    Asked,
    Ended,
    Failure,
    OnLog,
    OnProgress,
    Unsent,
    ended_by,
)
from mcpbridge.upstream.errors import Unknown, UpstreamUnavailable
from mcpbridge.upstream.questions import Asking


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedRequest:
    """A request whose start was committed under `record_id`. It may be made once."""

    record_id: UUID
    agent_id: UUID
    source: Source
    request: Forwarded


async def run_request(
    allowed: AllowedRequest,
    *,
    on_progress: OnProgress | None = None,
    on_log: OnLog | None = None,
    abort: asyncio.Event | None = None,
    asking: Asking | None = None,
) -> Ended | Asked:
    """Make the request and say what came of it; setting `abort`, or cancelling, aborts it.

    Only with `asking` the upstream may ask meanwhile, or in the place of a result (Asked).
    """
    abort = abort if abort is not None else asyncio.Event()
    began = asyncio.get_running_loop().time()
    ended: Ended | Asked = Failure(Unknown.ABORTED)  # what is recorded if the caller is cancelled
    try:
        with in_flight().enter(allowed.record_id, abort):
            ended = await _run(allowed, on_progress, on_log, abort, asking)
    finally:
        seconds = asyncio.get_running_loop().time() - began
        records.ended(completion_of(allowed.record_id, ended, milliseconds=int(seconds * 1000)))
    return ended


async def _run(
    allowed: AllowedRequest,
    on_progress: OnProgress | None,
    on_log: OnLog | None,
    abort: asyncio.Event,
    asking: Asking | None,
) -> Ended | Asked:
    request = allowed.request
    meta = request.meta.forwarded()
    meta.pop(PROGRESS_TOKEN_KEY, None)  # the road names progress by a token of its own
    try:
        session = await catalog().session(allowed.source, agent_id=allowed.agent_id)
    except UpstreamUnavailable as error:
        return Unsent(error.detail)
    catalog().offers.note_capabilities(allowed.source, session)
    if session.era == "legacy" and (level := str(meta.pop(LOG_LEVEL_KEY, ""))):
        await session.ask_for_logs(level)
    reply = session.request(
        request.method,
        request.params,
        meta=meta,
        on_progress=on_progress,
        on_log=on_log,
        abort=abort,
        asking=asking,
    )
    return await ended_by(reply, session, asking=asking)


def note_done(allowed: AllowedRequest) -> None:
    """Put on record that an allowed request was served without a request of its own upstream."""
    records.ended(
        records.CallEnd(call_id=allowed.record_id, status="ok", reason="", result_bytes=0)
    )
