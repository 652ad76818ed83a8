"""Writes that leave the state alone: deliveries, requests, notes, and the epoch of authority."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db.models import F, Q

from approvals.audit.sealing import evidence
from approvals.domain.canonical import JSON
from approvals.domain.states import OPEN, TERMINAL, State
from approvals.models import DatabaseNow, Payload, Ticket
from approvals.transitions.primitive import write


def request_abort(*, ticket_id: int, actor: str) -> Ticket:
    """Ask for a sent call to be cancelled upstream; what comes of it is the executor's to say."""
    return write(
        ticket_id=ticket_id,
        states=(State.SENT,),
        guard=Q(abort_requested_at__isnull=True),
        changes={"abort_requested_at": DatabaseNow()},
        actor=actor,
        action="abort_requested",
    )


def mark_delivered(*, ticket_id: int, actor: str) -> Ticket:
    """The first answer with the outcome goes out; StaleState when one already went."""
    return write(
        ticket_id=ticket_id,
        states=TERMINAL,
        guard=Q(delivered_at__isnull=True),
        changes={"delivered_at": DatabaseNow()},
        actor=actor,
        action="delivered",
    )


def count_request(*, ticket_id: int, actor: str) -> Ticket:
    """One more request for the same execution."""
    return write(
        ticket_id=ticket_id,
        changes={"requests": F("requests") + 1},
        actor=actor,
        action="requested_again",
    )


def annotate(
    *,
    ticket_id: int,
    payload_id: UUID,
    actor: str,
    detail: Mapping[str, JSON] | None = None,
) -> Ticket:
    """What a person found out about an unknown outcome; written once."""
    return write(
        ticket_id=ticket_id,
        states=(State.OUTCOME_UNKNOWN,),
        guard=Q(annotated_at__isnull=True),
        changes={"annotation_id": payload_id, "annotated_at": DatabaseNow()},
        actor=actor,
        action="annotated",
        detail=detail,
    )


def wound_up(*, ticket_id: int, actor: str) -> Ticket:
    """A worker closed what a ticket that ended without an answer had left open."""
    return write(
        ticket_id=ticket_id,
        states=TERMINAL,
        guard=Q(wound_up_at__isnull=True),
        changes={"wound_up_at": DatabaseNow()},
        actor=actor,
        action="wound_up",
    )


def touch_epoch(
    *, ticket_id: int, epoch: int, actor: str, detail: Mapping[str, JSON] | None = None
) -> Ticket:
    """The call was judged again at `epoch` and may go on."""
    return write(
        ticket_id=ticket_id,
        states=OPEN - {State.SENT},
        guard=Q(gate_epoch__lt=epoch),
        changes={"gate_epoch": epoch},
        actor=actor,
        action="judged_again",
        detail={**(detail or {}), "epoch": epoch},
    )


def late_answer(*, ticket_id: int, payload_id: UUID, actor: str) -> Ticket:
    """An answer that came too late to count is kept as evidence, and changes nothing else."""
    payload = Payload.objects.only("pk", "commitment").get(pk=payload_id)
    return write(
        ticket_id=ticket_id,
        states=TERMINAL,
        changes={},
        actor=actor,
        action="late_answer",
        detail=evidence(payload),
    )
