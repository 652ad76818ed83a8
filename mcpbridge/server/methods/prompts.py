"""Prompts: listed under names like those of tools, and got from the upstream that has them."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    PaginatedRequestParams,
)

from mcpbridge.calls.forwarded import GET_PROMPT, Forwarded
from mcpbridge.catalog.offered import Place, place_of_prompt
from mcpbridge.server.exchange import exchange_of
from mcpbridge.server.methods.asked import Asked, Context, asked_of, canonical_arguments
from mcpbridge.server.methods.forwarding import forward
from mcpbridge.server.methods.lists import list_result, sources_of
from mcpbridge.server.methods.parts import Parts


def register(server: Server[Any], parts: Parts) -> None:
    """Serve prompts."""
    server.add_request_handler("prompts/list", PaginatedRequestParams, list_prompts)
    server.add_request_handler("prompts/get", GetPromptRequestParams, get_prompt)


async def list_prompts(ctx: Context, params: PaginatedRequestParams | None) -> ListPromptsResult:
    """The prompts of those upstreams that this agent may have prompts of."""
    exchange = exchange_of(ctx)
    exchange.result = await list_result(
        exchange, params, method=ctx.method, governed=GET_PROMPT, kind="prompts", key="prompts"
    )
    return ListPromptsResult(prompts=[])


async def get_prompt(ctx: Context, params: GetPromptRequestParams) -> GetPromptResult:
    """What the upstream answers, whole."""
    asked = asked_of(ctx)
    place = await place_of(asked, params.name)
    given = asked.exchange.arrived.params.get("arguments")
    sent: dict[str, Any] = {"name": place.name}
    if isinstance(given, dict):
        sent["arguments"] = given
    request = Forwarded(
        upstream=place.upstream,
        method=GET_PROMPT,
        params=sent,
        recorded=canonical_arguments(sent),
        meta=asked.meta,
    )
    asked.exchange.result = await forward(asked, request)
    return GetPromptResult(messages=[])


async def place_of(asked: Asked, name: str, *, governed: str = GET_PROMPT) -> Place:
    """Which prompt of which upstream is meant. Raises MCPError."""
    exchange = asked.exchange
    if exchange.upstream is not None:
        return Place(upstream=exchange.upstream, name=name)
    sources = await sources_of(exchange, governed)
    place = await place_of_prompt(exchange.principal, name, sources) if sources else None
    if place is None:
        raise MCPError(code=INVALID_PARAMS, message=f"Unknown prompt: {name[:200]}")
    return place
