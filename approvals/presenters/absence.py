"""When a person is away and who stands in, for them and for those whose word they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext

from approvals.models import Absence, Person, ReviewerGroup, User
from approvals.presenters.choices import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceRow:
    """One absence that is not over."""

    who: str
    is_you: bool
    starts: datetime
    ends: datetime
    is_now: bool
    stand_in: str  # empty where nobody does
    you_stand_in: bool
    groups: str
    end_url: str  # empty where the viewer may not end it


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsencePage:
    """The whole page; `starts`, `ends` and the choices are what the form was sent with."""

    mine: tuple[AbsenceRow, ...]
    for_others: tuple[AbsenceRow, ...]
    everybody: tuple[AbsenceRow, ...]
    people: tuple[Choice, ...]
    groups: tuple[Choice, ...]
    starts: str
    ends: str
    zone: str
    error: str


def present_absences(
    absences: Sequence[Absence], user: User, *, now: datetime
) -> tuple[AbsenceRow, ...]:
    """Rows of a list, in its order."""
    return tuple(
        AbsenceRow(
            who=absence.person.name,
            is_you=absence.person_id == user.person_id,
            starts=absence.starts_at,
            ends=absence.ends_at,
            is_now=absence.starts_at <= now,
            stand_in=absence.delegate.name if absence.delegate is not None else "",
            you_stand_in=absence.delegate_id == user.person_id,
            groups=", ".join(sorted(group.name for group in absence.groups.all())),
            end_url=reverse("approvals:absence-end", args=[absence.pk])
            if user.person.is_admin or absence.person_id == user.person_id
            else "",
        )
        for absence in absences
    )


def people_to_choose(people: Sequence[Person], chosen: str) -> tuple[Choice, ...]:
    """Who may stand in; nobody comes first."""
    nobody = Choice(value="", words=gettext("nobody"), chosen=not chosen)
    rows = (
        Choice(value=str(each.pk), words=each.name, chosen=str(each.pk) == chosen)
        for each in people
    )
    return nobody, *rows


def groups_to_choose(
    groups: Sequence[ReviewerGroup], chosen: Sequence[UUID] | None
) -> tuple[Choice, ...]:
    """The person's own groups; all of them until they chose."""
    return tuple(
        Choice(value=str(group.pk), words=group.name, chosen=chosen is None or group.pk in chosen)
        for group in groups
    )
