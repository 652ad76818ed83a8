"""What the record says of the keys of accounts: added, removed, and when.

The chain of an account names each passkey by digests. A key that no link added signs nothing,
whatever a row elsewhere may say.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from approvals.models import AuditEvent

KEY_ADDED: Final = "passkey_added"
KEY_REMOVED: Final = "passkey_removed"


def account_subject(user_id: UUID) -> str:
    """The subject of an account's chain."""
    return f"account:{user_id}"


def key_digest(public_key: bytes) -> str:
    """How a chain names a public key (COSE, CBOR)."""
    return sha256(public_key).hexdigest()


def is_registered(user_id: UUID, public_key: bytes, *, at: datetime | None = None) -> bool:
    """Whether the key was the account's by the record: now, or as it stood at a time."""
    events = AuditEvent.objects.filter(
        subject=account_subject(user_id), action__in=(KEY_ADDED, KEY_REMOVED)
    ).order_by("seq")
    if at is not None:
        events = events.filter(at__lte=at)
    wanted = key_digest(public_key)
    ours = [event.action for event in events if event.detail.get("public_key") == wanted]
    return bool(ours) and ours[-1] == KEY_ADDED
