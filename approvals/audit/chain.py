"""One hash chain per subject: appending a link, and what a link's hash is made of.

A ticket's chain is serialised by the lock on the ticket's row. Other subjects have no such row:
there the unique (subject, seq) decides, and whoever loses reads the head again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from approvals.audit.fingerprints import instant
from approvals.domain.canonical import JSON, digest
from approvals.domain.errors import AuditBroken
from approvals.models import AuditEvent, DatabaseNow, database_now, plain

ORIGIN: Final = bytes(32)  # what the first link of every chain points back to
_TRIES: Final = 50


def ticket_subject(uid: UUID) -> str:
    """The subject of a ticket's chain."""
    return f"ticket:{uid}"


def canary_subject(uid: UUID) -> str:
    """The subject of the chain that says that a ticket is a test."""
    return f"canary:{uid}"


def event_hash(event: AuditEvent) -> bytes:
    """The hash (32 bytes) over every column of `event` except its key and the hash itself."""
    return digest(
        "audit-event",
        {
            "subject": event.subject,
            "seq": event.seq,
            "at": instant(event.at),
            "actor": event.actor,
            "action": event.action,
            "source": event.source,
            "target": event.target,
            "fence": event.fence,
            "detail": event.detail,
            "previous": bytes(event.previous).hex(),
        },
    )


def append(
    *,
    subject: str,
    actor: str,
    action: str,
    source: str = "",
    target: str = "",
    fence: int = 0,
    detail: Mapping[str, JSON] | None = None,
) -> AuditEvent:
    """Append a link to the chain of `subject`, in the caller's transaction.

    `detail` holds identifiers and hex digests, never free text. Raises AuditBroken when no place
    in the chain can be had.
    """
    require_transaction()
    for _ in range(_TRIES):
        head = (
            AuditEvent.objects.filter(subject=subject)
            .order_by("-seq")
            .annotate(db_now=DatabaseNow())
            .values("seq", "hash", "db_now")
            .first()
        )
        event = link(
            subject=subject,
            seq=head["seq"] + 1 if head else 1,
            previous=bytes(head["hash"]) if head else ORIGIN,
            at=head["db_now"] if head else database_now(),
            actor=actor,
            action=action,
            source=source,
            target=target,
            fence=fence,
            detail=detail,
        )
        try:
            with transaction.atomic():
                return store(event)
        except IntegrityError:
            continue  # somebody else took this place: read the head again
    raise AuditBroken(f"the audit chain of {subject} is taken again and again")


def link(
    *,
    subject: str,
    seq: int,
    previous: bytes,
    at: datetime,
    actor: str,
    action: str,
    source: str = "",
    target: str = "",
    fence: int = 0,
    detail: Mapping[str, JSON] | None = None,
) -> AuditEvent:
    """The link with its hash, not yet stored."""
    event = AuditEvent(
        subject=subject,
        seq=seq,
        at=at,
        actor=actor,
        action=action,
        source=source,
        target=target,
        fence=fence,
        detail=dict(detail or {}),
        previous=previous,
    )
    event.hash = event_hash(event)
    return event


def store(event: AuditEvent) -> AuditEvent:
    """Insert the link; raises IntegrityError when its place in the chain is taken."""
    require_transaction()
    stored, _ = plain.insert(event)
    event.pk = stored.pk
    return event


def require_transaction() -> None:
    """Refuse to record anything apart from the transaction of what is recorded."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "an audit row belongs into the transaction of what it records"
        )
