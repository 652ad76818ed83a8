"""Requests other than tool calls that are forwarded, and the names by which policy speaks of them.

A rule names such a request like a tool. `/` stands in no tool's name here (a tool that is called
like a method is not listed), so that a rule never means both. Knows no transport.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from mcpbridge.calls.tool_call import RequestMeta

READ: Final = "resources/read"
SUBSCRIBE: Final = "resources/subscribe"
UNSUBSCRIBE: Final = "resources/unsubscribe"
GET_PROMPT: Final = "prompts/get"
COMPLETE: Final = "completion/complete"

GOVERNED: Final = (READ, GET_PROMPT, COMPLETE)
"""What an admin allows or not. Subscribing to a resource is judged like reading it."""

_RESERVED: Final = frozenset(
    {
        *GOVERNED,
        SUBSCRIBE,
        UNSUBSCRIBE,
        "sampling/createMessage",
        "elicitation/create",
        "roots/list",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """One request for an upstream; `recorded` are the bytes of what of it is put on record."""

    upstream: str
    method: str
    params: dict[str, Any] = field(repr=False)
    recorded: bytes = field(repr=False)
    meta: RequestMeta = field(default_factory=RequestMeta)

    @property
    def governed(self) -> str:
        """The name under which policy judges it."""
        return READ if self.method in {SUBSCRIBE, UNSUBSCRIBE} else self.method


def is_method(name: str) -> bool:
    """Whether a tool's name is one by which rules and records speak of a method."""
    return name in _RESERVED
