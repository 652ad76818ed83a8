"""The bridge's rows: agents, tokens, upstreams, pins, leases and call records."""

from mcpbridge.models.agents import Agent, AgentToken
from mcpbridge.models.calls import CallCompletion, CallRecord
from mcpbridge.models.upstreams import StdioLease, ToolPin, Upstream

__all__ = [
    "Agent",
    "AgentToken",
    "CallCompletion",
    "CallRecord",
    "StdioLease",
    "ToolPin",
    "Upstream",
]
