"""`tools/list` and `tools/call`: what is forwarded, refused or paused, and our own tool.

Results replace the SDK's typed ones just before they are written, so that nothing an upstream
said is dropped. Knows no database.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import validate_mcp_param_headers
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.calls.outcome import Outcome
from mcpbridge.calls.tool_call import ToolCall
from mcpbridge.catalog.listing import resolve, tools_for
from mcpbridge.catalog.snapshot import CatalogTool
from mcpbridge.server.conversation import InputRequired
from mcpbridge.server.exchange import exchange_of
from mcpbridge.server.holding import AgentLeft
from mcpbridge.server.methods.asked import Asked, Context, asked_of, canonical_arguments
from mcpbridge.server.methods.parts import Parts
from mcpbridge.server.methods.questions import talk_of
from mcpbridge.server.presenters import (
    failure_result,
    outcome_result,
    too_large_for_an_event,
    tool_list,
)
from mcpbridge.server.rendering import Held, style_of
from mcpbridge.server.road import CallInvalid

logger = logging.getLogger(__name__)


def register(server: Server[Any], parts: Parts) -> None:
    """Serve tools."""
    tools = Tools(parts)
    server.add_request_handler("tools/list", PaginatedRequestParams, tools.list_tools)
    server.add_request_handler("tools/call", CallToolRequestParams, tools.call_tool)


class Tools:
    """Lists tools and carries calls of them."""

    def __init__(self, parts: Parts) -> None:
        self._paused = parts.paused
        self._road = parts.road

    async def list_tools(
        self, ctx: Context, params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        """The tools this agent may use, under the names of its endpoint, in one page."""
        if params is not None and params.cursor is not None:
            raise MCPError(code=INVALID_PARAMS, message="there is no such page: the list has one")
        exchange = exchange_of(ctx)
        try:
            tools = await tools_for(exchange.principal, upstream=exchange.upstream)
        except Exception:
            logger.exception("The tools of %s cannot be listed.", exchange.principal.agent_name)
            raise MCPError(code=INTERNAL_ERROR, message="the tools cannot be listed now") from None
        exchange.result = tool_list(
            (tool.exposed_name if exchange.upstream is None else tool.name, tool.definition)
            for tool in tools
        )
        return ListToolsResult(tools=[])

    async def call_tool(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        """One tool call that the SDK carries."""
        await self.call(asked_of(ctx), params.name)
        return CallToolResult(content=[])

    async def call(self, asked: Asked, name: str) -> None:
        """One tool call: forwarded, refused or paused. Its result stands in the exchange.

        There is none when the agent left. Raises MCPError.
        """
        exchange = asked.exchange
        exchange.enter()
        try:
            result = await self._answer(asked, name)
            if exchange.is_stream:
                result = too_large_for_an_event(result) or result
            exchange.result = result
        except AgentLeft:
            logger.debug("An agent left while its call was held.")
        except MCPError:
            raise
        except Exception:
            # The SDK would tell an older client the exception's own words.
            logger.exception("A call of %s failed.", exchange.principal.agent_name)
            exchange.result = failure_result(waited=name == AWAIT_TICKET)
        finally:
            exchange.leave()

    async def _answer(self, asked: Asked, name: str) -> dict[str, Any]:
        exchange = asked.exchange
        arguments = exchange.arrived.params.get("arguments")
        arguments = {} if arguments is None else arguments
        if name == AWAIT_TICKET:
            return outcome_result(await self._await_ticket(asked, arguments))
        tool = await resolve(exchange.principal, name, upstream=exchange.upstream)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {name}")
        if asked.client.is_modern:
            _check_parameter_headers(asked, tool, arguments)
        call = ToolCall(
            upstream=tool.source.name,
            tool=tool.name,
            arguments=arguments,
            arguments_bytes=canonical_arguments(arguments),
            meta=asked.meta,
            client=asked.client,
        )
        try:
            outcome = await self._road.call(
                call,
                exchange,
                style=_style(asked),
                report=asked.report(),
                send_progress=asked.progress,
                talk=await talk_of(asked, name=name, arguments_bytes=call.arguments_bytes),
            )
        except CallInvalid as invalid:
            raise MCPError(
                code=INVALID_PARAMS, message=str(invalid), data={"reason": invalid.code}
            ) from None
        if isinstance(outcome, InputRequired):
            exchange.result_type = "input_required"
            return outcome.result()
        return outcome_result(outcome, definition=tool.definition)

    async def _await_ticket(self, asked: Asked, arguments: Mapping[str, Any]) -> Outcome:
        return await self._paused.wait_again(
            _ticket_id(arguments),
            asked.exchange,
            client=asked.client,
            style=_style(asked),
            report=asked.report(),
        )


def _ticket_id(arguments: Mapping[str, Any]) -> UUID:
    given = arguments.get("ticket_id")
    if isinstance(given, str) and set(arguments) == {"ticket_id"}:
        try:
            return UUID(given)
        except ValueError:
            pass
    raise MCPError(
        code=INVALID_PARAMS,
        message=f"{AWAIT_TICKET} takes one argument, ticket_id: the id of a pending result",
    )


def _check_parameter_headers(asked: Asked, tool: CatalogTool, arguments: dict[str, Any]) -> None:
    """Refuse `Mcp-Param-*` headers that say something else than the arguments (400, -32020)."""
    schema = tool.definition.get("inputSchema")
    rejection = validate_mcp_param_headers(schema, arguments, asked.headers)
    if rejection is not None:
        raise MCPError(code=rejection.code, message=rejection.message, data=rejection.data)


def _style(asked: Asked) -> Held:
    return style_of(
        asked.client,
        asked.exchange.principal,
        has_progress_token=asked.meta.progress_token is not None,
    )
