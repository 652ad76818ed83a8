"""The extension `io.modelcontextprotocol/tasks`: `tasks/get`, `update`, `cancel`, and its news.

Served to clients of 2026-07-28 that declare the extension in the very request; to its own agent
only, and with an `Mcp-Name` header that says the same task as the body, which the SDK leaves to
us. Knows no ticket beyond what a task shows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import HEADER_MISMATCH, INVALID_PARAMS, METHOD_NOT_FOUND, EmptyResult, RequestParams
from mcp_types.jsonrpc import MISSING_REQUIRED_CLIENT_CAPABILITY

from mcpbridge.approvals_gateway import TicketView
from mcpbridge.calls.tool_call import TASKS_EXTENSION, ClientDeclaration
from mcpbridge.server.methods.asked import Asked, Context, asked_of
from mcpbridge.server.methods.parts import Parts
from mcpbridge.server.paused import PausedCalls
from mcpbridge.server.subscriptions import AgentStream, Extension, Said
from mcpbridge.server.tasks import (
    UnknownTask,
    WatchedTasks,
    cancel_task,
    find_task,
    task_now,
)
from mcpbridge.server.waiting import Waiters

logger = logging.getLogger(__name__)

WATCHED: Final = "taskIds"
NOTIFICATION: Final = "notifications/tasks"
MOST_WATCHED: Final = 50  # tasks on one stream
REQUIRED: Final[dict[str, Any]] = {"requiredCapabilities": {"extensions": {TASKS_EXTENSION: {}}}}


class TaskParams(RequestParams):
    """The params of each of these methods; more of them is read from the message as it came."""

    task_id: str


class UpdateParams(TaskParams):
    """The params of `tasks/update`."""

    input_responses: dict[str, Any]


def register(server: Server[Any], parts: Parts) -> None:
    """Serve tasks."""
    tasks = Tasks(parts.paused)
    server.extensions[TASKS_EXTENSION] = {}
    server.add_request_handler("tasks/get", TaskParams, tasks.get)
    server.add_request_handler("tasks/update", UpdateParams, tasks.update)
    server.add_request_handler("tasks/cancel", TaskParams, tasks.cancel)
    parts.subscriptions.extensions[WATCHED] = watching(parts.waiters)


def watching(waiters: Waiters) -> Extension:
    """Serves `taskIds` in the filter of `subscriptions/listen`."""

    async def listen(
        stream: AgentStream, client: ClientDeclaration, given: Any
    ) -> tuple[list[str], Callable[[], None]]:
        """Say each change of these tasks on the stream; which of them are the agent's own."""
        require_tasks(client)
        watched = WatchedTasks(
            waiters, agent_id=stream.principal.agent_id, upstream=stream.upstream
        )
        ids = given[:MOST_WATCHED] if isinstance(given, list) else []
        honored = await watched.watch(ids)
        telling = asyncio.create_task(_tell(watched, stream))

        def stop() -> None:
            telling.cancel()
            watched.stop()

        return honored, stop

    return listen


async def _tell(watched: WatchedTasks, stream: AgentStream) -> None:
    try:
        async for task in watched.changes():
            stream.say(Said(NOTIFICATION, task), key=task["taskId"])
    except Exception:
        logger.exception("An agent's tasks cannot be watched; its stream ends.")
        stream.end()


def require_tasks(client: ClientDeclaration) -> None:
    """Refuse a client that did not declare the extension in this request (-32021)."""
    if not client.tasks:
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message=f"the request must declare the extension {TASKS_EXTENSION}",
            data=REQUIRED,
        )


class Tasks:
    """Tells an agent of its tasks."""

    def __init__(self, paused: PausedCalls) -> None:
        self._paused = paused

    async def get(self, ctx: Context, params: TaskParams) -> EmptyResult:
        """The task as it stands, with its result or error once it is over."""
        asked = asked_of(ctx)
        ticket = await _own_task(asked, params)
        asked.exchange.result = task_now(ticket)
        self._paused.told(ticket, asked.exchange)
        return EmptyResult()

    async def update(self, ctx: Context, params: UpdateParams) -> EmptyResult:
        """Acknowledge answers to questions. A task asks none, so there is none to pass on."""
        await _own_task(asked_of(ctx), params)
        return EmptyResult()

    async def cancel(self, ctx: Context, params: TaskParams) -> EmptyResult:
        """Take the task back, as far as that is still possible."""
        asked = asked_of(ctx)
        ticket = await _own_task(asked, params)
        await cancel_task(ticket)
        return EmptyResult()


async def _own_task(asked: Asked, params: TaskParams) -> TicketView:
    """The agent's own task. Raises MCPError."""
    if not asked.client.is_modern:
        raise MCPError(code=METHOD_NOT_FOUND, message="Method not found")
    named = decode_header_value(asked.headers.get(MCP_NAME_HEADER))
    if named != params.task_id:
        raise MCPError(
            code=HEADER_MISMATCH,
            message=f"{MCP_NAME_HEADER} header does not match the request body's 'taskId'",
        )
    require_tasks(asked.client)
    try:
        return await find_task(
            params.task_id,
            agent_id=asked.exchange.principal.agent_id,
            upstream=asked.exchange.upstream,
        )
    except UnknownTask:
        raise MCPError(code=INVALID_PARAMS, message="this agent has no task of that id") from None
