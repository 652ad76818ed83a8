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

from django.db.models import Q, QuerySet, Value

from approvals.domain.bursts import Burst, Opening, bursts_among
from approvals.domain.states import OPEN, State
from approvals.models import Ticket
from approvals.selectors import beside
from approvals.selectors.bursts import LOOKED_AT, in_bursts, pressing_of
from approvals.selectors.counting import (
    LEAST_RANK,
    MOST_COUNTED,
    PENDING,
    RISK_ORDER,
    RISK_RANKS,
    UNRESOLVED,
    asking,
    is_asked,
    is_awaited,
)
from approvals.selectors.listing import Listed, listed
from approvals.selectors.readers import Reviewer
from approvals.selectors.searching import newest
from approvals.selectors.visibility import tickets_visible_to
from approvals.selectors.wanted import OVER

GROUP_ROWS: Final = 25  # of a group of the inbox; a page of its own goes on where they end
RECENT: Final = 10

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
    they have put away, each no longer than GROUP_ROWS. `needs` is how many tickets need them,
    the bursts' among them, counted no further than MOST_COUNTED.
    """

    asks_you: tuple[Listed, ...]
    handed_to_you: tuple[Listed, ...]
    needs_you: Part
    waiting_on_others: Part
    put_away: tuple[Listed, ...]
    decided: tuple[Listed, ...]
    moving_on: bool
    needs: int
    bursts: tuple[Burst, ...] = ()


def inbox(who: Reviewer) -> Inbox:
    """The start of each group: the pressing first, then what is under way and what ended lately.

    An unknown outcome that nobody looked into needs the people who could have voted on it.
    """
    outcomes, pending = beside.needing_plainly(who)
    pressing = pressing_of(pending)
    bursts = bursts_among(pressing)
    asked, handed, away, unknown, others, moving = _starts(
        [
            _Start(_ordered([asking(who)]), MOST_COUNTED),
            _Start(_ordered([beside.handed(who)]), MOST_COUNTED),
            _Start(_ordered([beside.snoozed(who)]), GROUP_ROWS),
            _Start(_ordered([outcomes]), MOST_COUNTED),
            _Start(_ordered(_waiting(who)), GROUP_ROWS + 1),
            _Start([_under_way(who)], GROUP_ROWS + 1, newest_first=True),
        ]
    )
    places = sorted([*unknown, *_one_by_one(pending, pressing, bursts)])
    needs, needs_next = _page([key for *_, key in places])
    waiting, others_next = _page(_keys(others))
    recent = newest(who, OVER, ~UNRESOLVED, limit=RECENT).keys
    groups = (
        _keys(asked)[:GROUP_ROWS],
        _keys(handed)[:GROUP_ROWS],
        needs,
        [*waiting, *_keys(moving)[:GROUP_ROWS]],
        _keys(away),
        recent,
    )
    keys = [key for group in groups for key in group]
    rows = iter(listed(keys, one_person=who.one_person, who=who))
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
        needs=min(len(asked) + len(handed) + len(unknown) + len(pressing), MOST_COUNTED),
        bursts=bursts,
    )


def needs_you(who: Reviewer, *, after: int | None) -> Part:
    """What needs this person, from behind the ticket with the key `after`."""
    outcomes, pending = beside.needing_plainly(who)
    bursts = bursts_among(pressing_of(pending))
    single = pending.exclude(in_bursts(bursts)) if bursts else pending
    return _part(who, [outcomes, single], after=after)


def waiting_on_others(who: Reviewer, *, after: int | None) -> Part:
    """What waits for other people, from behind the ticket with the key `after`."""
    return _part(who, _waiting(who), after=after)


type Walk = QuerySet[Ticket]
type Place = tuple[datetime, int, int]  # deadline, risk's rank and key


@dataclass(frozen=True, slots=True)
class _Start:
    """The first tickets along some ordered walks."""

    walks: Sequence[Walk]
    most: int
    newest_first: bool = False


def _waiting(who: Reviewer) -> tuple[Walk, ...]:
    visible = tickets_visible_to(who)
    return (
        visible.filter(UNRESOLVED).exclude(is_asked(who)),
        visible.filter(PENDING).exclude(is_awaited(who)).exclude(beside.is_listed(who)),
    )


def _under_way(who: Reviewer) -> Walk:
    moving = tickets_visible_to(who).filter(ended_at__isnull=True, state__in=_IN_FLIGHT)
    return moving.order_by("-pk")


def _one_by_one(pending: Walk, pressing: Sequence[Opening], bursts: Sequence[Burst]) -> list[Place]:
    """Where the pressing calls outside the bursts stand.

    Only where bursts hide most of what was looked at is looked behind them, by a further query.
    """
    hidden = {opening.key for burst in bursts for opening in burst.openings}
    places = [(each.deadline, _rank(each.risk), each.key) for each in pressing]
    single = [place for place in places if place[-1] not in hidden]
    if len(single) > GROUP_ROWS or len(pressing) < LOOKED_AT:
        return single
    (behind,) = _starts([_Start(_ordered([pending.exclude(in_bursts(bursts))]), GROUP_ROWS + 1)])
    return behind


def _ordered(walks: Iterable[Walk]) -> list[Walk]:
    """The most pressing first."""
    ranked = (walk.annotate(rank=RISK_ORDER) for walk in walks)
    return [walk.order_by("approval_expires_at", "rank", "pk") for walk in ranked]


def _starts(starts: Sequence[_Start]) -> list[list[Place]]:
    """The first places of each of these; one query for all."""
    parts = [
        Ticket.objects.filter(pk__in=walk.values("pk")[: start.most])
        .annotate(which=Value(which), rank=RISK_ORDER)
        .values_list("which", "approval_expires_at", "rank", "pk")
        for which, start in enumerate(starts)
        for walk in start.walks
    ]
    found: list[list[Place]] = [[] for _ in starts]
    for which, *place in parts[0].union(*parts[1:], all=True):
        found[which].append((place[0], place[1], place[2]))
    for start, places in zip(starts, found, strict=True):
        if start.newest_first:
            places.sort(key=lambda place: -place[-1])
        else:
            places.sort()
        del places[start.most :]
    return found


def _keys(places: Iterable[Place]) -> list[int]:
    return [key for *_, key in places]


def _page(keys: list[int]) -> tuple[list[int], int | None]:
    """The keys of a group's rows, and the key that its next page needs."""
    return keys[:GROUP_ROWS], keys[GROUP_ROWS - 1] if len(keys) > GROUP_ROWS else None


def _part(who: Reviewer, walks: Sequence[Walk], *, after: int | None) -> Part:
    """A page of the most pressing of all these tickets, from behind `after`."""
    place = _place_of(after)
    ordered = _ordered(walks)
    if place is not None:
        deadline, rank, key = place
        behind = Q(rank__gt=rank) | Q(rank=rank, pk__gt=key)
        ordered = [
            walk.filter(
                Q(approval_expires_at__gt=deadline) | Q(approval_expires_at=deadline) & behind,
                approval_expires_at__gte=deadline,
            )
            for walk in ordered
        ]
    (places,) = _starts([_Start(ordered, GROUP_ROWS + 1)])
    keys, more = _page(_keys(places))
    return Part(rows=listed(keys, one_person=who.one_person, who=who), next_after=more)


def _place_of(key: int | None) -> Place | None:
    """Where a ticket stands among the pressing; None for the beginning."""
    if key is None:
        return None
    last = Ticket.objects.filter(pk=key).values_list("approval_expires_at", "risk").first()
    return (last[0], _rank(last[1]), key) if last else None


def _rank(risk: str) -> int:
    return RISK_RANKS.get(risk, LEAST_RANK)
