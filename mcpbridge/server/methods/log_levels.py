"""`logging/setLevel`: which log messages a session of the 2025 revisions wants to hear.

Messages come with the request that they belong to, so this only chooses among them.
"""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server
from mcp_types import EmptyResult, SetLevelRequestParams

from mcpbridge.server.edge import SESSION_HEADER
from mcpbridge.server.exchange import exchange_of
from mcpbridge.server.methods.asked import Context
from mcpbridge.server.methods.parts import Parts


def register(server: Server[Any], parts: Parts) -> None:
    """Serve log levels."""
    levels = parts.levels

    async def set_level(ctx: Context, params: SetLevelRequestParams) -> EmptyResult:
        exchange = exchange_of(ctx)
        session = ctx.request.headers.get(SESSION_HEADER) if ctx.request is not None else None
        if session is not None:
            levels.set(session, agent=exchange.principal.agent_id, level=params.level)
        return EmptyResult()

    server.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
