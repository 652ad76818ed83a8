"""The gate: the kill switch and the epoch of authority."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from approvals.domain.canonical import JSON
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.models import User
from approvals.services.contract import *  # noqa: F403


def gate() -> GateView:
    raise NotImplementedError


def gate_for_share() -> GateView:
    raise NotImplementedError


def kill(*, user: User) -> GateView:
    raise NotImplementedError


def unkill(*, user: User) -> GateView:
    raise NotImplementedError


def bump_epoch(
    *, subject: str, actor: str, action: str, detail: dict[str, JSON] | None = None
) -> int:
    raise NotImplementedError


def audit(*, subject: str, actor: str, action: str, detail: dict[str, JSON] | None = None) -> None:
    raise NotImplementedError
