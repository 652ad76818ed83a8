"""What people do to a ticket: vote, withdraw, revoke, cancel, annotate."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from approvals.domain.canonical import JSON
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.models import User
from approvals.services.contract import *  # noqa: F403


def decide(
    *, uid: UUID, user: User, verdict: Answer, seen_digest: bytes, reason: str, nonce: str
) -> Decided:
    raise NotImplementedError


def withdraw_vote(*, uid: UUID, user: User, nonce: str) -> TicketView:
    raise NotImplementedError


def revoke_approval(*, uid: UUID, user: User) -> TicketView:
    raise NotImplementedError


def cancel_by_person(*, uid: UUID, user: User) -> TicketView:
    raise NotImplementedError


def annotate_unknown(*, uid: UUID, user: User, ran: bool | None, evidence: str) -> TicketView:
    raise NotImplementedError
