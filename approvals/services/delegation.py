"""Being away, and who votes meanwhile.

A person says for themselves when they are away and who stands in; an admin may only end it. The
stand-in is a reviewer of the same team, present for as long. What a stand-in's vote is worth is
decided when votes are added up; nothing here counts any.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from approvals import audit
from approvals.domain.canonical import JSON
from approvals.domain.errors import (
    AbsenceInvalid,
    AbsenceOverlaps,
    NotVisible,
    StandInUnfit,
)
from approvals.domain.wording import say
from approvals.models import (
    Absence,
    DatabaseNow,
    GroupMembership,
    Person,
    ReviewerGroup,
    TeamMembership,
    User,
    database_now,
)
from approvals.services import actors

LONGEST: Final = timedelta(days=90)
EARLIEST: Final = timedelta(days=365)  # how far ahead one can be planned


def declare_absence(
    *,
    user: User,
    starts_at: datetime | None,
    ends_at: datetime,
    delegate_id: UUID | None = None,
    group_ids: Collection[UUID] = (),
) -> Absence:
    """Be away from `starts_at` (now, where it is None or past) until `ends_at`.

    `delegate_id` votes meanwhile in these of the person's groups. Raises AbsenceInvalid,
    AbsenceOverlaps, StandInUnfit.
    """
    actor = actors.person(user.person_id)
    with transaction.atomic(durable=True):
        # One absence at a time, so that nobody's vote is in two hands: everybody named is locked.
        involved = {user.person_id, *([delegate_id] if delegate_id else [])}
        list(Person.objects.select_for_update().filter(pk__in=involved).order_by("pk"))
        now = database_now()
        begins = now if starts_at is None else max(starts_at, now)
        _require_sensible(begins, ends_at, now)
        if _absences(user.person_id, begins, ends_at).exists():
            raise AbsenceOverlaps
        groups = _groups(user, delegate_id, group_ids)
        if delegate_id is not None:
            _require_fit(user, delegate_id, begins, ends_at)
        absence = Absence.objects.create(
            person_id=user.person_id, delegate_id=delegate_id, starts_at=begins, ends_at=ends_at
        )
        absence.groups.set(ReviewerGroup.objects.filter(pk__in=groups))
        _record(absence, actor, "absence_declared", groups)
        return absence


def end_absence(*, absence_id: UUID, user: User) -> Absence:
    """End an absence early: the absent person, or an admin. Ending it twice changes nothing.

    Raises NotVisible for anybody else.
    """
    actor = actors.person(user.person_id)
    with transaction.atomic(durable=True):
        absence = Absence.objects.select_for_update().filter(pk=absence_id).first()
        allowed = absence is not None and (
            user.person.is_admin or absence.person_id == user.person_id
        )
        if absence is None or not allowed or not user.is_active:
            raise NotVisible(say("There is no such absence, or it is not yours to end."))
        ended = Absence.objects.filter(
            pk=absence_id, ended_at__isnull=True, ends_at__gt=DatabaseNow()
        ).update(ended_at=DatabaseNow(), ended_by_id=user.person_id)
        if ended:
            _record(absence, actor, "absence_ended", absence.groups.values_list("pk", flat=True))
        return Absence.objects.get(pk=absence_id)


def possible_stand_ins(person: Person) -> list[Person]:
    """The reviewers who are in a team with this person, in the order of their names."""
    together = TeamMembership.objects.filter(team__memberships__person=person).values("person")
    reviewers = GroupMembership.objects.filter(person__accounts__is_active=True).values("person")
    found = Person.objects.filter(pk__in=together).filter(pk__in=reviewers).exclude(pk=person.pk)
    return list(found.order_by("name", "pk"))


def _require_sensible(begins: datetime, ends: datetime, now: datetime) -> None:
    if ends <= begins:
        raise AbsenceInvalid(say("The end has to come after the beginning, and after now."))
    if ends - begins > LONGEST:
        raise AbsenceInvalid(say("An absence lasts {days} days at most.", days=LONGEST.days))
    if begins - now > EARLIEST:
        raise AbsenceInvalid(say("An absence begins within {days} days.", days=EARLIEST.days))


def _groups(user: User, delegate_id: UUID | None, group_ids: Collection[UUID]) -> set[UUID]:
    """The person's own groups in which somebody else votes."""
    wanted = set(group_ids)
    if delegate_id is None:
        if wanted:
            raise AbsenceInvalid(say("Say who stands in for you in these groups."))
        return wanted
    if not wanted:
        raise AbsenceInvalid(say("Choose at least one of your groups in which they vote for you."))
    mine = GroupMembership.objects.filter(person=user.person_id, group__in=wanted)
    if wanted != set(mine.values_list("group_id", flat=True)):
        raise AbsenceInvalid(say("You can only give away the vote of a group that you are in."))
    return wanted


def _require_fit(user: User, delegate_id: UUID, begins: datetime, ends: datetime) -> None:
    if delegate_id == user.person_id:
        raise StandInUnfit(say("You cannot stand in for yourself."))
    if delegate_id not in {person.pk for person in possible_stand_ins(user.person)}:
        raise StandInUnfit
    if _absences(delegate_id, begins, ends).exists():
        raise StandInUnfit(say("They are away themselves during that time. Choose somebody else."))


def _absences(person_id: UUID, begins: datetime, ends: datetime) -> QuerySet[Absence]:
    return Absence.objects.filter(
        person_id=person_id, ended_at__isnull=True, starts_at__lt=ends, ends_at__gt=begins
    )


def _record(absence: Absence, actor: str, action: str, groups: Collection[UUID]) -> None:
    fresh = Absence.objects.get(pk=absence.pk)
    audit.append(
        subject=f"person:{absence.person_id}",
        actor=actor,
        action=action,
        detail={
            "absence": str(absence.pk),
            "delegate": str(absence.delegate_id) if absence.delegate_id else None,
            "in_groups": list[JSON](sorted(str(group) for group in groups)),
            **audit.attest(fresh),
        },
    )
