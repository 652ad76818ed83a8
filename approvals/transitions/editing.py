"""What an edit does to a ticket: a new revision, bound anew, on which nobody has voted yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from approvals.audit import attest
from approvals.audit.sealing import evidence
from approvals.domain.canonical import JSON
from approvals.domain.states import State
from approvals.models import Edit, Ticket
from approvals.transitions.deciding import as_seen
from approvals.transitions.gate import pass_gate
from approvals.transitions.primitive import write


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebound:
    """What the new revision is bound to, and the verdict that it was judged by."""

    nonce: bytes
    digest: bytes
    obligations: dict[str, JSON]
    verdict: dict[str, JSON]
    policy_id: int | None
    risk: str
    approval_expires_at: datetime


def edit(*, edit: Edit, rebound: Rebound, epoch: int, actor: str) -> Ticket:
    """Store an unsaved edit and make its revision the ticket's; votes so far count no more.

    Only while the ticket is pending, in time, and what the editor saw. Raises KillSwitchOn,
    AuthorityChanged (judged at another epoch) and StaleState.
    """
    pass_gate(epoch=epoch)
    edit.save(force_insert=True)
    stored = Edit.objects.select_related("reason").get(pk=edit.pk)
    return write(
        ticket_id=edit.ticket_id,
        states=(State.PENDING,),
        guard=as_seen(edit.revision - 1, bytes(edit.digest_before)),
        changes={
            "revision": F("revision") + 1,
            "arguments_id": edit.arguments_id,
            "nonce": rebound.nonce,
            "digest": rebound.digest,
            "obligations": rebound.obligations,
            "verdict": rebound.verdict,
            "policy_id": rebound.policy_id,
            "risk": rebound.risk,
            "approval_expires_at": rebound.approval_expires_at,
            "gate_epoch": epoch,
        },
        actor=actor,
        action="edited",
        detail={
            "revision": edit.revision,
            "digest_before": bytes(edit.digest_before).hex(),
            "digest": rebound.digest.hex(),
            "policy": rebound.policy_id,
            "epoch": epoch,
            **attest(stored),
            **(evidence(stored.reason) if stored.reason is not None else {}),
        },
    )
