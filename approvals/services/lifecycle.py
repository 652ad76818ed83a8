"""What happens to tickets by themselves or all at once: deadlines, sweeps, cancellations."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from approvals.domain.canonical import JSON
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.models import User
from approvals.services.contract import *  # noqa: F403


def sweep(limit: int = 200) -> Swept:
    raise NotImplementedError


def cancel_tickets(
    *,
    reason: CancelReason,
    actor: str,
    token_id: UUID | None = None,
    agent_id: UUID | None = None,
    upstream_id: UUID | None = None,
    tool_name: str | None = None,
) -> int:
    raise NotImplementedError
