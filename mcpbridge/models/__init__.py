"""The bridge's rows: agents, tokens, upstreams, pins, leases, call records and used states."""

from mcpbridge.models.agents import Agent, AgentToken
from mcpbridge.models.calls import CallCompletion, CallRecord, RedeemedState
from mcpbridge.models.questions import QuestionAnswer, QuestionRecord
from mcpbridge.models.upstreams import StdioLease, ToolPin, Upstream

__all__ = [
    "Agent",
    "AgentToken",
    "CallCompletion",
    "CallRecord",
    "QuestionAnswer",
    "QuestionRecord",
    "RedeemedState",
    "StdioLease",
    "ToolPin",
    "Upstream",
]
