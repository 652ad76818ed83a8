"""What happened to a ticket, in order, and what comes next; read from its audit chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.utils.translation import gettext, gettext_lazy

from approvals.domain.obligations import Escalation
from approvals.domain.states import State
from approvals.models import AuditEvent, Ticket

# An edge's or act's name in the audit chain, in words. An unknown one is shown as it is.
WORDS: Final = {
    "opened": gettext_lazy("Called and paused"),
    "opened_by_grant": gettext_lazy("Called, covered by a standing permission"),
    "approved": gettext_lazy("Quorum complete, approved"),
    "rejected": gettext_lazy("Rejected"),
    "expired_undecided": gettext_lazy("Expired, nobody decided"),
    "expired_approved": gettext_lazy("Expired before it ran"),
    "expired_claimed": gettext_lazy("Expired before it ran"),
    "cancelled_pending": gettext_lazy("Cancelled"),
    "cancelled_approved": gettext_lazy("Cancelled before it ran"),
    "cancelled_claimed": gettext_lazy("Cancelled before it ran"),
    "claimed": gettext_lazy("Taken up by a worker"),
    "sent": gettext_lazy("Sent"),
    "released": gettext_lazy("The worker disappeared before sending; open to others again"),
    "retried": gettext_lazy("No answer; may be tried again"),
    "failed_unsent": gettext_lazy("Failed before anything was sent"),
    "succeeded": gettext_lazy("The upstream answered"),
    "failed_sent": gettext_lazy("The upstream answered with an error"),
    "unknown": gettext_lazy("No usable answer: outcome unknown"),
    "voted": gettext_lazy("Voted"),
    "attached": gettext_lazy("Waits for this ticket again"),
    "requested_again": gettext_lazy("Called again; one execution serves both"),
    "handed_over": gettext_lazy("The agent was told to come back later"),
    "detached": gettext_lazy("The agent's connection closed"),
    "delivered": gettext_lazy("The outcome was handed to the agent"),
    "abort_requested": gettext_lazy("Asked to abort"),
    "revoked": gettext_lazy("The approval was revoked"),
    "annotated": gettext_lazy("A person recorded what happened"),
    "wound_up": gettext_lazy("Wound up: told everybody who waited"),
    "escalated": gettext_lazy("Nobody had decided in time; another group is asked as well"),
    "late_answer": gettext_lazy("An answer came too late and was kept as evidence"),
    "edited": gettext_lazy("Edited the arguments; earlier votes count no longer"),
    "commented": gettext_lazy("Commented"),
    "asked_owner": gettext_lazy("Asked the agent's owner"),
    "owner_answered": gettext_lazy("Answered a question"),
    "handed_on": gettext_lazy("Handed it on to another reviewer"),
    "judged_again": gettext_lazy("Judged again under newer rules: still asks people"),
}

VOTES: Final = {
    "approve": gettext_lazy("Voted to approve"),
    "reject": gettext_lazy("Voted to reject"),
    "withdraw": gettext_lazy("Took a vote back"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `phase` is done, now or next; `who` is a name that somebody chose."""

    phase: str
    at: datetime | None
    words: str
    who: str = ""


def present_timeline(
    ticket: Ticket,
    events: Sequence[AuditEvent],
    names: Mapping[UUID, str],
    *,
    escalate: Escalation | None = None,
    further: str = "",
) -> tuple[Entry, ...]:
    """The lines of the ticket's chain; `names` are those of the people who act in it.

    `escalate` is a second group's turn that is still to come, `further` that group's name.
    """
    entries = [
        Entry(
            phase="done",
            at=event.at,
            words=words_of(event),
            # Who seeded a test is told when it is over; until then it looks like any call.
            who=ticket.agent_name
            if event.action == "opened" and ticket.ended_at is None
            else who(event.actor, names, ticket.agent_name),
        )
        for event in events
    ]
    return (*entries, *_ahead(ticket, _turn(ticket, escalate, further)))


def words_of(event: AuditEvent) -> str:
    """An event in words."""
    verdict = event.detail.get("verdict") if event.action == "voted" else None
    if verdict in VOTES:
        return str(VOTES[verdict])
    return str(WORDS.get(event.action, event.action.replace("_", " ").capitalize()))


def who(actor: str, names: Mapping[UUID, str], agent: str = "") -> str:
    """An actor's name for eyes: a person's, the agent's, or which part of the system."""
    kind, _, rest = actor.partition(":")
    if kind == "person":
        try:
            return names.get(UUID(rest), gettext("somebody who is gone"))
        except ValueError:
            return rest
    if kind == "agent":
        return agent or gettext("the agent")
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


def _turn(ticket: Ticket, escalate: Escalation | None, further: str) -> tuple[Entry, ...]:
    if escalate is None:
        return ()
    at = ticket.created_at + timedelta(seconds=escalate.after_seconds)
    if at >= ticket.approval_expires_at:
        return ()
    words = gettext("If nobody has decided by then, another group is asked as well")
    return (Entry(phase="next", at=at, words=words, who=further),)


def _ahead(ticket: Ticket, turn: tuple[Entry, ...]) -> tuple[Entry, ...]:
    match State(ticket.state):
        case State.PENDING:
            return (
                Entry(phase="now", at=None, words=gettext("Waiting for people to decide")),
                *turn,
                Entry(
                    phase="next",
                    at=ticket.approval_expires_at,
                    words=gettext("Expires, nothing runs"),
                ),
            )
        case State.APPROVED | State.CLAIMED:
            return (
                Entry(phase="now", at=None, words=gettext("About to run")),
                Entry(
                    phase="next", at=ticket.execution_expires_at, words=gettext("Too late to run")
                ),
            )
        case State.SENT:
            return (
                Entry(phase="now", at=None, words=gettext("Waiting for the upstream's answer")),
            )
        case State.OUTCOME_UNKNOWN if ticket.annotated_at is None:
            words = gettext("Waiting for a person to record what happened")
            return (Entry(phase="now", at=None, words=words),)
        case _:
            return ()
