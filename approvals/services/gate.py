"""The gate: the kill switch, and the epoch that every change of authority moves.

A kill is one short transaction; what it stops is then stopped in batches, and no promise waits
for those, because every send reads the gate row in its own transaction.
"""

from __future__ import annotations

from django.db import transaction

from approvals import audit as chain
from approvals import transitions
from approvals.domain.canonical import JSON
from approvals.domain.errors import NotEligible
from approvals.domain.states import CancelReason
from approvals.domain.telling import Kind
from approvals.domain.wording import say
from approvals.models import Gate, User
from approvals.services import actors
from approvals.services.contract import GateView
from approvals.services.lifecycle import cancel_all
from approvals.services.notifications import tell


def gate() -> GateView:
    """The gate as it stands; promises nothing about the next moment."""
    return _view(Gate.objects.select_related("killed_by").get(pk=1))


def epoch() -> int:
    """The gate's epoch alone; promises nothing about the next moment."""
    return Gate.objects.values_list("epoch", flat=True).get(pk=1)


def gate_for_share() -> GateView:
    """The gate, held still until the caller's transaction ends. Joins."""
    killed, epoch, policy = transitions.gate_facts_for_share()
    if killed:
        return gate()  # who killed it stands in another row
    return GateView(killed=False, epoch=epoch, policy_version=policy)


def bump_epoch(
    *, subject: str, actor: str, action: str, detail: dict[str, JSON] | None = None
) -> int:
    """Make every judgement so far stale, and record why; the new epoch. Joins.

    Bump first, then cancel tickets: whoever holds both locks took the gate's first.
    """
    with transaction.atomic():
        row = transitions.bump_epoch(actor=actor, because=f"{subject} {action}"[:100])
        chain.append(
            subject=subject,
            actor=actor,
            action=action,
            detail={**(detail or {}), "epoch": row.epoch},
        )
        return row.epoch


def audit(*, subject: str, actor: str, action: str, detail: dict[str, JSON] | None = None) -> None:
    """Record an administrative act that moves no authority. Joins."""
    with transaction.atomic():
        chain.append(subject=subject, actor=actor, action=action, detail=detail)


def kill(*, user: User) -> GateView:
    """Stop everything: no approval, claim or send commits after this returns.

    Open tickets that were not sent are cancelled, sent ones are asked to abort. Raises
    NotEligible unless the user is an admin.
    """
    _require_admin(user)
    actor = actors.person(user.person_id)
    with transaction.atomic(durable=True):
        if not Gate.objects.select_for_update().get(pk=1).killed:
            row = transitions.set_kill(killed=True, person_id=user.person_id, actor=actor)
            tell(kind=Kind.STOPPED, by=user.person_id, occasion=str(row.epoch))
    cancel_all(reason=CancelReason.KILL_SWITCH, actor=actor)
    return gate()


def unkill(*, user: User) -> GateView:
    """Let calls run again. Nothing from before comes back: what is still open is cancelled first.

    Raises NotEligible unless the user is an admin.
    """
    _require_admin(user)
    actor = actors.person(user.person_id)
    if gate().killed:
        cancel_all(reason=CancelReason.KILL_SWITCH, actor=actor)
    with transaction.atomic(durable=True):
        if Gate.objects.select_for_update().get(pk=1).killed:
            # With the gate locked no ticket can open, so whatever is left here is the last.
            cancel_all(reason=CancelReason.KILL_SWITCH, actor=actor, joins=True)
            row = transitions.set_kill(killed=False, person_id=user.person_id, actor=actor)
            tell(kind=Kind.RESUMED, by=user.person_id, occasion=str(row.epoch))
    return gate()


def _require_admin(user: User) -> None:
    if not (user.is_active and user.person.is_admin):
        raise NotEligible(say("Only an admin may use the kill switch."))


def _view(row: Gate) -> GateView:
    return GateView(
        killed=row.killed,
        epoch=row.epoch,
        policy_version=row.policy_id,
        since=row.killed_at,
        by=row.killed_by.name if row.killed_by else "",
    )
