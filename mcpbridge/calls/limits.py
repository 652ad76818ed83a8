"""The limits a call meets on its way, with their defaults. Bytes and seconds.

Knows no settings: the composition root may hand other values around.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 64
MAX_SAFE_INTEGER: Final = 2**53 - 1
MAX_TOOL_NAME: Final = 64
MAX_IDEMPOTENCY_KEY: Final = 128
MAX_PROGRESS_TOKEN: Final = 256
MAX_TRACESTATE: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """How long a paused request is held open before it is handed over, in seconds."""

    without_progress: float = 50.0
    with_progress: float = 240.0

    def seconds(self, *, has_progress_token: bool) -> float:
        """The hold for one request: progress keeps most clients' own timers alive."""
        return self.with_progress if has_progress_token else self.without_progress


KNOWN_CLIENTS: Final[Mapping[str, Hold]] = {
    # Gives up after a minute, whether or not it hears of progress.
    "claude-ai": Hold(without_progress=50.0, with_progress=50.0),
    # Gives up after five idle minutes; progress counts as life.
    "claude-code": Hold(without_progress=240.0, with_progress=1200.0),
}
"""Clients that name themselves and whose patience is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLimits:
    """Hold limits by client name in lower case, and how often a held client hears of progress.

    Many clients declare their library's name instead of their own, so that one that gives up
    within seconds cannot be told from one that waits for hours: it gets a shorter hold at its
    agent. Whoever gives up and calls again finds its ticket.
    """

    default: Hold = Hold()
    by_client: Mapping[str, Hold] = field(default_factory=lambda: KNOWN_CLIENTS)
    progress_every: float = 10.0

    def seconds(self, *, client_name: str, has_progress_token: bool) -> float:
        """How long to hold a request of this client. An unknown name gets the default."""
        hold = self.by_client.get(client_name.strip().lower(), self.default)
        return hold.seconds(has_progress_token=has_progress_token)
