"""Ways through many tickets, newest first, each along an index of its own and none too far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q, QuerySet, Value

from approvals.models import Ticket
from approvals.selectors.readers import Reviewer
from approvals.selectors.visibility import Asked, sees_everything

LOOK: Final = 5000  # tickets along each way for one page


@dataclass(frozen=True, slots=True)
class Walk:
    """A way along an index, newest first, over tickets or over rows that name them."""

    rows: QuerySet[Any]
    key: str = "pk"

    def keys(self, *, lowest: int | None, below: int | None) -> QuerySet[Any]:
        """The keys of its tickets, from `lowest` up to but not including `below`."""
        rows = self.rows
        if lowest is not None:
            rows = rows.filter(**{f"{self.key}__gte": lowest})
        if below is not None:
            rows = rows.filter(**{f"{self.key}__lt": below})
        return rows.order_by(f"-{self.key}").values(self.key)


type Walks = tuple[Walk, ...]


def walks_of(who: Reviewer) -> Walks:
    """Every reason of this person to see tickets, each by itself."""
    if sees_everything(who):
        return (Walk(Ticket.objects.all()),)
    groups = who.voting_groups
    return (
        Walk(Ticket.objects.filter(person=who.person)),
        *(Walk(Ticket.objects.filter(team_id=team)) for team in who.teams),
        *(Walk(Asked.objects.filter(reviewergroup_id=key), "ticket_id") for key in groups),
    )


def ends_of(mine: Walks, narrowed: Walks, *, below: int | None) -> tuple[int | None, int | None]:
    """Where looking has to stop: the highest key at which a walk has met LOOK tickets."""
    marks = [
        Ticket.objects.filter(pk__in=walk.keys(lowest=None, below=below)[LOOK - 1 : LOOK])
        .annotate(which=Value(which))
        .values_list("which", "pk")
        for which, walks in enumerate((mine, narrowed))
        for walk in walks
    ]
    ends: dict[int, int] = {}
    for which, key in marks[0].union(*marks[1:]):
        ends[which] = max(key, ends.get(which, key))
    return ends.get(0), ends.get(1)


def along(
    walks: Walks, condition: Q, *, lowest: int | None, below: int | None, most: int
) -> list[int]:
    """The newest keys on any of these walks, each ticket once."""
    parts = []
    for walk in walks:
        keys = walk.keys(lowest=lowest, below=below)
        met = keys if walk.rows.model is Ticket else Ticket.objects.filter(pk__in=keys).values("pk")
        newest: QuerySet[Any] = met.filter(condition).order_by("-pk")[:most]
        parts.append(Ticket.objects.filter(pk__in=newest).values_list("pk", flat=True))
    if len(parts) == 1:
        return list(parts[0].order_by("-pk"))
    return list(parts[0].union(*parts[1:]).order_by("-pk")[:most])
