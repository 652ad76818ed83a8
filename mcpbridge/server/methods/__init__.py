"""The families of MCP methods that the agents' face serves; each registers its own handlers.

A family is a module with `register(server, parts)`. To serve more, write one and name it in
`FAMILIES`: nothing else has to know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mcp.server.lowlevel import Server

from mcpbridge.server.methods import (
    completion,
    log_levels,
    prompts,
    resources,
    subscriptions,
    tasks,
    tools,
)
from mcpbridge.server.methods.parts import Parts

type Register = Callable[[Server[Any], Parts], None]

FAMILIES: Final[tuple[Register, ...]] = (
    tools.register,
    tasks.register,
    resources.register,
    prompts.register,
    completion.register,
    log_levels.register,
    subscriptions.register,
)

__all__ = ["FAMILIES", "Parts", "Register"]
