"""The one compare-and-swap under every transition, and the guards that several share.

`write` is the only statement that updates a ticket. It takes conditions and new values and does
not know what they mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import F, Q

from approvals import events
from approvals.audit import attest, ticket_subject
from approvals.audit.chain import ORIGIN, link, require_transaction, store
from approvals.audit.sealing import evidence
from approvals.domain.canonical import JSON
from approvals.domain.errors import AuditBroken, IllegalTransition, StaleState
from approvals.domain.states import EDGES, State
from approvals.models import DatabaseNow, Payload, Ticket, plain

PAYLOADS: Final = (
    "arguments", "tool_definition", "agent_says", "result", "reason", "annotation",
)  # fmt: skip
NEXT_FENCE: Final = F("fence") + 1
NO_CLAIM: Final[Mapping[str, Any]] = {
    "claimed_by": "",
    "claimed_at": None,
    "lease_expires_at": None,
}
_EDGE_NAMES = {(edge.source, edge.target): edge.name for edge in EDGES}


def approval_live() -> Q:
    """Not revoked, and its time to execute ahead of the database's clock."""
    return Q(revoked_at__isnull=True, execution_expires_at__gt=DatabaseNow())


def lease_alive() -> Q:
    """The executor's lease is ahead of the database's clock."""
    return Q(lease_expires_at__gt=DatabaseNow())


def lease_dead() -> Q:
    """The executor's lease ran out by the database's clock."""
    return Q(lease_expires_at__lte=DatabaseNow())


def edge_name(source: State | None, target: State) -> str:
    """The name of the edge; raises IllegalTransition where there is none."""
    try:
        return _EDGE_NAMES[source, target]
    except KeyError:
        raise IllegalTransition(
            f"A ticket cannot go from {source or 'nothing'} to {target}."
        ) from None


def move(
    *,
    ticket_id: int,
    source: State,
    target: State,
    guard: Q | None = None,
    changes: Mapping[str, Any] | None = None,
    actor: str,
    detail: Mapping[str, JSON] | None = None,
) -> Ticket:
    """Move the ticket along one edge if it stands there and `guard` holds; raises StaleState."""
    return write(
        ticket_id=ticket_id,
        states=(source,),
        guard=guard,
        changes={**(changes or {}), "state": target},
        actor=actor,
        action=edge_name(source, target),
        source=source,
        target=target,
        detail=detail,
    )


def write(
    *,
    ticket_id: int,
    states: Collection[State] | None = None,
    guard: Q | None = None,
    changes: Mapping[str, Any],
    actor: str,
    action: str,
    source: State | None = None,
    target: State | None = None,
    detail: Mapping[str, JSON] | None = None,
) -> Ticket:
    """Change the ticket if its state and `guard` allow it, with its audit row; raises StaleState.

    `states` None means any state.
    """
    require_transaction()
    _lock(ticket_id)
    rows = Ticket.objects.filter(pk=ticket_id)
    if states is not None:
        rows = rows.filter(state__in=states)
    if guard is not None:
        rows = rows.filter(guard)
    if not rows.update(**changes, version=F("version") + 1):
        raise StaleState(ticket=ticket_id, action=action)
    ticket, now = plain.read(Ticket, ticket_id)
    return record(
        ticket=ticket,
        at=now,
        written=changes,
        actor=actor,
        action=action,
        source=source,
        target=target,
        detail=detail,
    )


def record(
    *,
    ticket: Ticket,
    at: datetime,
    written: Collection[str],
    actor: str,
    action: str,
    source: State | None = None,
    target: State | None = None,
    detail: Mapping[str, JSON] | None = None,
    new: Collection[Payload] | None = None,
) -> Ticket:
    """Append the audit row for a write that this transaction just made; returns the row.

    `ticket` is the row as it is stored, `at` the database's clock. The ticket's version counts its
    audit rows: where that does not add up, AuditBroken is raised and the caller's transaction with
    it undone. `new` are the payloads of a ticket that this transaction inserted: its chain has no
    head, which the first place, given once, makes sure of.
    """
    head = _head(ticket) if new is None else None
    if (head[0] if head else 0) != ticket.version - 1:
        raise AuditBroken(
            f"ticket {ticket.pk} is at version {ticket.version}, "
            f"but its chain has {head[0] if head else 0} audit rows"
        )
    committed = _commitments(ticket, written) if new is None else evidence(*new)
    full: dict[str, JSON] = {**(detail or {}), **committed}
    rows = full.get("rows")
    full["rows"] = {**(rows if isinstance(rows, dict) else {}), **_attested(ticket)}
    store(
        link(
            subject=ticket_subject(ticket.uid),
            seq=ticket.version,
            previous=bytes(head[1]) if head else ORIGIN,
            at=at,
            actor=actor,
            action=action,
            source=source.value if source else "",
            target=target.value if target else "",
            fence=ticket.fence,
            detail=full,
        )
    )
    events.ticket_changed(ticket.uid, ticket.version, ticket.state, ticket.team_id)
    return ticket


def _head(ticket: Ticket) -> tuple[int, bytes | memoryview] | None:
    """The last link of the ticket's chain: its place and hash."""
    links = "SELECT seq, hash FROM approvals_auditevent WHERE subject = %s"
    head = plain.one(f"{links} ORDER BY seq DESC LIMIT 1", ticket_subject(ticket.uid))
    return None if head is None else (head[0], head[1])


def _lock(ticket_id: int) -> None:
    """Wait for the row first, so that the guards look at the clock when it is ours.

    An UPDATE that waited behind a mere lock does not look at its conditions again.
    """
    if connection.features.has_select_for_update:
        plain.one("SELECT 1 FROM approvals_ticket WHERE id = %s FOR UPDATE", ticket_id)


def _attested(ticket: Ticket) -> dict[str, JSON]:
    rows = attest(ticket)["rows"]
    return rows if isinstance(rows, dict) else {}


def _commitments(ticket: Ticket, written: Collection[str]) -> dict[str, JSON]:
    """What the audit row says about the payloads that this write tied to the ticket."""
    names = [name for name in PAYLOADS if name in written or f"{name}_id" in written]
    keys = [key for name in names if (key := getattr(ticket, f"{name}_id")) is not None]
    if not keys:
        return {}
    return evidence(*Payload.objects.filter(pk__in=keys).only("pk", "commitment"))
