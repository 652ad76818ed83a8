"""What people add to a ticket without moving it: words, and whose list it stands in."""

from __future__ import annotations

from approvals.audit import attest
from approvals.audit.sealing import evidence
from approvals.domain.states import State
from approvals.models import Handoff, Remark, Ticket
from approvals.transitions.primitive import write


def remark(*, remark: Remark, actor: str) -> Ticket:
    """Store an unsaved comment, question or answer, in whatever state the ticket is."""
    remark.save(force_insert=True)
    stored = Remark.objects.select_related("words").get(pk=remark.pk)
    return write(
        ticket_id=remark.ticket_id,
        changes={},
        actor=actor,
        action={
            Remark.Kind.COMMENT: "commented",
            Remark.Kind.QUESTION: "asked_owner",
            Remark.Kind.ANSWER: "owner_answered",
        }[Remark.Kind(remark.kind)],
        detail={**attest(stored), **evidence(stored.words)},
    )


def hand_on(*, handoff: Handoff, actor: str) -> Ticket:
    """Store an unsaved handoff while people still decide. Raises StaleState."""
    handoff.save(force_insert=True)
    stored = Handoff.objects.select_related("words").get(pk=handoff.pk)
    return write(
        ticket_id=handoff.ticket_id,
        states=(State.PENDING,),
        changes={},
        actor=actor,
        action="handed_on",
        detail={
            **attest(stored),
            **(evidence(stored.words) if stored.words is not None else {}),
        },
    )
