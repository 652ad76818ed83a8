"""`tools/list` and `tools/call`: what is forwarded, refused or paused, and our own tool.

Results replace the SDK's typed ones just before they are written, so that nothing an upstream
said is dropped. Knows no database.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeGuard
from uuid import UUID

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import validate_mcp_param_headers
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.calls.outcome import UpstreamError
from mcpbridge.calls.tool_call import ToolCall
from mcpbridge.catalog.listing import resolve, tools_for
from mcpbridge.catalog.snapshot import CatalogTool
from mcpbridge.server.conversation import InputRequired, Talk
from mcpbridge.server.exchange import exchange_of
from mcpbridge.server.holding import AgentLeft
from mcpbridge.server.methods.asked import Asked, Context, asked_of, canonical_arguments
from mcpbridge.server.methods.parts import Parts
from mcpbridge.server.methods.questions import talk_of
from mcpbridge.server.paused import AnotherRound, HeldOutcome, Kind
from mcpbridge.server.presenters import (
    failure_result,
    outcome_result,
    too_large_for_an_event,
    tool_list,
)
from mcpbridge.server.rendering import Held, held_for, style_of
from mcpbridge.server.request_state import Binding, StateForeign, StateRefused
from mcpbridge.server.road import Begun, CallInvalid
from mcpbridge.server.rounds import Round, binding_of, next_round
from mcpbridge.server.tasks import created_task

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
        arguments = asked.exchange.arrived.params.get("arguments")
        arguments = {} if arguments is None else arguments
        spoken = canonical_arguments(arguments)
        binding = binding_of(asked.exchange, name=name, arguments_bytes=spoken)
        came_back = _came_back(asked, binding)
        if name == AWAIT_TICKET:
            _require_no_other_state(asked, came_back)
            outcome = await self._await_ticket(asked, _ticket_id(arguments), came_back)
            return _rendered(outcome, asked, binding, came_back)
        tool = await resolve(asked.exchange.principal, name, upstream=asked.exchange.upstream)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {name}")
        if asked.client.is_modern and tool.mirrors_parameters:
            _check_parameter_headers(asked, tool, arguments)
        if came_back is not None:
            outcome = await self._again(asked, came_back, kind="call")
            return _rendered(outcome, asked, binding, came_back, definition=tool.definition)
        call = ToolCall(
            upstream=tool.source.name,
            tool=tool.name,
            arguments=arguments,
            arguments_bytes=spoken,
            meta=asked.meta,
            client=asked.client,
        )
        try:
            found = await self._road.call(
                call,
                asked.exchange,
                style=style_of(
                    asked.client,
                    asked.exchange.principal,
                    has_progress_token=asked.meta.progress_token is not None,
                ),
                report=asked.report(),
                hears=asked.hears,
                talk=await _talk(asked, tool, name, call.arguments_bytes),
            )
        except CallInvalid as invalid:
            raise MCPError(
                code=INVALID_PARAMS, message=str(invalid), data={"reason": invalid.code}
            ) from None
        if _lacks_capability(found, asked):
            raise MCPError(code=found.code, message=found.message, data=found.data)
        if isinstance(found, InputRequired):
            asked.exchange.result_type = "input_required"
            return found.result()
        if isinstance(found, Begun):
            asked.exchange.result_type = "task"
            return created_task(found.ticket)
        return _rendered(found, asked, binding, came_back, definition=tool.definition)

    async def _await_ticket(
        self, asked: Asked, ticket: UUID, came_back: Round | None
    ) -> HeldOutcome:
        if came_back is not None:
            return await self._again(asked, came_back, kind="await")
        return await self._paused.wait_again(
            ticket,
            asked.exchange,
            client=asked.client,
            style=_held(asked),
            report=asked.report(),
        )

    async def _again(self, asked: Asked, came_back: Round, *, kind: Kind) -> HeldOutcome:
        """A request that was sent again waits on for its ticket."""
        try:
            return await self._paused.wait_again(
                came_back.ticket,
                asked.exchange,
                client=asked.client,
                style=_held(asked, rounds=came_back.number),
                report=asked.report(),
                come_back=came_back,
                kind=kind,
            )
        except StateRefused as refused:
            raise _state_error(refused) from None


def _lacks_capability(found: object, asked: Asked) -> TypeGuard[UpstreamError]:
    """Whether an upstream wants a capability that this agent did not declare for this request.

    What the agent declares is passed on per request, so this answer is meant for its SDK.
    """
    return (
        isinstance(found, UpstreamError)
        and found.ticket is None
        and found.code == MISSING_REQUIRED_CLIENT_CAPABILITY
        and asked.client.is_modern
    )


def _came_back(asked: Asked, binding: Binding) -> Round | None:
    """The round that the request comes back from; None where its state, if any, is of no round.

    Raises MCPError for a round that is over. Older revisions know no such states.
    """
    state = asked.exchange.arrived.params.get("requestState")
    if not isinstance(state, str) or not asked.client.is_modern:
        return None
    try:
        return Round.opened(state, binding)
    except StateForeign:
        return None  # of a question that the agent answers, or nobody's: `talk_of` knows
    except StateRefused as refused:
        raise _state_error(refused) from None


def _require_no_other_state(asked: Asked, came_back: Round | None) -> None:
    """Refuse a state where only one of a round can be meant. Raises MCPError."""
    given = asked.exchange.arrived.params.get("requestState")
    if came_back is None and given is not None and asked.client.is_modern:
        raise _state_error(StateForeign())


def _state_error(refused: StateRefused) -> MCPError:
    return MCPError(code=INVALID_PARAMS, message=str(refused), data={"reason": refused.code})


def _rendered(
    outcome: HeldOutcome,
    asked: Asked,
    binding: Binding,
    came_back: Round | None,
    *,
    definition: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The result that tells the outcome, or that asks for the same request once more."""
    if isinstance(outcome, AnotherRound):
        asked.exchange.result_type = "input_required"
        rounds = came_back.number if came_back is not None else 0
        return next_round(outcome.ticket.uid, number=rounds + 1, binding=binding)
    return outcome_result(outcome, is_modern=asked.client.is_modern, definition=definition)


def _held(asked: Asked, *, rounds: int = 0) -> Held:
    return held_for(
        asked.client,
        asked.exchange.principal,
        has_progress_token=asked.meta.progress_token is not None,
        rounds=rounds,
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


async def _talk(asked: Asked, tool: CatalogTool, name: str, arguments_bytes: bytes) -> Talk | None:
    """How the agent can be asked during this call; None where nobody will, as for most calls."""
    spec, params = tool.source.spec, asked.exchange.arrived.params
    may_ask = spec is not None and spec.questions.answers_any
    if may_ask or "requestState" in params or "inputResponses" in params:
        return await talk_of(asked, name=name, arguments_bytes=arguments_bytes)
    return None


def _check_parameter_headers(asked: Asked, tool: CatalogTool, arguments: dict[str, Any]) -> None:
    """Refuse `Mcp-Param-*` headers that say something else than the arguments (400, -32020)."""
    schema = tool.definition.get("inputSchema")
    rejection = validate_mcp_param_headers(schema, arguments, asked.headers)
    if rejection is not None:
        raise MCPError(code=rejection.code, message=rejection.message, data=rejection.data)
