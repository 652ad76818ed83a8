"""Sealed payloads: arguments, results and free text, encrypted at rest and purgeable.

AES-256-GCM under the installation's sealing key. The cipher authenticates the payload's other
columns too. A commitment (SHA-256 over a random salt and the plain bytes) stands in audit rows;
purging removes the salt, so that what is left cannot be guessed against.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from approvals import conf
from approvals.audit.chain import append
from approvals.audit.fingerprints import attest, instant
from approvals.domain.canonical import JSON, canonical_bytes
from approvals.domain.states import OPEN
from approvals.models import (
    Decision,
    Edit,
    Handoff,
    Payload,
    Remark,
    Ticket,
    TypedAnswer,
    database_now,
)
from approvals.models.plain import insert_all

NONCE_BYTES = 12
SALT_BYTES = 32


class PayloadPurged(Exception):
    """The payload's bytes were removed when their retention ended."""


class SealBroken(Exception):
    """The payload cannot be opened: it was changed, or its key is not among ours."""


def seal(kind: str, data: bytes) -> Payload:
    """Store `data` (exact bytes) encrypted; returns the saved row."""
    payload = _sealed(kind, data)
    payload.save(force_insert=True)
    return payload


def seal_all(kind: str, many: Sequence[bytes]) -> list[Payload]:
    """Store each of `many` encrypted, by one plain statement: calls are recorded in groups."""
    return seal_several(*((kind, data) for data in many))


def seal_several(*several: tuple[str, bytes]) -> list[Payload]:
    """Store each `(kind, data)` encrypted, by one plain statement."""
    payloads = [_sealed(kind, data) for kind, data in several]
    insert_all(payloads)
    return payloads


def _sealed(kind: str, data: bytes) -> Payload:
    """An unsaved row that holds `data` encrypted."""
    key_id, key = next(iter(conf.sealing_keys().items()))
    salt = secrets.token_bytes(SALT_BYTES)
    payload = Payload(
        kind=kind,
        key_id=key_id,
        nonce=secrets.token_bytes(NONCE_BYTES),
        salt=salt,
        commitment=commitment(salt, data),
        size=len(data),
        created_at=timezone.now(),
    )
    payload.ciphertext = AESGCM(key).encrypt(bytes(payload.nonce or b""), data, _bound(payload))
    return payload


def unseal(payload: Payload) -> bytes:
    """The plain bytes; raises PayloadPurged or SealBroken."""
    if payload.purged_at is not None:
        raise PayloadPurged(f"payload {payload.pk} was purged")
    key = conf.sealing_keys().get(payload.key_id)
    if key is None:
        raise SealBroken(f"payload {payload.pk} is sealed with a key that is not configured")
    if payload.nonce is None or payload.salt is None or payload.ciphertext is None:
        raise SealBroken(f"payload {payload.pk} is incomplete")
    try:
        data = AESGCM(key).decrypt(bytes(payload.nonce), bytes(payload.ciphertext), _bound(payload))
    except (InvalidTag, ValueError):
        raise SealBroken(f"payload {payload.pk} was changed after it was sealed") from None
    if not hmac.compare_digest(commitment(bytes(payload.salt), data), bytes(payload.commitment)):
        raise SealBroken(f"payload {payload.pk} does not match its commitment")
    return data


def commitment(salt: bytes, data: bytes) -> bytes:
    """What audit rows say about `data` (32 bytes) without giving anything away."""
    return hashlib.sha256(salt + data).digest()


def evidence(*payloads: Payload) -> dict[str, JSON]:
    """A part of an audit row's detail that commits to `payloads`, by key."""
    return {"payloads": {str(p.pk): bytes(p.commitment).hex() for p in payloads}}


def purge(payload_id: UUID, *, actor: str) -> bool:
    """Remove the payload's bytes and salt for good, with an audit row; False: already gone."""
    with transaction.atomic():
        moved = Payload.objects.filter(pk=payload_id, purged_at__isnull=True).update(
            purged_at=database_now(), ciphertext=None, nonce=None, salt=None
        )
        if not moved:
            return False
        payload = Payload.objects.get(pk=payload_id)
        append(
            subject=f"payload:{payload_id}", actor=actor, action="purged", detail=attest(payload)
        )
    return True


def purge_older_than(*, days: float, limit: int = 500, actor: str = "system:retention") -> int:
    """Purge at most `limit` payloads older than `days` that no open ticket needs; how many."""
    held = Ticket.objects.filter(state__in=[state.value for state in OPEN])
    keys = (
        Payload.objects.filter(
            purged_at__isnull=True, created_at__lt=database_now() - timedelta(days=days)
        )
        .exclude(
            Q(pk__in=held.values("arguments_id"))
            | Q(pk__in=held.exclude(tool_definition=None).values("tool_definition_id"))
            | Q(pk__in=held.exclude(agent_says=None).values("agent_says_id"))
            | Q(pk__in=held.exclude(reason=None).values("reason_id"))
            | _of(Edit, "arguments_before", held)
            | _of(Edit, "reason", held)
            | _of(Decision, "reason", held)
            | _of(TypedAnswer, "payload", held)
            | _of(Remark, "words", held)
            | _of(Handoff, "words", held)
        )
        .order_by("created_at")
        .values_list("pk", flat=True)[:limit]
    )
    return _purge_each(list(keys), actor=actor)


def _of(model: type[Model], column: str, tickets: QuerySet[Ticket]) -> Q:
    """The payloads that stand in this column of rows about these tickets."""
    rows = model._default_manager.filter(ticket__in=tickets)  # noqa: SLF001 (Django's documented model API)
    return Q(pk__in=rows.exclude(**{column: None}).values(f"{column}_id"))


def _purge_each(keys: Iterable[UUID], *, actor: str) -> int:
    return sum(purge(key, actor=actor) for key in keys)


def _bound(payload: Payload) -> bytes:
    """The columns that the cipher authenticates beside the bytes."""
    return canonical_bytes(
        {
            "id": str(payload.pk),
            "kind": payload.kind,
            "key_id": payload.key_id,
            "commitment": bytes(payload.commitment).hex(),
            "size": payload.size,
            "created_at": instant(payload.created_at),
        }
    )
