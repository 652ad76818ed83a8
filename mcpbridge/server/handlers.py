"""The SDK's server as agents see it: which methods exist, and what each of them does.

The SDK keeps the protocol (revisions, handshake, parameters); results replace its typed ones just
before they are written, so that nothing an upstream said is dropped. Knows no database.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import validate_mcp_param_headers
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    SERVER_INFO_META_KEY,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from mcpbridge import conf
from mcpbridge.approvals_gateway import NotCanonical, canonical_bytes
from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.calls.outcome import Outcome
from mcpbridge.calls.tool_call import (
    BadMeta,
    ClientDeclaration,
    RequestMeta,
    ToolCall,
    client_declaration,
    request_meta,
)
from mcpbridge.catalog.listing import resolve, tools_for
from mcpbridge.catalog.snapshot import CatalogTool
from mcpbridge.server.exchange import Exchange, exchange_of
from mcpbridge.server.holding import AgentLeft, Report
from mcpbridge.server.paused import PausedCalls, reporter
from mcpbridge.server.presenters import (
    enveloped,
    failure_result,
    outcome_result,
    too_large_for_an_event,
    tool_list,
)
from mcpbridge.server.rendering import Held, progress_message, style_of
from mcpbridge.server.road import CallInvalid, Road, SendProgress
from mcpbridge.server.waiting import Waiters

logger = logging.getLogger(__name__)

VERSION: Final = "1"
INSTRUCTIONS: Final = (
    "Placet forwards tool calls to MCP servers. Some calls are paused until people have approved "
    "them; such a call simply takes longer. A result that says a call is pending is neither a "
    f"failure nor an execution: wait for its outcome with {AWAIT_TICKET} instead of repeating it."
)

type Context = ServerRequestContext[Any, Any]


class Handlers:
    """What the agents' face does for each MCP method."""

    def __init__(self, waiters: Waiters) -> None:
        self._waiters = waiters
        self._paused = PausedCalls(waiters)
        self._road = Road(self._paused)

    def server(self) -> Server[Any]:
        """A server of the SDK with exactly the methods that are served."""
        server: Server[Any] = Server(
            "placet",
            version=VERSION,
            title="Placet",
            instructions=INSTRUCTIONS,
            get_tool_input_schema=_no_schema,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )
        server.middleware[:] = [_forward_whole]
        return server

    async def _list_tools(
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

    async def _call_tool(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        """One tool call: forwarded, refused or paused."""
        exchange = exchange_of(ctx)
        exchange.enter()
        try:
            result = await self._answer(ctx, exchange, params.name)
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
            exchange.result = failure_result(waited=params.name == AWAIT_TICKET)
        finally:
            exchange.leave()
        return CallToolResult(content=[])

    async def _answer(self, ctx: Context, exchange: Exchange, name: str) -> dict[str, Any]:
        client, meta = _declared(ctx, exchange)
        arguments = exchange.arrived.params.get("arguments")
        arguments = {} if arguments is None else arguments
        if name == AWAIT_TICKET:
            outcome = await self._await_ticket(ctx, exchange, client, meta, arguments)
            return outcome_result(outcome)
        tool = await resolve(exchange.principal, name, upstream=exchange.upstream)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {name}")
        if client.is_modern:
            _check_parameter_headers(ctx, tool, arguments)
        call = ToolCall(
            upstream=tool.source.name,
            tool=tool.name,
            arguments=arguments,
            arguments_bytes=_canonical(arguments),
            meta=meta,
            client=client,
        )
        try:
            outcome = await self._road.call(
                call,
                exchange,
                style=_style(client, exchange, meta),
                report=_reporter(ctx),
                send_progress=_forwarding(ctx, meta),
            )
        except CallInvalid as invalid:
            raise MCPError(
                code=INVALID_PARAMS, message=str(invalid), data={"reason": invalid.code}
            ) from None
        return outcome_result(outcome, definition=tool.definition)

    async def _await_ticket(
        self,
        ctx: Context,
        exchange: Exchange,
        client: ClientDeclaration,
        meta: RequestMeta,
        arguments: Mapping[str, Any],
    ) -> Outcome:
        return await self._paused.wait_again(
            _ticket_id(arguments),
            exchange,
            client=client,
            style=_style(client, exchange, meta),
            report=_reporter(ctx),
        )


async def _forward_whole(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Put the whole result in the place of the SDK's typed one, inside the era's envelope."""
    shaped = await call_next(ctx)
    if ctx.request_id is None:
        return shaped
    exchange = exchange_of(ctx)
    if exchange.result is None:
        return shaped
    meta = shaped.get("_meta") if isinstance(shaped, dict) else None
    return enveloped(
        exchange.result,
        is_modern=client_declaration(protocol_version=ctx.protocol_version).is_modern,
        server_info=meta.get(SERVER_INFO_META_KEY) if isinstance(meta, dict) else None,
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


def _no_schema(_name: str) -> None:
    """Keep the SDK from listing tools for each call: `_check_parameter_headers` does that work."""


def _declared(ctx: Context, exchange: Exchange) -> tuple[ClientDeclaration, RequestMeta]:
    """What the client says of itself, and what of its `_meta` counts."""
    given = ctx.session.client_params
    info = given.client_info.model_dump(mode="json") if given is not None else None
    capabilities = ctx.session.client_capabilities
    client = client_declaration(
        protocol_version=ctx.protocol_version,
        client_info=info,
        capabilities=(
            capabilities.model_dump(mode="json", by_alias=True, exclude_none=True)
            if capabilities is not None
            else None
        ),
    )
    try:
        return client, request_meta(exchange.arrived.params.get("_meta"))
    except BadMeta as bad:
        raise MCPError(code=INVALID_PARAMS, message=str(bad)) from None


def _canonical(arguments: dict[str, Any]) -> bytes:
    try:
        return canonical_bytes(arguments)
    except NotCanonical as problem:
        raise MCPError(code=INVALID_PARAMS, message=f"arguments: {problem}") from None


def _check_parameter_headers(ctx: Context, tool: CatalogTool, arguments: dict[str, Any]) -> None:
    """Refuse `Mcp-Param-*` headers that say something else than the arguments (400, -32020)."""
    headers = ctx.request.headers if ctx.request is not None else {}
    rejection = validate_mcp_param_headers(tool.definition.get("inputSchema"), arguments, headers)
    if rejection is not None:
        raise MCPError(code=rejection.code, message=rejection.message, data=rejection.data)


def _style(client: ClientDeclaration, exchange: Exchange, meta: RequestMeta) -> Held:
    return style_of(client, exchange.principal, has_progress_token=meta.progress_token is not None)


def _forwarding(ctx: Context, meta: RequestMeta) -> SendProgress | None:
    """How the upstream's progress reaches the agent; None when it did not ask for any."""
    return ctx.session.report_progress if meta.progress_token is not None else None


def _reporter(ctx: Context) -> Report:
    """Says in progress notifications who is waited for; the SDK sends none without a token."""

    async def send(progress: float, message: str) -> None:
        await ctx.session.report_progress(progress, message=message)

    return reporter(send, lambda view: progress_message(view, public_url=conf.public_url()))
