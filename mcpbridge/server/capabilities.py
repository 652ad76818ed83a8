"""What this server can do for one agent at one endpoint, as it is declared to that agent.

An agent is told of prompts, resources and completion only where policy allows them at one of its
upstreams at least, and none of those is known to lack them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcpbridge.calls.forwarded import COMPLETE, GET_PROMPT, READ
from mcpbridge.catalog.catalog import catalog
from mcpbridge.catalog.offered import open_sources
from mcpbridge.server.exchange import Exchange

_DECLARED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    READ: ("resources", {"subscribe": True, "listChanged": True}),
    GET_PROMPT: ("prompts", {"listChanged": True}),
    COMPLETE: ("completions", {}),
}


async def capabilities_for(exchange: Exchange, declared: Mapping[str, Any]) -> dict[str, Any]:
    """`declared`, which speaks of all methods, brought down to what this agent may use."""
    own: dict[str, Any] = {**declared, "tools": {"listChanged": True}, "logging": {}}
    for governed, (name, details) in _DECLARED.items():
        own.pop(name, None)
        sources = await open_sources(exchange.principal, governed, upstream=exchange.upstream)
        if any(not catalog().offers.lacks(source, name) for source in sources):
            own[name] = dict(details)
    return own
