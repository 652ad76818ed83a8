"""How tickets are born: waiting for people, or approved by a standing permission."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast
from uuid import UUID

from django.db.models import F

from approvals.audit import append, attest
from approvals.domain.canonical import JSON
from approvals.domain.errors import StaleState
from approvals.domain.states import State
from approvals.domain.wording import say
from approvals.models import DatabaseNow, Grant, Ticket, after_seconds, plain
from approvals.transitions.gate import pass_gate
from approvals.transitions.primitive import PAYLOADS, edge_name, record


def open_pending(
    *,
    ticket: Ticket,
    group_ids: Collection[UUID],
    actor: str,
    detail: Mapping[str, JSON] | None = None,
) -> Ticket:
    """Store an unsaved ticket as pending, asking the groups.

    `ticket.gate_epoch` is the epoch it was judged at. Raises KillSwitchOn, AuthorityChanged, and
    IntegrityError when an open ticket has the same repeat key.
    """
    pass_gate(epoch=ticket.gate_epoch)
    return _open(ticket, State.PENDING, group_ids=group_ids, actor=actor, detail=detail)


def open_by_grant(
    *,
    ticket: Ticket,
    group_ids: Collection[UUID],
    grant_id: UUID,
    execution_seconds: float,
    actor: str,
    detail: Mapping[str, JSON] | None = None,
) -> Ticket:
    """Store an unsaved ticket as approved and consume one use of its grant, never returned.

    Raises as `open_pending` does, and StaleState when the grant is spent, over or revoked, or is
    for another agent, tool, definition or upstream.
    """
    pass_gate(epoch=ticket.gate_epoch)
    used = Grant.objects.filter(
        pk=grant_id,
        team_id=ticket.team_id,
        agent_id=ticket.agent_id,
        upstream_id=ticket.upstream_id,
        upstream_digest=ticket.upstream_digest,
        tool_name=ticket.tool_name,
        tool_digest=ticket.tool_digest,
        revoked_at__isnull=True,
        expires_at__gt=DatabaseNow(),
        uses__lt=F("max_uses"),
    ).update(uses=F("uses") + 1)
    if not used:
        raise StaleState(say("This standing permission is spent, over or revoked."), grant=grant_id)
    ticket.grant_id = grant_id
    ticket.decided_at = cast("None", DatabaseNow())
    ticket.execution_expires_at = cast("None", after_seconds(execution_seconds))
    fresh = _open(
        ticket,
        State.APPROVED,
        group_ids=group_ids,
        actor=actor,
        detail={**(detail or {}), "grant": str(grant_id)},
    )
    append(
        subject=f"grant:{grant_id}",
        actor=actor,
        action="used",
        detail={"ticket": str(fresh.uid), **attest(Grant.objects.get(pk=grant_id))},
    )
    return fresh


def _open(
    ticket: Ticket,
    state: State,
    *,
    group_ids: Collection[UUID],
    actor: str,
    detail: Mapping[str, JSON] | None,
) -> Ticket:
    ticket.state = state
    payloads = [row for name in PAYLOADS if (row := getattr(ticket, name)) is not None]
    stored, now = plain.insert(ticket)
    ticket.pk = stored.pk
    for name in PAYLOADS:  # whoever has them need not read them again
        setattr(stored, name, getattr(ticket, name))
    asked = [
        plain.insert(Ticket.groups.through(ticket_id=stored.pk, reviewergroup_id=key))[0]
        for key in sorted(set(group_ids))
    ]
    return record(
        ticket=stored,
        at=now,
        written=PAYLOADS,
        actor=actor,
        action=edge_name(None, state),
        target=state,
        detail={
            **(detail or {}),
            "groups": {str(row.pk): str(row.reviewergroup_id) for row in asked},
        },
        new=payloads,
    )
