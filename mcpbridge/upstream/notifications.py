"""What upstreams say without being asked, by name, and what of it somebody wants. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

LOG: Final = "notifications/message"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"
UPDATED: Final = "notifications/resources/updated"
LIST_CHANGED: Final = {
    "notifications/tools/list_changed": "tools",
    "notifications/prompts/list_changed": "prompts",
    "notifications/resources/list_changed": "resources",
}
ANNOUNCEMENTS: Final = frozenset({*LIST_CHANGED, UPDATED})
"""What a server says to whoever uses it, not in answer to any one request."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to hear of: changed lists by kind, and resources by URI."""

    kinds: frozenset[str] = frozenset()  # of tools, prompts, resources
    uris: frozenset[str] = frozenset()

    def __or__(self, other: Wanted) -> Wanted:
        return Wanted(self.kinds | other.kinds, self.uris | other.uris)

    def filter(self) -> dict[str, Any]:
        """The `notifications` of `subscriptions/listen`."""
        found: dict[str, Any] = {f"{kind}ListChanged": True for kind in sorted(self.kinds)}
        if self.uris:
            found["resourceSubscriptions"] = sorted(self.uris)
        return found
