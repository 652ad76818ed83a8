"""What happened to a ticket, in order, and what comes next; read from its audit chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from approvals.domain.states import State
from approvals.models import AuditEvent, Ticket

# An edge's or act's name in the audit chain, in words. An unknown one is shown as it is.
WORDS: Final = {
    "opened": "Called and paused",
    "opened_by_grant": "Called, covered by a standing permission",
    "approved": "Quorum complete, approved",
    "rejected": "Rejected",
    "expired_undecided": "Expired, nobody decided",
    "expired_approved": "Expired before it ran",
    "expired_claimed": "Expired before it ran",
    "cancelled_pending": "Cancelled",
    "cancelled_approved": "Cancelled before it ran",
    "cancelled_claimed": "Cancelled before it ran",
    "claimed": "Taken up by a worker",
    "sent": "Sent",
    "released": "The worker disappeared before sending; open to others again",
    "retried": "No answer; may be tried again",
    "failed_unsent": "Failed before anything was sent",
    "succeeded": "The upstream answered",
    "failed_sent": "The upstream answered with an error",
    "unknown": "No usable answer: outcome unknown",
    "voted": "Voted",
    "attached": "Waits for this ticket again",
    "requested_again": "Called again; one execution serves both",
    "handed_over": "The agent was told to come back later",
    "detached": "The agent's connection closed",
    "delivered": "The outcome was handed to the agent",
    "abort_requested": "Asked to abort",
    "revoked": "The approval was revoked",
    "annotated": "A person recorded what happened",
    "wound_up": "Wound up: told everybody who waited",
    "late_answer": "An answer came too late and was kept as evidence",
    "judged_again": "Judged again under newer rules: still asks people",
}

VOTES: Final = {
    "approve": "Voted to approve",
    "reject": "Voted to reject",
    "withdraw": "Took a vote back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `phase` is done, now or next; `who` is a name that somebody chose."""

    phase: str
    at: datetime | None
    words: str
    who: str = ""


def present_timeline(
    ticket: Ticket, events: Sequence[AuditEvent], names: Mapping[UUID, str]
) -> tuple[Entry, ...]:
    """The lines of the ticket's chain; `names` are those of the people who act in it."""
    entries = [
        Entry(
            phase="done",
            at=event.at,
            words=words_of(event),
            who=who(event.actor, names, ticket.agent_name),
        )
        for event in events
    ]
    return (*entries, *_ahead(ticket))


def words_of(event: AuditEvent) -> str:
    """An event in words."""
    verdict = event.detail.get("verdict") if event.action == "voted" else None
    if verdict in VOTES:
        return VOTES[verdict]
    return WORDS.get(event.action, event.action.replace("_", " ").capitalize())


def who(actor: str, names: Mapping[UUID, str], agent: str = "") -> str:
    """An actor's name for eyes: a person's, the agent's, or which part of the system."""
    kind, _, rest = actor.partition(":")
    if kind == "person":
        try:
            return names.get(UUID(rest), "somebody who is gone")
        except ValueError:
            return rest
    if kind == "agent":
        return agent or "the agent"
    return "" if actor == "system:gateway" else rest.replace(":", " ")


def people_in(events: Sequence[AuditEvent]) -> frozenset[UUID]:
    """The people who act in these events."""
    found = set()
    for event in events:
        kind, _, rest = event.actor.partition(":")
        if kind == "person":
            try:
                found.add(UUID(rest))
            except ValueError:
                continue
    return frozenset(found)


def _ahead(ticket: Ticket) -> tuple[Entry, ...]:
    match State(ticket.state):
        case State.PENDING:
            return (
                Entry(phase="now", at=None, words="Waiting for people to decide"),
                Entry(phase="next", at=ticket.approval_expires_at, words="Expires, nothing runs"),
            )
        case State.APPROVED | State.CLAIMED:
            return (
                Entry(phase="now", at=None, words="About to run"),
                Entry(phase="next", at=ticket.execution_expires_at, words="Too late to run"),
            )
        case State.SENT:
            return (Entry(phase="now", at=None, words="Waiting for the upstream's answer"),)
        case State.OUTCOME_UNKNOWN if ticket.annotated_at is None:
            words = "Waiting for a person to record what happened"
            return (Entry(phase="now", at=None, words=words),)
        case _:
            return ()
