"""The SDK's server as agents see it: its name, its families of methods, and the final results.

The SDK keeps the protocol (revisions, handshake, parameters); results replace its typed ones just
before they are written, so that nothing an upstream said is dropped. Knows no method.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, SERVER_INFO_META_KEY

from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.calls.tool_call import client_declaration
from mcpbridge.server.capabilities import capabilities_for
from mcpbridge.server.direct import DirectRoad
from mcpbridge.server.exchange import Exchange, exchange_of
from mcpbridge.server.methods import FAMILIES, Parts
from mcpbridge.server.methods.asked import Context
from mcpbridge.server.methods.tools import Tools
from mcpbridge.server.presenters import enveloped
from mcpbridge.server.waiting import Waiters

VERSION: Final = "1"
INSTRUCTIONS: Final = (
    "Placet forwards tool calls to MCP servers. Some calls are paused until people have approved "
    "them; such a call simply takes longer. A result that says a call is pending is neither a "
    f"failure nor an execution: wait for its outcome with {AWAIT_TICKET} instead of repeating it."
)


_DECLARING: Final = frozenset({"initialize", "server/discover"})

logger = logging.getLogger(__name__)


class Handlers:
    """What the agents' face does for each MCP method."""

    def __init__(self, waiters: Waiters) -> None:
        self._parts = Parts.around(waiters)

    def close(self) -> None:
        """Abort the calls whose agents were asked and have not come back."""
        self._parts.road.parked.close()

    @property
    def parts(self) -> Parts:
        """What the handlers share."""
        return self._parts

    def server(self) -> Server[Any]:
        """A server of the SDK with exactly the methods that are served."""
        server: Server[Any] = Server(
            "placet",
            version=VERSION,
            title="Placet",
            instructions=INSTRUCTIONS,
            get_tool_input_schema=_no_schema,
        )
        for register in FAMILIES:
            register(server, self._parts)
        server.middleware[:] = [_forward_whole]
        return server

    def direct(self) -> DirectRoad:
        """The short road of plain calls, to the same handler."""
        return DirectRoad(Tools(self._parts), self.server().server_info_stamp)


async def _capabilities(exchange: Exchange, declared: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return await capabilities_for(exchange, declared)
    except Exception:
        logger.exception("What %s may use cannot be told.", exchange.principal.agent_name)
        raise MCPError(code=INTERNAL_ERROR, message="that cannot be told now") from None


def _no_schema(_name: str) -> None:
    """Keep the SDK from listing tools for each call: `tools/call` checks those headers itself."""


async def _forward_whole(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Put the whole result in the place of the SDK's typed one, inside the era's envelope."""
    shaped = await call_next(ctx)
    if ctx.request_id is None:
        return shaped
    exchange = exchange_of(ctx)
    if ctx.method in _DECLARING and isinstance(shaped, dict):
        shaped["capabilities"] = await _capabilities(exchange, shaped.get("capabilities") or {})
    if exchange.result is None:
        return shaped
    meta = shaped.get("_meta") if isinstance(shaped, dict) else None
    return enveloped(
        exchange.result,
        result_type=exchange.result_type,
        is_modern=client_declaration(protocol_version=ctx.protocol_version).is_modern,
        server_info=meta.get(SERVER_INFO_META_KEY) if isinstance(meta, dict) else None,
    )
