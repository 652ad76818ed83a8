"""Rows of lists: of each ticket what a row shows and how its votes stand, in constant queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Prefetch

from approvals.domain.quorum import Resolution, resolve
from approvals.domain.states import State
from approvals.models import Decision, GroupMembership, Person, Ticket
from approvals.selectors.absence import stand_ins
from approvals.selectors.counting import Reviewer, reviewer
from approvals.selectors.handover import givers_of
from approvals.selectors.snoozing import away_until
from approvals.selectors.visibility import tickets_visible_to
from approvals.selectors.votes import (
    as_votes,
    electorate_of,
    electorate_then,
    obligations_of,
    parties_of,
)

_ROW: Final = (
    "uid", "version", "revision", "state", "risk", "person_id", "agent_name", "upstream_name",
    "tool_name", "digest", "obligations", "created_at", "approval_expires_at", "decided_at",
    "sent_at", "ended_at", "annotated_at", "cancel_reason", "tool_definition_id", "arguments__size",
    "arguments__purged_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A ticket in a list, with no more of it than a row shows, and its standing.

    `handed_by` is who handed it to the reader, `away_until` until when they have put it away.
    """

    ticket: Ticket
    standing: Resolution
    groups: tuple[str, ...]
    handed_by: str = ""
    away_until: datetime | None = None


def one_row(person: Person, uid: UUID, *, one_person: bool) -> Listed | None:
    """The row of one ticket; None when hidden just as when absent."""
    found = tickets_visible_to(person).filter(uid=uid).values_list("pk", flat=True)
    who = reviewer(person, one_person=one_person)
    return next(iter(listed(list(found), one_person=one_person, who=who)), None)


def listed(
    keys: Sequence[int], *, one_person: bool, who: Reviewer | None = None
) -> tuple[Listed, ...]:
    """The rows of these tickets, which their reader may see, in this order.

    With `who` each also says how that person came by it, or that they have put it away.
    """
    found = {
        ticket.pk: ticket
        for ticket in Ticket.objects.filter(pk__in=keys)
        .select_related("arguments")
        .only(*_ROW)
        .prefetch_related(
            "groups",
            "edits",
            Prefetch(
                "decisions",
                Decision.objects.select_related("mandate").order_by("created_at", "pk"),
            ),
        )
    }
    tickets = [found[key] for key in keys if key in found]
    voters = _voters_in_groups(tickets)
    rows = tuple(_listed(ticket, voters, one_person=one_person) for ticket in tickets)
    if who is None:
        return rows
    givers = givers_of(keys, who.person.pk, who.groups)
    away = away_until(keys, who.person.pk)
    return tuple(
        replace(row, handed_by=givers.get(row.ticket.pk, ""), away_until=away.get(row.ticket.pk))
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class Voters:
    """Of those who voted: who has a vote today, or somebody else's: person, (whose,) group."""

    members: tuple[tuple[UUID, UUID], ...] = ()
    lent: tuple[tuple[UUID, UUID, UUID], ...] = ()


def _voters_in_groups(tickets: Iterable[Ticket]) -> Voters:
    """Which of those who voted have a vote today, of all these tickets at once."""
    groups: set[UUID] = set()
    people: set[UUID] = set()
    for ticket in tickets:
        if ticket.state == State.PENDING and (votes := ticket.decisions.all()):
            groups |= {group.pk for group in ticket.groups.all()}
            people |= {vote.person_id for vote in votes}
    rows = GroupMembership.objects.filter(
        group__in=groups, person__in=people, person__accounts__is_active=True
    ).distinct()
    members = tuple(rows.values_list("person_id", "group_id"))
    lent = tuple(row for row in stand_ins(groups) if row[0] in people)
    return Voters(members=members, lent=lent)


def _listed(ticket: Ticket, voters: Voters, *, one_person: bool) -> Listed:
    groups = ticket.groups.all()
    obligations = obligations_of(ticket)
    decisions = [d for d in ticket.decisions.all() if d.revision == ticket.revision]
    if ticket.state == State.PENDING:
        asked = {group.pk: group.slug for group in groups}
        people = electorate_of(obligations, asked, voters.members, voters.lent)
    else:
        people = electorate_then(decisions)
    return Listed(
        ticket=ticket,
        standing=resolve(
            as_votes(decisions),
            obligations=obligations,
            digest=bytes(ticket.digest),
            eligible=people,
            parties=parties_of(ticket, one_person=one_person),
        ),
        groups=tuple(sorted(group.name for group in groups)),
    )
