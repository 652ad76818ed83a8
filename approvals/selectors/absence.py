"""Who is away now, and whose vote somebody has meanwhile. Reads only, by the database's clock.

A stand-in has the absent person's vote in the named groups while that person is still a member of
them, both can sign in, both are in one team, and the stand-in is a reviewer. There are no chains:
what somebody stands in for is not theirs to pass on.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value

from approvals.models import (
    Absence,
    DatabaseNow,
    GroupMembership,
    Person,
    TeamMembership,
    after_seconds,
)

LISTED: Final = 100
Covered = Absence.groups.through  # which absence gives away the vote in which group


def current() -> Q:
    """Absences that hold now."""
    return Q(ended_at__isnull=True, starts_at__lte=DatabaseNow(), ends_at__gt=DatabaseNow())


def away_now(people: Collection[UUID] | None = None) -> set[UUID]:
    """Those of `people` (or of everybody) who are away now."""
    absences = Absence.objects.filter(current())
    if people is not None:
        absences = absences.filter(person__in=people)
    return set(absences.values_list("person_id", flat=True))


def coming_absences(person: Person | None) -> list[Absence]:
    """Absences that are not over, the next first: everybody's, or those that concern one person."""
    rows = Absence.objects.filter(ended_at__isnull=True, ends_at__gt=DatabaseNow())
    if person is not None:
        rows = rows.filter(Q(person=person) | Q(delegate=person))
    rows = rows.select_related("person", "delegate").prefetch_related("groups")
    return list(rows.order_by("starts_at", "pk")[:LISTED])


def away_beyond(people: Collection[UUID], *, seconds: float) -> set[UUID]:
    """Those who are away now and not back before `seconds` are over: nobody waits for them."""
    absences = Absence.objects.filter(
        current(), person__in=people, ends_at__gte=after_seconds(seconds)
    )
    return set(absences.values_list("person_id", flat=True))


def stand_ins(groups: Collection[UUID]) -> list[tuple[UUID, UUID, UUID]]:
    """Who has whose vote in which of these groups now: delegate, absent person, group."""
    rows = _valid().filter(reviewergroup__in=groups)
    return list(rows.values_list("absence__delegate_id", "absence__person_id", "reviewergroup_id"))


def voting_groups(person: Person) -> QuerySet[Any]:
    """The keys of the groups in which this person has a vote: their own, or one lent to them."""
    own = GroupMembership.objects.filter(person=person).values_list("group_id")
    lent = _valid().filter(absence__delegate=person).values_list("reviewergroup_id")
    return own.union(lent)


def voting_groups_of(people: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """As `voting_groups`, for many people at once; whoever has no vote is not in it."""
    own = GroupMembership.objects.filter(person__in=people).values_list("person_id", "group_id")
    lent = _valid().filter(absence__delegate__in=people)
    found: dict[UUID, set[UUID]] = {}
    for person, group in own.union(lent.values_list("absence__delegate_id", "reviewergroup_id")):
        found.setdefault(person, set()).add(group)
    return found


def teams_and_votes(person: Person) -> tuple[set[UUID], set[tuple[UUID, UUID]]]:
    """The person's teams, and whose vote they can cast in which group, their own among them.

    One query.
    """
    teams = TeamMembership.objects.filter(person=person).annotate(votes=Value(0))
    mine = GroupMembership.objects.filter(person=person, person__accounts__is_active=True)
    lent = _valid().filter(absence__delegate=person, absence__delegate__accounts__is_active=True)
    rows = teams.values_list("votes", "person_id", "team_id").union(
        mine.annotate(votes=Value(1)).values_list("votes", "person_id", "group_id"),
        lent.annotate(votes=Value(1)).values_list(
            "votes", "absence__person_id", "reviewergroup_id"
        ),
    )
    found: tuple[set[UUID], set[tuple[UUID, UUID]]] = (set(), set())
    for votes, holder, key in rows:
        if votes:
            found[1].add((holder, key))
        else:
            found[0].add(key)
    return found


def seats_in(
    groups: Collection[UUID], people: Collection[UUID] | None = None
) -> list[tuple[UUID, UUID, UUID]]:
    """Who has whose vote in each of these groups now, their own or one lent to them; one query.

    Person, holder of the vote, group; of `people` alone where they are given.
    """
    if not groups:
        return []
    own = GroupMembership.objects.filter(
        group__in=list(groups), person__accounts__is_active=True
    ).annotate(holder=F("person_id"))
    lent = _valid().filter(reviewergroup__in=list(groups))
    if people is not None:
        own = own.filter(person__in=list(people))
        lent = lent.filter(absence__delegate__in=list(people))
    rows = own.values_list("person_id", "holder", "group_id")
    return list(
        rows.union(
            lent.values_list("absence__delegate_id", "absence__person_id", "reviewergroup_id")
        )
    )


@cache
def _valid() -> QuerySet[Any]:
    """The votes that are in other hands now, and rightly so.

    Every page and vote narrows it down; it is built once and never itself evaluated.
    """
    member = GroupMembership.objects.filter(
        group=OuterRef("reviewergroup"),
        person=OuterRef("absence__person"),
        person__accounts__is_active=True,
    )
    reviewer = GroupMembership.objects.filter(
        person=OuterRef("absence__delegate"), person__accounts__is_active=True
    )
    together = TeamMembership.objects.filter(
        person=OuterRef("absence__delegate"),
        team__memberships__person=OuterRef("absence__person"),
    )
    return Covered.objects.filter(
        Exists(member),
        Exists(reviewer),
        Exists(together),
        absence__ended_at__isnull=True,
        absence__starts_at__lte=DatabaseNow(),
        absence__ends_at__gt=DatabaseNow(),
    ).exclude(absence__delegate=F("absence__person"))
