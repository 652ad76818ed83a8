"""Standing permissions come into being and are revoked here; `opening` consumes their uses."""

from __future__ import annotations

from uuid import UUID

from approvals.audit import append, attest
from approvals.domain.errors import StaleState
from approvals.domain.wording import say
from approvals.models import DatabaseNow, Grant


def make_grant(*, grant: Grant, actor: str) -> Grant:
    """Store an unsaved grant with its audit row."""
    grant.save(force_insert=True)
    fresh = Grant.objects.get(pk=grant.pk)
    append(
        subject=f"grant:{fresh.pk}",
        actor=actor,
        action="granted",
        detail={"made_from": str(fresh.made_from.uid), **attest(fresh)},
    )
    return fresh


def revoke_grant(*, grant_id: UUID, person_id: UUID | None, actor: str) -> Grant:
    """Revoke a grant for good; StaleState when it already is. The cancellations follow."""
    moved = Grant.objects.filter(pk=grant_id, revoked_at__isnull=True).update(
        revoked_at=DatabaseNow(), revoked_by_id=person_id
    )
    if not moved:
        raise StaleState(say("This standing permission is already revoked."), grant=grant_id)
    fresh = Grant.objects.get(pk=grant_id)
    append(subject=f"grant:{grant_id}", actor=actor, action="grant_revoked", detail=attest(fresh))
    return fresh
