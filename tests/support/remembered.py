"""Rows that services made once, put back as they were: making them again costs a tenth of a second.

Nearly every test starts with the same people. The first time they are made by the real services;
into a database without anybody, the same rows are inserted again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from approvals.models import (
    AuditEvent,
    GroupMembership,
    Person,
    ReviewerGroup,
    Team,
    TeamMembership,
    User,
)

MODELS: Sequence[type[Model]] = (
    Person, User, ReviewerGroup, GroupMembership, Team, TeamMembership, AuditEvent,
)  # fmt: skip
NUMBERED = (GroupMembership, TeamMembership, AuditEvent)  # the database counts these itself

type Rows = list[tuple[type[Model], list[dict[str, Any]]]]
_remembered: dict[tuple[object, ...], Rows] = {}


def people(name: str, make: Callable[[], object]) -> None:
    """Have the people that `make` makes; `name` says which."""
    if Person.objects.exists():
        make()
        return
    key = (name, *settings.PASSWORD_HASHERS)
    rows = _remembered.get(key)
    if rows is None:
        before = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        make()
        _remembered[key] = [(model, _rows(model, before)) for model in MODELS]
        return
    with transaction.atomic():
        for model, values in rows:
            model._default_manager.bulk_create([model(**row) for row in values])


def _rows(model: type[Model], before: int) -> list[dict[str, Any]]:
    rows = model._default_manager.order_by("pk")
    if model is AuditEvent:
        rows = rows.filter(pk__gt=before)
    found = [dict(row) for row in rows.values()]
    if model in NUMBERED:
        for row in found:
            del row["id"]
    return found
