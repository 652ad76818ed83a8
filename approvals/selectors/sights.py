"""What open sessions may hear of: read for many at once, in a constant number of queries.

The same answer as `visibility` gives for one person and one ticket, in the form in which a process
can keep it for a moment: what a person may see, and whom a ticket concerns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from approvals.models import AuditEvent, TeamMembership, Ticket, User
from approvals.selectors.absence import voting_groups_of
from approvals.selectors.visibility import sees_everything

PER_QUERY: Final = 500  # keys in one IN (…)
MOST_EVENTS: Final = 200  # that a page may have missed one by one
GATE: Final = "gate"
TICKET: Final = "ticket:"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person may see: everything, or their own tickets and these teams' and groups'."""

    person: UUID
    everything: bool
    teams: frozenset[UUID]
    groups: frozenset[UUID]

    def covers(self, ticket: Concerned) -> bool:
        """Whether the person sees the ticket."""
        return (
            self.everything
            or ticket.team in self.teams
            or ticket.owner == self.person
            or bool(ticket.groups & self.groups)
        )


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom a ticket concerns: its team, the owner of its agent, and the groups that are asked."""

    team: UUID
    owner: UUID
    groups: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Changed:
    """A ticket that changed, as its row stands now."""

    uid: UUID
    version: int
    concerned: Concerned


def changed_since(moment: datetime) -> list[Changed] | None:
    """The tickets that changed from `moment` on, in three queries at most.

    None where it is simpler to look at everything: much has happened, or the gate was turned.
    """
    events = AuditEvent.objects.filter(at__gte=moment).order_by("-at")
    subjects = list(events.values_list("subject", flat=True)[: MOST_EVENTS + 1])
    if len(subjects) > MOST_EVENTS or GATE in subjects:
        return None
    uids = {UUID(each.removeprefix(TICKET)) for each in subjects if each.startswith(TICKET)}
    tickets = Ticket.objects.filter(uid__in=uids).prefetch_related("groups")
    return [
        Changed(
            uid=ticket.uid,
            version=ticket.version,
            concerned=Concerned(
                team=ticket.team_id,
                owner=ticket.person_id,
                groups=frozenset(group.pk for group in ticket.groups.all()),
            ),
        )
        for ticket in tickets.only("pk", "uid", "version", "team_id", "person_id")
    ]


def concerned(uid: UUID) -> Concerned | None:
    """Whom the ticket concerns now; None where there is no such ticket."""
    ticket = Ticket.objects.filter(uid=uid).only("pk", "person_id", "team_id").first()
    if ticket is None:
        return None
    groups = ticket.groups.values_list("pk", flat=True)
    return Concerned(team=ticket.team_id, owner=ticket.person_id, groups=frozenset(groups))


def standing_sights(session_keys: Collection[str]) -> dict[str, Sight]:
    """What the person of each session may see now; a session that does not stand is not in it."""
    found: dict[str, Sight] = {}
    for some in batched(session_keys, PER_QUERY):
        users = _users(some)
        sights = _sights(users.values())
        found.update({key: sights[user.person_id] for key, user in users.items()})
    return found


def _users(session_keys: Iterable[str]) -> dict[str, User]:
    """Who is signed in by each session, by the checks of `django.contrib.auth.get_user`."""
    store = SessionStore()
    rows = store.model.objects.filter(
        session_key__in=list(session_keys), expire_date__gt=timezone.now()
    )
    claims: dict[str, tuple[UUID, Mapping[str, Any]]] = {}
    for row in rows:
        data = store.decode(row.session_data)
        if data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
            continue
        try:
            claims[row.session_key] = (User._meta.pk.to_python(data.get(SESSION_KEY)), data)
        except ValidationError:
            continue
    users = (
        User.objects.select_related("person")
        .filter(is_active=True)
        .in_bulk(list({key for key, _ in claims.values()}))
    )
    return {
        session: user
        for session, (key, data) in claims.items()
        if (user := users.get(key)) is not None and _is_signed(user, data)
    }


def _is_signed(user: User, data: Mapping[str, Any]) -> bool:
    """Whether the session is of the user's password of today."""
    given = data.get(HASH_SESSION_KEY) or ""
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(given, known) for known in hashes)


def _sights(users: Iterable[User]) -> dict[UUID, Sight]:
    people = {user.person_id: user.person for user in users}
    teams: dict[UUID, set[UUID]] = {}
    memberships = TeamMembership.objects.filter(person__in=people)
    for person, team in memberships.values_list("person_id", "team_id"):
        teams.setdefault(person, set()).add(team)
    groups = voting_groups_of(people)
    return {
        key: Sight(
            person=key,
            everything=sees_everything(person),
            teams=frozenset(teams.get(key, ())),
            groups=frozenset(groups.get(key, ())),
        )
        for key, person in people.items()
    }
