"""The ticket's states and the only edges between them.

Pure: knows neither rows nor clocks. `approvals.transitions` walks these edges, the
database triggers repeat them, and `verify_audit` replays every chain against them.
"""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a ticket stands. Each member's comment says what is true in it."""

    PENDING = "pending"  # people are asked; nothing may run
    APPROVED = "approved"  # enough people (or a grant) said yes; nobody runs it yet
    CLAIMED = "claimed"  # one executor holds the lease; nothing has left
    SENT = "sent"  # committed before the first byte; bytes may have left
    SUCCEEDED = "succeeded"  # the upstream answered with a result
    FAILED = "failed"  # it certainly did not run, or the upstream answered with an error
    REJECTED = "rejected"  # a reviewer said no
    EXPIRED = "expired"  # a deadline passed before anything left
    CANCELLED = "cancelled"  # withdrawn before anything left; see CancelReason
    OUTCOME_UNKNOWN = "outcome_unknown"  # bytes may have left and no proof of the outcome came back


OPEN = frozenset({State.PENDING, State.APPROVED, State.CLAIMED, State.SENT})
TERMINAL = frozenset(State) - OPEN
CANCELLABLE = frozenset({State.PENDING, State.APPROVED, State.CLAIMED})


class CancelReason(StrEnum):
    """Why a ticket was cancelled."""

    WITHDRAWN = "withdrawn"  # the agent cancelled its call
    AGENT_GONE = "agent_gone"  # nobody waited any more and the grace period passed
    OWNER = "owner"  # the agent's owner withdrew it
    OPERATOR = "operator"  # an operator withdrew it
    KILL_SWITCH = "kill_switch"  # everything was stopped
    APPROVAL_REVOKED = "approval_revoked"  # a reviewer took the approval back before sending
    GRANT_REVOKED = "grant_revoked"  # the standing permission behind it was revoked
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 (a reason, not a secret)
    DRIFT = "drift"  # the tool's definition or its upstream changed
    CANARY = "canary"  # it was a test, and somebody would have approved it
    POLICY_DENIES = "policy_denies"  # the policy of today would not allow it


class UnknownReason(StrEnum):
    """Why the outcome of a sent call is not known."""

    TIMEOUT = "timeout"
    EOF = "eof"
    MALFORMED = "malformed"
    OVERSIZE = "oversize"
    ABORTED = "aborted"
    LEASE_LOST = "lease_lost"


class Waiting(StrEnum):
    """Who still waits for the outcome."""

    HELD = "held"  # a web process holds the request open (its lease must be alive)
    HANDED_OVER = "handed_over"  # the agent was told to come back with the ticket's id
    TASK = "task"  # the agent polls a task; it survives disconnects


@dataclass(frozen=True)
class Edge:
    """One allowed move. `source` None is the ticket's birth."""

    name: str
    source: State | None
    target: State


EDGES: tuple[Edge, ...] = (
    Edge("opened", None, State.PENDING),
    Edge("opened_by_grant", None, State.APPROVED),
    Edge("approved", State.PENDING, State.APPROVED),
    Edge("rejected", State.PENDING, State.REJECTED),
    Edge("expired_undecided", State.PENDING, State.EXPIRED),
    Edge("cancelled_pending", State.PENDING, State.CANCELLED),
    Edge("cancelled_approved", State.APPROVED, State.CANCELLED),
    Edge("cancelled_claimed", State.CLAIMED, State.CANCELLED),
    Edge("claimed", State.APPROVED, State.CLAIMED),
    Edge("sent", State.CLAIMED, State.SENT),
    Edge("released", State.CLAIMED, State.APPROVED),
    Edge("expired_approved", State.APPROVED, State.EXPIRED),
    Edge("expired_claimed", State.CLAIMED, State.EXPIRED),
    Edge("failed_unsent", State.CLAIMED, State.FAILED),
    Edge("succeeded", State.SENT, State.SUCCEEDED),
    Edge("failed_sent", State.SENT, State.FAILED),
    Edge("unknown", State.SENT, State.OUTCOME_UNKNOWN),
    Edge("retried", State.SENT, State.APPROVED),
)
