"""Whom notices concern at this moment: the same questions when they are addressed and delivered.

Nobody is told about a ticket that they may not see now. Whose vote is awaited is decided as for
the inbox, so that a message and the list it leads to agree. An `Audience` answers for many
notices at once: what it reads grows with the people, not with the notices.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final
from uuid import UUID

from django.db.models import Q

from approvals import conf
from approvals.domain.locality import zone_of
from approvals.domain.states import State
from approvals.domain.telling import (
    AT_ONCE,
    AWAITING,
    SILENT_AT_FIRST,
    VOTE_WANTED,
    Habits,
    Kind,
    Shifts,
    Watchmen,
)
from approvals.domain.wording import say
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
from approvals.selectors.counting import needing
from approvals.selectors.readers import reviewer
from approvals.selectors.visibility import tickets_visible_to

NOT_AWAITED: Final = say("nothing is awaited of them any more")
NOT_THEIRS: Final = say("they may not see it now")
NOT_WANTED: Final = say("they do not want to hear of this")
AWAY: Final = say("they are away")
NOT_ASKED: Final = say("the room is not asked any more")
TIMELY: Final = VOTE_WANTED | {Kind.HANDED, Kind.ASKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What one person may see, is waited for, and wants; tickets by their keys."""

    is_here: bool  # has an account that is in use
    is_away: bool
    habit: Habit | None
    silent_groups: frozenset[UUID]
    groups: frozenset[UUID]
    visible: frozenset[int]
    awaited: frozenset[int]

    def habits(self, person: Person) -> Habits:
        """When they want to be told."""
        zone = zone_of(person.time_zone)
        if self.habit is None:
            return Habits(zone=zone)
        return Habits(
            zone=zone,
            quiet_from=self.habit.quiet_from,
            quiet_until=self.habit.quiet_until,
            digest_minutes=self.habit.digest_minutes,
        )


