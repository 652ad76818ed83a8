"""How an execution ends: with an answer, with proof that nothing ran, or with neither.

Whoever lost the fence settles nothing: its answer is kept as evidence and it is told so.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from approvals import transitions
from approvals.audit.sealing import seal
from approvals.domain.errors import StaleState
from approvals.domain.states import TERMINAL, State, UnknownReason
from approvals.models import Ticket
from approvals.services import actors
from approvals.services.contract import Claim

# What ended without an answer; a call that failed counts as long as it was not sent.
ENDED_UNSENT: Final = (State.REJECTED, State.EXPIRED, State.CANCELLED, State.FAILED)


def settle_succeeded(claim: Claim, result: bytes) -> None:
    """The upstream answered with a result (its exact JSON). Raises StaleState when too late."""
    _settle_sent(claim, State.SUCCEEDED, result)


def settle_failed(claim: Claim, error: bytes) -> None:
    """The upstream answered with an error (its exact JSON). Raises StaleState when too late."""
    _settle_sent(claim, State.FAILED, error)


def settle_unknown(claim: Claim, reason: UnknownReason) -> None:
    """Bytes may have left and no proof of the outcome came back. Raises StaleState."""
    with transaction.atomic(durable=True):
        transitions.unknown(
            ticket_id=claim.number,
            fence=claim.fence,
            reason=reason,
            actor=actors.worker(claim.worker),
        )


def fail_unsent(claim: Claim, why: str) -> None:
    """It certainly did not run: nothing was sent, or provably no byte left. Raises StaleState."""
    actor = actors.worker(claim.worker)
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.select_for_update().get(pk=claim.number)
        reason = seal("reason", why.encode())
        if ticket.state == State.SENT:
            transitions.fail_sent(
                ticket_id=claim.number,
                fence=claim.fence,
                result_payload_id=None,
                reason_payload_id=reason.pk,
                actor=actor,
            )
        else:
            transitions.fail_unsent(
                ticket_id=claim.number,
                fence=claim.fence,
                reason_payload_id=reason.pk,
                actor=actor,
            )


def late_answer(*, uid: UUID, evidence: bytes) -> None:
    """Keep an answer that came after the ticket had ended; does nothing while it has not."""
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.select_for_update().filter(uid=uid).first()
        if ticket is not None and ticket.state in TERMINAL:
            transitions.late_answer(
                ticket_id=ticket.pk,
                payload_id=seal("late_answer", evidence).pk,
                actor=actors.GATEWAY,
            )


def wind_up(uid: UUID) -> bool:
    """Note that a worker closed what a ticket without execution left open; False: was done."""
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.filter(uid=uid).first()
        if ticket is None or ticket.state not in ENDED_UNSENT or ticket.wound_up_at is not None:
            return False
        if ticket.state == State.FAILED and ticket.sent_at is not None:
            return False
        try:
            transitions.wound_up(ticket_id=ticket.pk, actor=actors.GATEWAY)
        except StaleState:
            return False
        return True


def _settle_sent(claim: Claim, target: State, answer: bytes) -> None:
    actor = actors.worker(claim.worker)
    refusal: StaleState | None = None
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.select_for_update().get(pk=claim.number)
        payload = seal("result" if ticket.state == State.SENT else "late_answer", answer)
        settle = transitions.succeed if target is State.SUCCEEDED else transitions.fail_sent
        try:
            settle(
                ticket_id=claim.number,
                fence=claim.fence,
                result_payload_id=payload.pk,
                actor=actor,
            )
        except StaleState as stale:
            refusal = stale
            if ticket.state in TERMINAL:
                transitions.late_answer(ticket_id=ticket.pk, payload_id=payload.pk, actor=actor)
    if refusal is not None:
        raise refusal
