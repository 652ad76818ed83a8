"""What the enforcement point answers about one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from mcpbridge.approvals_gateway import TicketView
from mcpbridge.calls.outcome import AgentPaused, DeniedByPolicy, KillSwitchOn
from mcpbridge.calls.outcome import Unavailable as UnavailableOutcome
from mcpbridge.executor.allowed import Allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """It will not be made: policy forbids it (then it is on record), or people stopped it."""

    outcome: DeniedByPolicy | KillSwitchOn | AgentPaused
    record_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """It stands as a ticket. `kind` says how the ticket was come by."""

    ticket: TicketView
    kind: Literal["opened", "attached", "by_grant", "delivered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """It cannot be acted on; nothing was recorded and nothing is executed.

    `code` is stable and meant for programs: `unknown_tool`, `idempotency_key_reused` and
    `too_many_open_tickets` are the agent's own doing, everything else is ours.
    """

    outcome: UnavailableOutcome
    code: str
    retry_after: float = 0.0  # seconds


type Answer = Allowed | Denied | Paused | Unavailable


def is_on_record(answer: Answer) -> bool:
    """Whether a committed transaction compared the epoch of whom and what was judged."""
    match answer:
        case Allowed() | Paused():
            return True
        case Denied():
            return answer.record_id is not None
        case Unavailable():
            return False
