"""Executing what was approved: claim, send, settle."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from approvals.domain.canonical import JSON
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.models import User
from approvals.services.contract import *  # noqa: F403


def executable(limit: int = 20) -> list[UUID]:
    raise NotImplementedError


def claim(*, uid: UUID, worker: str) -> Claim | None:
    raise NotImplementedError


def renew(claim: Claim) -> bool:
    raise NotImplementedError


def record_send(claim: Claim, *, tool_digest: bytes, upstream_digest: bytes) -> None:
    raise NotImplementedError


def settle_succeeded(claim: Claim, result: bytes) -> None:
    raise NotImplementedError


def settle_failed(claim: Claim, error: bytes) -> None:
    raise NotImplementedError


def settle_unknown(claim: Claim, reason: UnknownReason) -> None:
    raise NotImplementedError


def fail_unsent(claim: Claim, why: str) -> None:
    raise NotImplementedError


def late_answer(*, uid: UUID, evidence: bytes) -> None:
    raise NotImplementedError


def abort_wanted(uid: UUID) -> bool:
    raise NotImplementedError


def wind_up(uid: UUID) -> bool:
    raise NotImplementedError
