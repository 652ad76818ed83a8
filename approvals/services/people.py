"""Everybody the ledger knows: people, accounts, teams and reviewer groups."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from approvals.domain.canonical import JSON
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.models import User
from approvals.services.contract import *  # noqa: F403


def create_user(
    *,
    email: str,
    password: str | None,
    name: str = "",
    person_id: UUID | None = None,
    is_admin: bool = False,
    is_auditor: bool = False,
) -> PersonView:
    raise NotImplementedError


def ensure_person(
    *,
    email: str,
    name: str = "",
    password: str | None = None,
    is_admin: bool = False,
    is_auditor: bool = False,
) -> UUID:
    raise NotImplementedError


def ensure_group(*, slug: str, name: str = "") -> UUID:
    raise NotImplementedError


def ensure_team(*, slug: str, name: str = "", default_group: str | None = None) -> UUID:
    raise NotImplementedError


def set_members(
    *,
    people: Collection[UUID],
    group: str | None = None,
    team: str | None = None,
    actor: str = "system:apply",
) -> None:
    raise NotImplementedError


def directory() -> Directory:
    raise NotImplementedError


def is_admin(user: object) -> bool:
    raise NotImplementedError


def accounts_person(user: object) -> UUID | None:
    raise NotImplementedError
