"""Sealing for rows of the layers above, which keep no plain arguments or results of their own."""

from __future__ import annotations

from uuid import UUID

from approvals.audit import sealing


def seal(kind: str, data: bytes) -> tuple[UUID, bytes]:
    """Store `data` sealed; its payload id and commitment (32 bytes). Joins a transaction."""
    payload = sealing.seal(kind, data)
    return payload.pk, bytes(payload.commitment)
