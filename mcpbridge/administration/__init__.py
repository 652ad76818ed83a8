"""What admins do: agents and tokens, upstreams and pins. Pages and commands call these alone."""

from mcpbridge.administration.agents import AgentSettings, change_agent, create_agent
from mcpbridge.administration.errors import Moved, Refused
from mcpbridge.administration.pins import ensure_pin, pin_tool, quarantine_tool, set_idempotent
from mcpbridge.administration.rules import (
    MOVED,
    Choice,
    InForce,
    in_force,
    publish_choices,
    with_choices,
)
from mcpbridge.administration.tokens import IssuedToken, issue_token, revoke_token
from mcpbridge.administration.upstream_settings import UpstreamSettings
from mcpbridge.administration.upstreams import change_upstream, create_upstream, secrets_of

__all__ = [
    "MOVED",
    "AgentSettings",
    "Choice",
    "InForce",
    "IssuedToken",
    "Moved",
    "Refused",
    "UpstreamSettings",
    "change_agent",
    "change_upstream",
    "create_agent",
    "create_upstream",
    "ensure_pin",
    "in_force",
    "issue_token",
    "pin_tool",
    "publish_choices",
    "quarantine_tool",
    "revoke_token",
    "secrets_of",
    "set_idempotent",
    "with_choices",
]
