"""What a person's lists hold: what needs them, what waits for others, what was decided.

Every list starts from what the person may see and takes the same number of queries whatever its
length. Pages go by key, never by offset, and nothing counts without a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from approvals.domain.bursts import Burst
from approvals.domain.states import OPEN, State
from approvals.models import Person, Ticket
from approvals.selectors import beside
from approvals.selectors.bursts import bursts_for, in_bursts
from approvals.selectors.counting import (
    PENDING,
    UNRESOLVED,
    Reviewer,
    is_asked,
    is_awaited,
    reviewer,
)
from approvals.selectors.listing import Listed, listed
from approvals.selectors.searching import newest
from approvals.selectors.visibility import tickets_visible_to
from approvals.selectors.wanted import OVER

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows of a group from some place on; `next_after` is the key of the next page."""

    rows: tuple[Listed, ...]
    next_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """The three groups as they begin; `moving_on` says that more is under way than is listed.

    What belongs to one of the `bursts` does not stand among what needs this person by itself.
    Beside them what stands by itself: questions to the reader, what was handed to them, and what
    they have put away, each no longer than GROUP_ROWS.
    """

    asks_you: tuple[Listed, ...]
    handed_to_you: tuple[Listed, ...]
    needs_you: Part
    waiting_on_others: Part
    put_away: tuple[Listed, ...]
    decided: tuple[Listed, ...]
    moving_on: bool
    bursts: tuple[Burst, ...] = ()


def inbox(person: Person, *, one_person: bool) -> Inbox:
    """The start of each group: the pressing first, then what is under way and what ended lately.

    An unknown outcome that nobody looked into needs the people who could have voted on it.
    """
    who = reviewer(person, one_person=one_person)
    asked, _ = _first([beside.asking(who)], after=None)
    handed, _ = _first([beside.handed(who)], after=None)
    away, _ = _first([beside.snoozed(who)], after=None)
    bursts = bursts_for(who)
    needs, needs_next = _first(_one_by_one(who, bursts), after=None)
    others, others_next = _first(_waiting(who), after=None)
    moving = list(
        tickets_visible_to(person)
        .filter(ended_at__isnull=True, state__in=_IN_FLIGHT)
        .order_by("-pk")
        .values_list("pk", flat=True)[: GROUP_ROWS + 1]
    )
    recent = newest(person, OVER, ~UNRESOLVED, limit=RECENT).keys
    waiting = [*others, *moving[:GROUP_ROWS]]
    groups = (asked, handed, needs, waiting, away, list(recent))
    rows = iter(listed([key for group in groups for key in group], one_person=one_person, who=who))
    asks_you, handed_to_you, needs_you, others_rows, put_away, decided = (
        tuple(islice(rows, len(group))) for group in groups
    )
    return Inbox(
        asks_you=asks_you,
        handed_to_you=handed_to_you,
        needs_you=Part(rows=needs_you, next_after=needs_next),
        waiting_on_others=Part(rows=others_rows, next_after=others_next),
        put_away=put_away,
        decided=decided,
        moving_on=len(moving) > GROUP_ROWS,
        bursts=bursts,
    )


def needs_you(person: Person, *, one_person: bool, after: int | None) -> Part:
    """What needs this person, from behind the ticket with the key `after`."""
    who = reviewer(person, one_person=one_person)
    keys, more = _first(_one_by_one(who, bursts_for(who)), after=after)
    return Part(rows=listed(keys, one_person=one_person, who=who), next_after=more)


def waiting_on_others(person: Person, *, one_person: bool, after: int | None) -> Part:
    """What waits for other people, from behind the ticket with the key `after`."""
    who = reviewer(person, one_person=one_person)
    keys, more = _first(_waiting(who), after=after)
    return Part(rows=listed(keys, one_person=one_person, who=who), next_after=more)


type Walk = QuerySet[Ticket]


def _one_by_one(who: Reviewer, bursts: Sequence[Burst]) -> tuple[Walk, ...]:
    """What needs this person, apart from the bursts."""
    outcomes, pending = beside.needing_plainly(who)
    return (outcomes, pending.exclude(in_bursts(bursts)) if bursts else pending)


def _waiting(who: Reviewer) -> tuple[Walk, ...]:
    visible = tickets_visible_to(who.person)
    return (
        visible.filter(UNRESOLVED).exclude(is_asked(who)),
        visible.filter(PENDING).exclude(is_awaited(who)).exclude(beside.is_listed(who)),
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
