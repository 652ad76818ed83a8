"""What a person's lists hold: what needs them, what waits for others, what was decided.

Every list starts from what the person may see and takes the same number of queries whatever its
length. Pages go by key, never by offset, and nothing counts without a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Case, IntegerField, Prefetch, Q, QuerySet, Value, When

from approvals.domain.quorum import Answer, Resolution, resolve, why_not
from approvals.domain.states import OPEN, TERMINAL, State
from approvals.models import Decision, GroupMembership, Person, Ticket
from approvals.selectors.visibility import newest_visible_to, tickets_visible_to
from approvals.selectors.votes import as_votes, obligations_of, parties_of

PAGE: Final = 50
INBOX: Final = 200  # rows of a group; beyond that the page says that there are more
RECENT: Final = 10

_RISK_ORDER = Case(
    When(risk="high", then=Value(0)),
    When(risk="medium", then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)
_IN_FLIGHT: Final = sorted(state.value for state in OPEN - {State.PENDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A ticket in a list: its row, its standing, and whether this person's approval is awaited.

    `ticket.groups.all()` and `ticket.decisions.all()` are loaded.
    """

    ticket: Ticket
    standing: Resolution
    groups: tuple[str, ...]
    awaits_you: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """The three groups. `more` says that open tickets were left off."""

    needs_you: tuple[Listed, ...]
    waiting_on_others: tuple[Listed, ...]
    decided: tuple[Listed, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list, newest first; `next_before` is the key of the page that follows."""

    rows: tuple[Listed, ...]
    next_before: int | None


def inbox(person: Person, *, one_person: bool) -> Inbox:
    """Everything open that this person may see, the pressing first, and what ended lately.

    An unknown outcome that nobody looked into needs the people who could have voted on it.
    """
    visible = _rows(tickets_visible_to(person))
    unresolved = Q(state=State.OUTCOME_UNKNOWN, annotated_at__isnull=True)
    pressing = visible.filter(Q(state=State.PENDING) | unresolved).order_by(
        "approval_expires_at", _RISK_ORDER, "pk"
    )
    pending = list(pressing[: INBOX + 1])
    moving = list(visible.filter(state__in=_IN_FLIGHT).order_by("-pk")[:INBOX])
    over = _newest(person, before=None, limit=RECENT + len(pending))
    pressing_keys = {ticket.pk for ticket in pending}
    recent = [ticket for ticket in over if ticket.pk not in pressing_keys][:RECENT]
    rows = listed([*pending[:INBOX], *moving, *recent], person, one_person=one_person)
    split = len(pending[:INBOX])
    return Inbox(
        needs_you=tuple(row for row in rows[:split] if row.awaits_you),
        waiting_on_others=tuple(row for row in rows[:split] if not row.awaits_you)
        + tuple(rows[split : split + len(moving)]),
        decided=tuple(rows[split + len(moving) :]),
        more=len(pending) > INBOX,
    )


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
    found = _newest(person, before=before, limit=limit + 1, **conditions)
    return Page(
        rows=tuple(listed(found[:limit], person, one_person=one_person)),
        next_before=found[limit - 1].pk if len(found) > limit else None,
    )


def listed(tickets: Sequence[Ticket], person: Person, *, one_person: bool) -> list[Listed]:
    """These rows, loaded by `tickets_for_lists`, with their standing; one query for all."""
    groups = {group.pk for ticket in tickets for group in ticket.groups.all()}
    members = _members(groups)
    return [_listed(ticket, person, members, one_person=one_person) for ticket in tickets]


def tickets_for_lists(person: Person) -> QuerySet[Ticket]:
    """What this person may see, with everything a row shows."""
    return _rows(tickets_visible_to(person))


def _newest(
    person: Person, *, before: int | None, limit: int, **conditions: object
) -> list[Ticket]:
    """Tickets that are over; their keys first, then everything that their rows show."""
    keys = newest_visible_to(
        person, before=before, limit=limit, ended_at__isnull=False, **conditions
    ).values_list("pk", flat=True)
    return list(_rows(Ticket.objects.filter(pk__in=list(keys))).order_by("-pk"))


def _rows(tickets: QuerySet[Ticket]) -> QuerySet[Ticket]:
    return tickets.select_related(
        "arguments", "tool_definition", "team", "person"
    ).prefetch_related(
        "groups", Prefetch("decisions", Decision.objects.order_by("created_at", "pk"))
    )


def _members(groups: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """Who has a vote in each of these groups and can sign in."""
    members: dict[UUID, set[UUID]] = {}
    rows = GroupMembership.objects.filter(
        group__in=list(groups), person__accounts__is_active=True
    ).values_list("group_id", "person_id")
    for group, person in rows:
        members.setdefault(group, set()).add(person)
    return members


def _listed(
    ticket: Ticket, person: Person, members: dict[UUID, set[UUID]], *, one_person: bool
) -> Listed:
    groups = ticket.groups.all()
    eligible = {member for group in groups for member in members.get(group.pk, ())}
    votes = as_votes(d for d in ticket.decisions.all() if d.revision == ticket.revision)
    parties = parties_of(ticket, one_person=one_person)
    obligations = obligations_of(ticket)
    digest = bytes(ticket.digest)
    pending = ticket.state == State.PENDING
    awaits = person.pk in eligible
    if pending:
        refusal = why_not(
            person.pk,
            Answer.APPROVE,
            votes=votes,
            obligations=obligations,
            digest=digest,
            eligible=eligible,
            parties=parties,
        )
        awaits = refusal is None
    return Listed(
        ticket=ticket,
        standing=resolve(
            votes,
            obligations=obligations,
            digest=digest,
            eligible=eligible if pending else {vote.person for vote in votes},
            parties=parties,
        ),
        groups=tuple(sorted(group.name for group in groups)),
        awaits_you=awaits and (pending or ticket.state == State.OUTCOME_UNKNOWN),
    )
