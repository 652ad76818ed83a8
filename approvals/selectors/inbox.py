"""What a person's lists hold: what needs them, what waits for others, what was decided.

Every list starts from what the person may see and takes the same number of queries whatever its
length. Pages go by key, never by offset, and nothing counts without a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Case, IntegerField, Prefetch, Q, QuerySet, Value, When

from approvals.domain.quorum import Resolution, resolve
from approvals.domain.states import OPEN, TERMINAL, State
from approvals.models import Decision, GroupMembership, Person, Ticket
from approvals.selectors.absence import stand_ins
from approvals.selectors.counting import (
    PENDING,
    UNRESOLVED,
    Reviewer,
    is_asked,
    is_awaited,
    needing,
    reviewer,
)
from approvals.selectors.visibility import newest_visible_to, tickets_visible_to
from approvals.selectors.votes import (
    as_votes,
    electorate_of,
    electorate_then,
    obligations_of,
    parties_of,
)

PAGE: Final = 50
GROUP_ROWS: Final = 25  # of a group of the inbox; a page of its own goes on where they end
RECENT: Final = 10

_RISK_RANKS: Final = {"high": 0, "medium": 1}
_LEAST_RANK: Final = 2
_RISK_ORDER = Case(
    *(When(risk=risk, then=Value(rank)) for risk, rank in _RISK_RANKS.items()),
    default=Value(_LEAST_RANK),
    output_field=IntegerField(),
)
_IN_FLIGHT: Final = sorted(state.value for state in OPEN - {State.PENDING})
_ROW: Final = (
    "uid", "version", "revision", "state", "risk", "person_id", "agent_name", "upstream_name",
    "tool_name", "digest", "obligations", "created_at", "approval_expires_at", "decided_at",
    "sent_at", "ended_at", "annotated_at", "cancel_reason", "tool_definition_id", "arguments__size",
    "arguments__purged_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A ticket in a list, with no more of it than a row shows, and its standing."""

    ticket: Ticket
    standing: Resolution
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows of a group from some place on; `next_after` is the key of the next page."""

    rows: tuple[Listed, ...]
    next_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """The three groups as they begin; `moving_on` says that more is under way than is listed."""

    needs_you: Part
    waiting_on_others: Part
    decided: tuple[Listed, ...]
    moving_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list, newest first; `next_before` is the key of the page that follows."""

    rows: tuple[Listed, ...]
    next_before: int | None


def inbox(person: Person, *, one_person: bool) -> Inbox:
    """The start of each group: the pressing first, then what is under way and what ended lately.

    An unknown outcome that nobody looked into needs the people who could have voted on it.
    """
    who = reviewer(person, one_person=one_person)
    needs, needs_next = _first(needing(who), after=None)
    others, others_next = _first(_waiting(who), after=None)
    moving = list(
        tickets_visible_to(person)
        .filter(ended_at__isnull=True, state__in=_IN_FLIGHT)
        .order_by("-pk")
        .values_list("pk", flat=True)[: GROUP_ROWS + 1]
    )
    recent = newest_visible_to(
        person, ~UNRESOLVED, before=None, limit=RECENT, ended_at__isnull=False
    ).values_list("pk", flat=True)
    waiting = [*others, *moving[:GROUP_ROWS]]
    rows = listed([*needs, *waiting, *recent], one_person=one_person)
    split = len(needs) + len(waiting)
    return Inbox(
        needs_you=Part(rows=rows[: len(needs)], next_after=needs_next),
        waiting_on_others=Part(rows=rows[len(needs) : split], next_after=others_next),
        decided=rows[split:],
        moving_on=len(moving) > GROUP_ROWS,
    )


def needs_you(person: Person, *, one_person: bool, after: int | None) -> Part:
    """What needs this person, from behind the ticket with the key `after`."""
    who = reviewer(person, one_person=one_person)
    keys, more = _first(needing(who), after=after)
    return Part(rows=listed(keys, one_person=one_person), next_after=more)


