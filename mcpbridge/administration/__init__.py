"""What admins do: agents and tokens, upstreams and pins. Pages and commands call these alone."""

from mcpbridge.administration.agents import AgentSettings, change_agent, create_agent
from mcpbridge.administration.errors import Moved, Refused
from mcpbridge.administration.pins import pin_tool, quarantine_tool, set_idempotent
from mcpbridge.administration.tokens import IssuedToken, issue_token, revoke_token
from mcpbridge.administration.upstreams import (
    UpstreamSettings,
    change_upstream,
    create_upstream,
)

__all__ = [
    "AgentSettings",
    "IssuedToken",
    "Moved",
    "Refused",
    "UpstreamSettings",
    "change_agent",
    "change_upstream",
    "create_agent",
    "create_upstream",
    "issue_token",
    "pin_tool",
    "quarantine_tool",
    "revoke_token",
    "set_idempotent",
]
