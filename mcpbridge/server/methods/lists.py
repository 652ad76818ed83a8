"""What the lists of prompts and resources have in common: who may see one, and its pages."""

from __future__ import annotations

import logging
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, PaginatedRequestParams

from mcpbridge.catalog.offered import open_sources, show
from mcpbridge.catalog.offers import Kind
from mcpbridge.catalog.snapshot import Source
from mcpbridge.server.exchange import Exchange
from mcpbridge.server.paging import BadCursor, page_of

logger = logging.getLogger(__name__)


async def sources_of(exchange: Exchange, governed: str) -> list[Source]:
    """The upstreams of this endpoint of which the agent may have what policy calls `governed`."""
    try:
        return await open_sources(exchange.principal, governed, upstream=exchange.upstream)
    except Exception:
        logger.exception("What %s may use cannot be told.", exchange.principal.agent_name)
        raise MCPError(code=INTERNAL_ERROR, message="that cannot be told now") from None


async def list_result(
    exchange: Exchange,
    params: PaginatedRequestParams | None,
    *,
    method: str,
    governed: str,
    kind: Kind,
    key: str,
) -> dict[str, Any]:
    """One page of a list. Raises MCPError; a method that no upstream offers does not exist."""
    sources = await sources_of(exchange, governed)
    if not sources:
        raise MCPError(code=METHOD_NOT_FOUND, message="Method not found", data=method)
    try:
        shown = await show(exchange.principal, kind, sources, upstream=exchange.upstream)
    except Exception:
        logger.exception("%s of %s failed.", method, exchange.principal.agent_name)
        raise MCPError(code=INTERNAL_ERROR, message="the list cannot be read now") from None
    if shown.unreadable and len(shown.unreadable) == len(sources):
        raise MCPError(
            code=INTERNAL_ERROR,
            message=f"the list cannot be read now: {', '.join(shown.unreadable)} does not answer",
        )
    try:
        items, following = page_of(shown.items, params.cursor if params is not None else None)
    except BadCursor as bad:
        raise MCPError(code=INVALID_PARAMS, message=str(bad)) from None
    result: dict[str, Any] = {key: items, "ttlMs": shown.ttl_ms, "cacheScope": "private"}
    if following is not None:
        result["nextCursor"] = following
    return result
