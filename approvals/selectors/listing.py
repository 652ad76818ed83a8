"""Rows of lists: of each ticket what a row shows and how its votes stand, in constant queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Prefetch, QuerySet, Subquery, prefetch_related_objects

from approvals.domain.quorum import Resolution, resolve
from approvals.domain.states import State
from approvals.models import Decision, Ticket
from approvals.selectors.absence import seats_in
from approvals.selectors.handover import given_by
from approvals.selectors.readers import Reviewer
from approvals.selectors.snoozing import put_away
from approvals.selectors.visibility import Asked, tickets_visible_to
from approvals.selectors.votes import (
    People,
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
_VOTES: Final = (
    Decision.objects.select_related("mandate")
    .only("ticket_id", "revision", "person_id", "verdict", "seen_digest", "mandate")
    .order_by("created_at", "pk")
)


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


def one_row(who: Reviewer, uid: UUID) -> Listed | None:
    """The row of one ticket; None when hidden just as when absent."""
    found = tickets_visible_to(who).filter(uid=uid).values_list("pk", flat=True)
    return next(iter(listed(list(found), one_person=who.one_person, who=who)), None)


def listed(
    keys: Sequence[int], *, one_person: bool, who: Reviewer | None = None
) -> tuple[Listed, ...]:
    """The rows of these tickets, which their reader may see, in this order.

    With `who` each also says how that person came by it, or that they have put it away.
    """
    if not keys:
        return ()
    found = {ticket.pk: ticket for ticket in _read(keys, who)}
    tickets = [found[key] for key in keys if key in found]
    edited = [ticket for ticket in tickets if ticket.revision > 1]
    if edited:
        prefetch_related_objects(edited, "edits")
    asked = _asked(keys)
    seats = _seats_of_voters(tickets, asked)
    return tuple(
        _listed(ticket, asked.get(ticket.pk, ()), seats, one_person=one_person)
        for ticket in tickets
    )


def _read(keys: Sequence[int], who: Reviewer | None) -> QuerySet[Ticket]:
    """What rows show of these tickets, with their votes."""
    rows = (
        Ticket.objects.filter(pk__in=keys)
        .select_related("arguments")
        .only(*_ROW)
        .prefetch_related(Prefetch("decisions", _VOTES, to_attr="voted"))
    )
    if who is None:
        return rows
    return rows.annotate(
        handed_by=Subquery(given_by(who.person.pk, who.groups).values("giver__name")[:1]),
        away_until=Subquery(put_away(who.person.pk).values("until")[:1]),
    )


type _Group = tuple[UUID, str, str]  # key, slug and name


def _asked(keys: Sequence[int]) -> dict[int, list[_Group]]:
    """The groups that each of these tickets asks."""
    rows = Asked.objects.filter(ticket__in=keys).values_list(
        "ticket_id", "reviewergroup_id", "reviewergroup__slug", "reviewergroup__name"
    )
    found: dict[int, list[_Group]] = {}
    for ticket, key, slug, name in rows:
        found.setdefault(ticket, []).append((key, slug, name))
    return found


def _seats_of_voters(
    tickets: Iterable[Ticket], asked: Mapping[int, Sequence[_Group]]
) -> Sequence[tuple[UUID, UUID, UUID]]:
    """Whose votes those who voted can cast today, of all these tickets at once."""
    groups: set[UUID] = set()
    people: set[UUID] = set()
    for ticket in tickets:
        if ticket.state == State.PENDING and (votes := _votes(ticket)):
            groups |= {key for key, _, _ in asked.get(ticket.pk, ())}
            people |= {vote.person_id for vote in votes}
    return seats_in(groups, people) if people else ()


def _votes(ticket: Ticket) -> list[Decision]:
    """The votes on its revision of now, oldest first."""
    voted: list[Decision] = getattr(ticket, "voted", [])
    return [vote for vote in voted if vote.revision == ticket.revision]


def _listed(
    ticket: Ticket,
    groups: Sequence[_Group],
    seats: Sequence[tuple[UUID, UUID, UUID]],
    *,
    one_person: bool,
) -> Listed:
    obligations = obligations_of(ticket)
    decisions = _votes(ticket)
    people: People = {}
    if decisions and ticket.state == State.PENDING:
        people = electorate_of(obligations, {key: slug for key, slug, _ in groups}, seats)
    elif decisions:
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
        groups=tuple(sorted(name for _, _, name in groups)),
        handed_by=getattr(ticket, "handed_by", None) or "",
        away_until=getattr(ticket, "away_until", None),
    )
