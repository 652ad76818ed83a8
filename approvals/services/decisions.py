"""What people do to a ticket: vote, take a vote back, revoke, cancel, find out what happened.

The gate is locked before the ticket, the ticket before anything is read of it.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from approvals import ports, transitions
from approvals.audit.sealing import seal
from approvals.domain.canonical import canonical_bytes
from approvals.domain.errors import (
    AlreadyDecided,
    EvidenceRequired,
    NotAnnotatable,
    NotEligible,
    RevokeTooLate,
    StaleState,
)
from approvals.domain.states import CANCELLABLE, CancelReason, State
from approvals.domain.wording import say
from approvals.models import Ticket, User
from approvals.selectors.votes import eligible_people
from approvals.services import actors
from approvals.services.ballots import words_of
from approvals.services.contract import TicketView
from approvals.services.grants import revoke_made_from
from approvals.services.tickets import view_of, visible
from approvals.services.voting import decide, withdraw_vote

EXECUTABLE: Final = (State.APPROVED, State.CLAIMED)

__all__ = [
    "annotate_unknown",
    "cancel_by_person",
    "decide",
    "revoke_approval",
    "withdraw_vote",
]


def revoke_approval(*, uid: UUID, user: User) -> TicketView:
    """Take the approval back before the call is sent; the ticket is cancelled.

    Whoever may vote on the ticket may, and every admin. Raises NotVisible, NotEligible,
    RevokeTooLate, StaleState (there is no approval).
    """
    actor = actors.person(user.person_id)
    with transaction.atomic(durable=True):
        transitions.gate_for_share()
        ticket = visible(uid, user)
        _require_standing(ticket, user)
        if ticket.state == State.PENDING:
            raise StaleState(say("This ticket is not approved, so there is nothing to revoke."))
        if ticket.state not in EXECUTABLE:
            raise RevokeTooLate(state=ticket.state)
        revoke_made_from(ticket, user)
        transitions.revoke(ticket_id=ticket.pk, actor=actor)
        ticket = transitions.cancel(
            ticket_id=ticket.pk, reason=CancelReason.APPROVAL_REVOKED, actor=actor
        )
        transaction.on_commit(lambda: ports.ended(uid))
        return view_of(ticket)


def cancel_by_person(*, uid: UUID, user: User) -> TicketView:
    """The agent's owner or an operator calls it off: cancelled, or if it was sent, aborted.

    Raises NotVisible, NotEligible, AlreadyDecided (it is over).
    """
    actor = actors.person(user.person_id)
    with transaction.atomic(durable=True):
        transitions.gate_for_share()
        ticket = visible(uid, user)
        owns = user.person_id in _owners(ticket)
        if not owns:
            _require_standing(ticket, user)
        if ticket.state in CANCELLABLE:
            ticket = transitions.cancel(
                ticket_id=ticket.pk,
                reason=CancelReason.OWNER if owns else CancelReason.OPERATOR,
                actor=actor,
            )
            transaction.on_commit(lambda: ports.ended(uid))
        elif ticket.state == State.SENT:
            if ticket.abort_requested_at is None:
                ticket = transitions.request_abort(ticket_id=ticket.pk, actor=actor)
        else:
            raise AlreadyDecided(say("This ticket is already over."), state=ticket.state)
        return view_of(ticket)


def annotate_unknown(*, uid: UUID, user: User, ran: bool | None, evidence: str) -> TicketView:
    """Record what really happened to a call whose outcome is unknown, and how one knows.

    `ran` None: it cannot be found out. Written once, by the agent's owner, whoever may vote on
    the ticket, or an admin. Raises NotVisible, NotEligible, NotAnnotatable, EvidenceRequired,
    ReasonTooLong.
    """
    words = words_of(evidence)
    if not words:
        raise EvidenceRequired
    with transaction.atomic(durable=True):
        ticket = visible(uid, user)
        if user.person_id not in _owners(ticket):
            _require_standing(ticket, user)
        if ticket.state != State.OUTCOME_UNKNOWN:
            raise NotAnnotatable(state=ticket.state)
        if ticket.annotated_at is not None:
            raise NotAnnotatable(say("Somebody has already recorded what happened."))
        payload = seal("annotation", canonical_bytes({"ran": ran, "evidence": words}))
        ticket = transitions.annotate(
            ticket_id=ticket.pk, payload_id=payload.pk, actor=actors.person(user.person_id)
        )
        return view_of(ticket)


def _require_standing(ticket: Ticket, user: User) -> None:
    """Refuse anybody who neither may vote on the ticket nor is an admin."""
    if not user.person.is_admin and user.person_id not in eligible_people(ticket):
        raise NotEligible


def _owners(ticket: Ticket) -> set[UUID]:
    owner_now = ports.owner_of_agent(ticket.agent_id)
    return {ticket.person_id} | ({owner_now} if owner_now else set())
