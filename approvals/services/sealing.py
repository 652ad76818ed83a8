"""Sealing for rows of the layers above, which keep no plain arguments or results of their own."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from approvals.audit import sealing


def seal(kind: str, data: bytes) -> tuple[UUID, bytes]:
    """Store `data` sealed; its payload id and commitment (32 bytes). Joins a transaction."""
    payload = sealing.seal(kind, data)
    return payload.pk, bytes(payload.commitment)


def seal_all(kind: str, many: Sequence[bytes]) -> list[tuple[UUID, bytes]]:
    """Store each of `many` sealed, as `seal` does one. Joins a transaction."""
    sealed = sealing.seal_all(kind, many)
    return [(payload.pk, bytes(payload.commitment)) for payload in sealed]
