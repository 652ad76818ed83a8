"""The frozen values that cross the ledger's door, in and out.

Plain data without behaviour beyond what reads it: no rows, no clock, no framework. Bytes are
exact; all digests are 32 raw bytes; times are aware datetimes of the database's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from approvals.domain.canonical import JSON
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.domain.verdicts import Verdict

type SubmittedKind = Literal["opened", "attached", "by_grant", "delivered"]
type DecidedKind = Literal["counted", "approved", "rejected", "repeated", "canary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What policy said about a call, and under which authority it said so."""

    verdict: Verdict
    policy_version: int | None
    epoch: int
    killed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """The gate row as it stood: may anything run, and which authority is current."""

    killed: bool
    epoch: int
    policy_version: int | None
    since: datetime | None = None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A call that policy wants people to see, exactly as it would be sent."""

    agent_id: UUID
    agent_name: str
    token_id: UUID | None
    team_id: UUID
    person_id: UUID
    session_label: str = ""
    session: str = ""  # a digest that names the agent's session; empty where there is none
    trace_id: str = ""
    upstream_id: UUID
    upstream_name: str
    upstream_digest: bytes
    tool_name: str
    tool_digest: bytes
    tool_definition: dict[str, JSON] | None = None
    arguments: bytes
    agent_says: str = ""
    idempotency_key: str | None = None
    waiting: Waiting
    holder_id: UUID | None = None
    grace_seconds: int = 30
    max_open_tickets: int = 20
    max_attempts: int = 1
    annotations_trusted: bool = False
    retry_of: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketView:
    """Everything an agent may be told: a pure function of the ticket's rows.

    `result` is the upstream's answer as it was recorded (JSON of a result or of a JSON-RPC
    error); None while there is none and after it was purged. Of an edited ticket
    `edited_arguments` are what would run or ran in the place of what the agent sent, and
    `edited_pointers` where they differ; None and empty after they were purged.
    """

    uid: UUID
    number: int
    state: State
    revision: int
    version: int
    agent_id: UUID
    upstream_name: str
    tool_name: str
    waiting: Waiting
    detached: bool = False  # held, but nobody holds it right now: its grace period runs
    created_at: datetime
    approval_expires_at: datetime
    execution_expires_at: datetime | None
    decided_at: datetime | None
    ended_at: datetime | None
    have: int
    need: int
    groups: tuple[str, ...]
    requests: int
    cancel_reason: CancelReason | None
    unknown_reason: UnknownReason | None
    reason: str
    result: bytes | None
    abort_requested: bool
    by_grant: bool
    edited: bool
    path: str
    was_sent: bool = False  # at least once, whatever state it was brought back to
    edited_arguments: bytes | None = None
    edited_pointers: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether the ticket reached its one terminal state."""
        return self.ended_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What a submission came to: its ticket, and how it was come by."""

    ticket: TicketView
    kind: SubmittedKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A vote that was counted. `repeated` means: this very request had been answered before.

    `canary`: it was an approval of a test. `grant` is the standing permission that came of it.
    """

    ticket: TicketView
    kind: DecidedKind
    grant: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One executor's authority over one ticket, as long as its fence and lease hold."""

    uid: UUID
    number: int
    fence: int
    worker: str
    epoch: int
    arguments: bytes
    upstream_id: UUID
    upstream_name: str
    upstream_digest: bytes
    tool_name: str
    tool_digest: bytes
    digest: bytes
    agent_id: UUID
    agent_name: str
    person_id: UUID
    team_id: UUID
    execution_expires_at: datetime
    trace_id: str
    lease_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep changed, and what is therefore to be dispatched."""

    approved: tuple[UUID, ...] = ()
    ended: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedAgent:
    """An agent that a person paused: nothing of it becomes a ticket."""

    agent_id: UUID
    name: str
    since: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """A human being and the accounts they sign in with."""

    id: UUID
    name: str
    emails: tuple[str, ...]
    is_admin: bool
    is_auditor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A reviewer group and who has a vote in it."""

    id: UUID
    slug: str
    name: str
    members: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamView:
    """A team, who belongs to it, and the group that is asked where a rule names none."""

    id: UUID
    slug: str
    name: str
    members: tuple[UUID, ...]
    default_group: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPolicy:
    """A published version as a list shows it; `by` is empty where a file was applied."""

    version: int
    published_at: datetime
    by: str
    note: str
    in_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Everybody, for the admin's pages and for configuration as code."""

    people: tuple[PersonView, ...]
    teams: tuple[TeamView, ...]
    groups: tuple[GroupView, ...]
