"""Whom a notice concerns at this moment: the same question when it is addressed and delivered.

Nobody is told about a ticket that they may not see now. Whose vote is awaited is decided as for
the inbox, so that a message and the list it leads to agree.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from approvals import conf
from approvals.domain.states import State
from approvals.domain.telling import (
    AT_ONCE,
    AWAITING,
    SILENT_AT_FIRST,
    Habits,
    Kind,
    Shifts,
    Watchmen,
)
from approvals.models import (
    Channel,
    Decision,
    GroupMembership,
    Habit,
    Notice,
    Person,
    Rotation,
    Ticket,
)
from approvals.selectors.absence import away_now, stand_ins
from approvals.selectors.counting import needing, reviewer
from approvals.selectors.visibility import may_see

NOT_AWAITED = "nothing is awaited of them any more"
NOT_THEIRS = "they may not see it now"
NOT_WANTED = "they do not want to hear of this"
AWAY = "they are away"
NOT_ASKED = "the room is not asked any more"
TIMELY = frozenset({Kind.NEEDS_YOU, Kind.REMINDER, Kind.ESCALATED, Kind.HANDED, Kind.ASKED})


def candidates(notice: Notice) -> list[Person]:
    """Everybody whom the notice may concern, with their habits; not yet whether it does."""
    named = Q(pk__in=notice.people) | Q(group_memberships__group__in=notice.groups)
    people = Person.objects.filter(named | _concerned_by_kind(notice), accounts__is_active=True)
    if notice.by_id is not None:
        people = people.exclude(pk=notice.by_id)
    return list(people.distinct().order_by("pk"))


def why_not(notice: Notice, person: Person, habit: Habit | None) -> str:
    """Why this person is not to be told of it now; empty when they are."""
    kind, ticket = Kind(notice.kind), notice.ticket
    if not person.accounts.filter(is_active=True).exists():
        return NOT_THEIRS
    if kind in (habit.silent_kinds if habit is not None else SILENT_AT_FIRST):
        return NOT_WANTED
    if kind not in AT_ONCE and away_now([person.pk]):
        return AWAY
    if ticket is None:
        return ""
    if not may_see(person, ticket):
        return NOT_THEIRS
    if kind in AWAITING:
        _, pending = needing(reviewer(person, one_person=conf.one_person()))
        if not pending.filter(pk=ticket.pk).exists():
            return NOT_AWAITED
        if habit is not None and not _heard_groups(ticket, person, habit):
            return NOT_WANTED
    if kind in TIMELY and ticket.state != State.PENDING:
        return NOT_AWAITED
    return ""


def why_not_room(notice: Notice, channel: Channel) -> str:
    """Why this room is not to be told of it now; empty when it is."""
    ticket = notice.ticket
    if ticket is not None:
        in_team = ticket.team_id == channel.team_id
        if not in_team and not ticket.groups.filter(channels=channel).exists():
            return NOT_ASKED
        if notice.kind in TIMELY and ticket.state != State.PENDING:
            return NOT_AWAITED
    return "" if notice.kind in {*channel.kinds, Kind.TEST} else NOT_WANTED


def rooms(notice: Notice) -> list[Channel]:
    """The rooms that a notice concerns."""
    found = live_channels().filter(person__isnull=True)
    if notice.ticket is not None:
        asked = notice.ticket.groups.values("pk")
        found = found.filter(Q(group__in=asked) | Q(team=notice.ticket.team_id))
    return [channel for channel in found.order_by("pk") if notice.kind in channel.kinds]


def live_channels() -> QuerySet[Channel]:
    """Channels that may be used."""
    return Channel.objects.filter(enabled=True, removed_at__isnull=True)


def habits_of(person: Person, habit: Habit | None) -> Habits:
    """When this person wants to be told."""
    zone = zone_of(person.time_zone)
    if habit is None:
        return Habits(zone=zone)
    return Habits(
        zone=zone,
        quiet_from=habit.quiet_from,
        quiet_until=habit.quiet_until,
        digest_minutes=habit.digest_minutes,
    )


def habit_of(person: Person) -> Habit | None:
    """The person's row, if they ever chose anything."""
    return Habit.objects.filter(person=person).first()


def watchmen(ticket: Ticket, *, now: datetime) -> list[Watchmen]:
    """The groups that a ticket asks, and who of each is on call."""
    groups: dict[UUID, set[UUID]] = {}
    asked = ticket.groups.values("pk")
    for group, person in GroupMembership.objects.filter(group__in=asked).values_list(
        "group_id", "person_id"
    ):
        groups.setdefault(group, set()).add(person)
    rotations = {
        rotation.pk: rotation
        for rotation in Rotation.objects.filter(group__in=groups).prefetch_related("turns")
    }
    return [
        _watchmen(frozenset(people), rotations.get(group), now=now)
        for group, people in groups.items()
    ]


def on_call(rotation: Rotation, people: frozenset[UUID], *, now: datetime) -> UUID | None:
    """Whose turn it is among `people` who are not away; the turns are prefetched."""
    turns = sorted(rotation.turns.all(), key=lambda turn: turn.place)
    shifts = Shifts(
        people=tuple(turn.person_id for turn in turns),
        first_day=rotation.first_day,
        hands_over=rotation.hands_over,
        days=rotation.days,
        zone=zone_of(rotation.time_zone),
    )
    gone = (set(shifts.people) - people) | away_now(shifts.people)
    return shifts.on_call(now, away=gone)


def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name, which was checked when it was stored; empty is UTC."""
    return ZoneInfo(name or "UTC")


def _watchmen(people: frozenset[UUID], rotation: Rotation | None, *, now: datetime) -> Watchmen:
    if rotation is None:
        return Watchmen(people=people)
    return Watchmen(
        people=people,
        on_call=on_call(rotation, people, now=now),
        head_start=rotation.head_start,
    )


def _concerned_by_kind(notice: Notice) -> Q:
    kind, ticket = Kind(notice.kind), notice.ticket
    if kind in {Kind.STOPPED, Kind.RESUMED}:
        return Q(is_admin=True) | Q(group_memberships__isnull=False)
    if ticket is None:
        return Q(pk__in=[])
    asked = Q(group_memberships__group__in=ticket.groups.values("pk"))
    if kind in AWAITING:
        groups = ticket.groups.values_list("pk", flat=True)
        return asked | Q(pk__in=[delegate for delegate, _, _ in stand_ins(list(groups))])
    if kind is Kind.UNKNOWN:
        return asked | Q(pk=ticket.person_id)
    if kind is Kind.ENDED:
        voted = Decision.objects.filter(ticket=ticket).values("person")
        return Q(pk=ticket.person_id) | Q(pk__in=voted)
    return Q(pk__in=[])


def _heard_groups(ticket: Ticket, person: Person, habit: Habit) -> bool:
    """Whether the ticket asks a group of this person's that they want to hear of.

    Somebody who stands in for a member of it hears of it whatever they chose for their own.
    """
    own = ticket.groups.filter(memberships__person=person)
    heard = own.exclude(pk__in=habit.silent_groups.values("pk"))
    return heard.exists() or not own.exists()