def waiting_on_others(person: Person, *, one_person: bool, after: int | None) -> Part:
    """What waits for other people, from behind the ticket with the key `after`."""
    who = reviewer(person, one_person=one_person)
    keys, more = _first(_waiting(who), after=after)
    return Part(rows=listed(keys, one_person=one_person), next_after=more)


def decided(
    person: Person,
    *,
    one_person: bool,
    before: int | None = None,
    limit: int = PAGE,
    states: Sequence[State] = (),
    agent: str = "",
    tool: str = "",
) -> Page:
    """Tickets that are over, newest first; `before` is the key that the page before named."""
    conditions: dict[str, object] = {}
    if states:
        conditions["state__in"] = sorted(state.value for state in set(states) & TERMINAL)
    if agent:
        conditions["agent_name"] = agent
    if tool:
        conditions["tool_name"] = tool
    newest = newest_visible_to(
        person, before=before, limit=limit + 1, ended_at__isnull=False, **conditions
    )
    found = list(newest.values_list("pk", flat=True))
    return Page(
        rows=listed(found[:limit], one_person=one_person),
        next_before=found[limit - 1] if len(found) > limit else None,
    )


def one_row(person: Person, uid: UUID, *, one_person: bool) -> Listed | None:
    """The row of one ticket; None when hidden just as when absent."""
    found = tickets_visible_to(person).filter(uid=uid).values_list("pk", flat=True)
    return next(iter(listed(list(found), one_person=one_person)), None)


def listed(keys: Sequence[int], *, one_person: bool) -> tuple[Listed, ...]:
    """The rows of these tickets, which their reader may see, in this order."""
    found = {
        ticket.pk: ticket
        for ticket in Ticket.objects.filter(pk__in=keys)
        .select_related("arguments")
        .only(*_ROW)
        .prefetch_related(
            "groups",
            Prefetch(
                "decisions",
                Decision.objects.select_related("mandate").order_by("created_at", "pk"),
            ),
        )
    }
    tickets = [found[key] for key in keys if key in found]
    voters = _voters_in_groups(tickets)
    return tuple(_listed(ticket, voters, one_person=one_person) for ticket in tickets)


type Walk = QuerySet[Ticket]


def _waiting(who: Reviewer) -> tuple[Walk, ...]:
    visible = tickets_visible_to(who.person)
    return (
        visible.filter(UNRESOLVED).exclude(is_asked(who)),
        visible.filter(PENDING).exclude(is_awaited(who)),
    )


def _first(walks: Iterable[Walk], *, after: int | None) -> tuple[list[int], int | None]:
    """The keys of the most pressing of all these tickets, and the key that the next page needs."""
    place = _place_of(after)
    found: list[tuple[datetime, int, int]] = []
    for walk in walks:
        ordered = walk.annotate(rank=_RISK_ORDER).order_by("approval_expires_at", "rank", "pk")
        if place is not None:
            deadline, rank, key = place
            behind = Q(rank__gt=rank) | Q(rank=rank, pk__gt=key)
            ordered = ordered.filter(
                Q(approval_expires_at__gt=deadline) | Q(approval_expires_at=deadline) & behind,
                approval_expires_at__gte=deadline,
            )
        found += ordered.values_list("approval_expires_at", "rank", "pk")[: GROUP_ROWS + 1]
    keys = [key for *_, key in sorted(found)]
    return keys[:GROUP_ROWS], keys[GROUP_ROWS - 1] if len(keys) > GROUP_ROWS else None


def _place_of(key: int | None) -> tuple[datetime, int, int] | None:
    """Where a ticket stands among the pressing; None for the beginning."""
    if key is None:
        return None
    last = Ticket.objects.filter(pk=key).values_list("approval_expires_at", "risk").first()
    return (last[0], _RISK_RANKS.get(last[1], _LEAST_RANK), key) if last else None


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
