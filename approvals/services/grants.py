"""Standing permissions: made from a ticket, narrow, counted, revocable."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from approvals.domain.canonical import JSON
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.models import User
from approvals.services.contract import *  # noqa: F403


def create_grant(
    *, uid: UUID, user: User, pins: dict[str, JSON], max_uses: int, seconds: int
) -> GrantView:
    raise NotImplementedError


def revoke_grant(*, grant_id: UUID, user: User) -> int:
    raise NotImplementedError
