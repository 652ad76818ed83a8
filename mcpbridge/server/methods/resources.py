"""Resources and their templates: listed, read, and found among several upstreams by their URI."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from mcpbridge.calls.forwarded import READ, Forwarded
from mcpbridge.catalog.offered import Ambiguous, Place, place_of_resource, renamed_contents
from mcpbridge.server.exchange import exchange_of
from mcpbridge.server.methods.asked import Asked, Context, asked_of, canonical_arguments
from mcpbridge.server.methods.forwarding import NOT_FOUND, forward
from mcpbridge.server.methods.lists import list_result, sources_of
from mcpbridge.server.methods.parts import Parts

LONGEST_TTL_MS = 3_600_000


def register(server: Server[Any], parts: Parts) -> None:
    """Serve resources."""
    server.add_request_handler("resources/list", PaginatedRequestParams, list_resources)
    server.add_request_handler("resources/templates/list", PaginatedRequestParams, list_templates)
    server.add_request_handler("resources/read", ReadResourceRequestParams, read_resource)


async def list_resources(
    ctx: Context, params: PaginatedRequestParams | None
) -> ListResourcesResult:
    """The resources of those upstreams that this agent may read from."""
    exchange = exchange_of(ctx)
    exchange.result = await list_result(
        exchange, params, method=ctx.method, governed=READ, kind="resources", key="resources"
    )
    return ListResourcesResult(resources=[])


async def list_templates(
    ctx: Context, params: PaginatedRequestParams | None
) -> ListResourceTemplatesResult:
    """The templates of the same."""
    exchange = exchange_of(ctx)
    exchange.result = await list_result(
        exchange,
        params,
        method=ctx.method,
        governed=READ,
        kind="templates",
        key="resourceTemplates",
    )
    return ListResourceTemplatesResult(resource_templates=[])


async def read_resource(ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    """What an upstream answers; where it may be kept is our word, how long is the upstream's."""
    asked = asked_of(ctx)
    uri = str(params.uri)
    place = await place_of(asked, uri)
    request = Forwarded(
        upstream=place.upstream,
        method=READ,
        params={"uri": place.name},
        recorded=canonical_arguments({"uri": place.name}),
        meta=asked.meta,
    )
    result = renamed_contents(await forward(asked, request), asked=uri, own=place.name)
    ttl_ms = _ttl_ms(result.get("ttlMs"))
    asked.exchange.result = {**result, "ttlMs": ttl_ms, "cacheScope": "private"}
    return ReadResourceResult(contents=[])


def _ttl_ms(given: Any) -> int:
    """How long the upstream says that its answer holds; nothing where it does not say so."""
    if isinstance(given, bool) or not isinstance(given, int):
        return 0
    return min(max(given, 0), LONGEST_TTL_MS)


async def place_of(asked: Asked, uri: str) -> Place:
    """Where a resource is. Raises MCPError for one that no upstream of this agent answers for."""
    exchange = asked.exchange
    if exchange.upstream is not None:
        return Place(upstream=exchange.upstream, name=uri)
    sources = await sources_of(exchange, READ)
    if not sources:
        raise MCPError(
            code=INVALID_PARAMS,
            message=(
                "no upstream's resources may be read by this agent; an admin can allow that on "
                "an upstream's page"
            ),
            data={"uri": uri, "reason": "not_allowed"},
        )
    try:
        place = await place_of_resource(exchange.principal, uri, sources)
    except Ambiguous as several:
        raise MCPError(
            code=INVALID_PARAMS,
            message=str(several),
            data={"uri": uri, "alternatives": several.addresses},
        ) from None
    if place is None:
        raise MCPError(
            code=INVALID_PARAMS if asked.client.is_modern else NOT_FOUND,
            message="Resource not found",
            data={"uri": uri},
        )
    return place