class Audience:
    """Everybody whom some notices may concern, as things stand when they are first asked for."""

    def __init__(self, notices: Sequence[Notice]) -> None:
        self._notices = notices
        self._tickets = {n.ticket_id for n in notices if n.ticket_id is not None}
        self._listeners: dict[UUID, Listener] = {}
        self._watchmen: dict[tuple[UUID, ...], list[Watchmen]] = {}

    def candidates(self, notice: Notice) -> list[Person]:
        """Everybody whom the notice may concern; not yet whether it does."""
        keys = {UUID(key) for key in notice.people} | self._concerned_by_kind(notice)
        for group in notice.groups:
            keys |= self._members.get(UUID(group), set())
        keys.discard(notice.by_id or UUID(int=0))
        return [self._people[key] for key in sorted(keys) if key in self._people]

    def why_not(self, notice: Notice, person: Person) -> str:
        """Why this person is not to be told of it now; empty when they are."""
        kind, ticket = Kind(notice.kind), notice.ticket
        who = self.listener(person)
        if not who.is_here:
            return NOT_THEIRS
        if kind in (who.habit.silent_kinds if who.habit is not None else SILENT_AT_FIRST):
            return NOT_WANTED
        if kind not in AT_ONCE and who.is_away:
            return AWAY
        if ticket is None:
            return ""
        if ticket.pk not in who.visible:
            return NOT_THEIRS
        if kind in TIMELY and ticket.state != State.PENDING:
            return NOT_AWAITED
        if kind in VOTE_WANTED and ticket.pk not in who.awaited:
            return NOT_AWAITED
        return NOT_WANTED if kind in AWAITING and self._is_unheard(ticket, who) else ""

    def why_not_room(self, notice: Notice, channel: Channel) -> str:
        """Why this room is not to be told of it now; empty when it is."""
        ticket = notice.ticket
        if ticket is not None:
            asked = channel.team_id == ticket.team_id or channel.group_id in self.asked(ticket)
            if not asked:
                return NOT_ASKED
            if notice.kind in TIMELY and ticket.state != State.PENDING:
                return NOT_AWAITED
        return "" if notice.kind in {*channel.kinds, Kind.TEST} else NOT_WANTED

    def rooms(self, notice: Notice) -> list[Channel]:
        """The rooms that a notice concerns."""
        return [room for room in self._rooms if not self.why_not_room(notice, room)]

    def listener(self, person: Person) -> Listener:
        """What this person may see and wants, of the tickets that the notices speak of."""
        found = self._listeners.get(person.pk)
        if found is None:
            found = self._listeners[person.pk] = self._read_listener(person)
        return found

    def watchmen(self, ticket: Ticket, *, now: datetime) -> list[Watchmen]:
        """The groups that a ticket asks, and who of each is on call."""
        groups = tuple(sorted(self.asked(ticket)))
        if groups not in self._watchmen:
            self._watchmen[groups] = [self._watchmen_of(key, now=now) for key in groups]
        return self._watchmen[groups]

    def asked(self, ticket: Ticket) -> set[UUID]:
        """The groups that a ticket asks."""
        return self._asked.get(ticket.pk, set())

    def _read_listener(self, person: Person) -> Listener:
        habit = Habit.objects.filter(person=person).first()
        silent = habit.silent_groups.values_list("pk", flat=True) if habit is not None else ()
        _, pending = needing(reviewer(person, one_person=conf.one_person()))
        here = person.accounts.filter(is_active=True).exists()
        visible = tickets_visible_to(person).filter(pk__in=self._tickets)
        mine = GroupMembership.objects.filter(person=person).values_list("group_id", flat=True)
        return Listener(
            is_here=here,
            is_away=person.pk in self._away,
            habit=habit,
            silent_groups=frozenset(silent),
            groups=frozenset(mine),
            visible=frozenset(visible.values_list("pk", flat=True)),
            awaited=frozenset(pending.filter(pk__in=self._tickets).values_list("pk", flat=True)),
        )

    def _is_unheard(self, ticket: Ticket, who: Listener) -> bool:
        """Whether the ticket asks this person by groups alone that they do not want to hear of.

        Somebody who stands in for a member hears of it whatever they chose for their own groups.
        """
        own = self.asked(ticket) & who.groups
        return bool(own) and own <= who.silent_groups

    def _concerned_by_kind(self, notice: Notice) -> set[UUID]:
        kind, ticket = Kind(notice.kind), notice.ticket
        if kind in {Kind.STOPPED, Kind.RESUMED}:
            return self._everybody
        if ticket is None:
            return set()
        asked = {person for key in self.asked(ticket) for person in self._members.get(key, ())}
        if kind in AWAITING:
            lent = {to for to, _, group in self._stand_ins if group in self.asked(ticket)}
            return asked | lent
        if kind is Kind.UNKNOWN:
            return asked | {ticket.person_id}
        if kind is Kind.ENDED:
            return {ticket.person_id} | self._voters.get(ticket.pk, set())
        return set()

    def _watchmen_of(self, group: UUID, *, now: datetime) -> Watchmen:
        people = frozenset(self._members.get(group, ()))
        rotation = self._rotations.get(group)
        if rotation is None:
            return Watchmen(people=people)
        called = on_call(rotation, people - self._away, now=now)
        return Watchmen(people=people, on_call=called, head_start=rotation.head_start)

    @cached_property
    def _asked(self) -> dict[int, set[UUID]]:
        asked: dict[int, set[UUID]] = {}
        rows = Ticket.groups.through.objects.filter(ticket__in=self._tickets)
        for ticket, group in rows.values_list("ticket_id", "reviewergroup_id"):
            asked.setdefault(ticket, set()).add(group)
        return asked

    @cached_property
    def _voters(self) -> dict[int, set[UUID]]:
        ended = {notice.ticket_id for notice in self._notices if notice.kind == Kind.ENDED}
        voters: dict[int, set[UUID]] = {}
        rows = Decision.objects.filter(ticket__in=ended).values_list("ticket_id", "person_id")
        for ticket, person in rows:
            voters.setdefault(ticket, set()).add(person)
        return voters

    @cached_property
    def _everybody(self) -> set[UUID]:
        """Admins and reviewers."""
        found = Person.objects.filter(Q(is_admin=True) | Q(group_memberships__isnull=False))
        return set(found.values_list("pk", flat=True))

    @cached_property
    def _groups(self) -> set[UUID]:
        named = {UUID(key) for notice in self._notices for key in notice.groups}
        return named.union(*self._asked.values())

    @cached_property
    def _members(self) -> dict[UUID, set[UUID]]:
        members: dict[UUID, set[UUID]] = {}
        rows = GroupMembership.objects.filter(group__in=self._groups)
        for group, person in rows.values_list("group_id", "person_id"):
            members.setdefault(group, set()).add(person)
        return members

    @cached_property
    def _stand_ins(self) -> list[tuple[UUID, UUID, UUID]]:
        return stand_ins(self._groups)

    @cached_property
    def _people(self) -> dict[UUID, Person]:
        """Everybody, of those few who are anybody's candidates."""
        keys = {UUID(key) for notice in self._notices for key in notice.people}
        keys = keys.union(
            *self._members.values(), *(self._concerned_by_kind(notice) for notice in self._notices)
        )
        found = Person.objects.filter(pk__in=keys, accounts__is_active=True).distinct()
        return {person.pk: person for person in found}

    @cached_property
    def _away(self) -> set[UUID]:
        return away_now()

    @cached_property
    def _rotations(self) -> dict[UUID, Rotation]:
        found = Rotation.objects.filter(group__in=self._groups).prefetch_related("turns")
        return {rotation.pk: rotation for rotation in found}

    @cached_property
    def _rooms(self) -> list[Channel]:
        live = Channel.objects.filter(person__isnull=True, enabled=True, removed_at__isnull=True)
        return list(live.order_by("pk"))


def on_call(rotation: Rotation, people: Collection[UUID], *, now: datetime) -> UUID | None:
    """Whose turn it is among `people`, who are not away; the turns are prefetched."""
    turns = sorted(rotation.turns.all(), key=lambda turn: turn.place)
    shifts = Shifts(
        people=tuple(turn.person_id for turn in turns),
        first_day=rotation.first_day,
        hands_over=rotation.hands_over,
        days=rotation.days,
        zone=zone_of(rotation.time_zone),
    )
    return shifts.on_call(now, away=set(shifts.people) - set(people))


def habit_of(person: Person) -> Habit | None:
    """The person's row, if they ever chose anything."""
    return Habit.objects.filter(person=person).first()
