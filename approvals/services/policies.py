"""Judging calls by the policy of today, and publishing the next one."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from approvals.domain.canonical import JSON
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.models import User
from approvals.services.contract import *  # noqa: F403


def judge(facts: CallFacts) -> Judgement:
    raise NotImplementedError


def publish_policy(*, document: object, by_person_id: UUID | None = None, note: str = "") -> int:
    raise NotImplementedError


def current_policy() -> tuple[int | None, dict[str, JSON]]:
    raise NotImplementedError
