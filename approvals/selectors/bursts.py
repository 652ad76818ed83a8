"""The bursts among what needs a person, and the open calls behind one of them. Reads only.

Looks at no more than the most pressing calls, so that it costs the same however many are open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from approvals.domain.bursts import Burst, Opening, bursts_among
from approvals.models import AgentPause, Payload, Person, TeamMembership, Ticket
from approvals.selectors.beside import needing_plainly
from approvals.selectors.counting import PENDING, Reviewer, is_asked, reviewer
from approvals.selectors.visibility import sees_everything

LOOKED_AT: Final = 300  # of the most pressing calls
PAGE: Final = 50
READ_BYTES: Final = 65_536


def bursts_for(who: Reviewer) -> tuple[Burst, ...]:
    """The bursts that flood this person's inbox."""
    _outcomes, pending = needing_plainly(who)
    rows = pending.order_by("approval_expires_at", "pk").values_list(
        "pk", "agent_id", "agent_name", "upstream_id", "upstream_name", "tool_name", "created_at"
    )
    return bursts_among(
        Opening(
            key=key,
            agent_id=agent_id,
            agent_name=agent,
            upstream_id=upstream_id,
            upstream_name=upstream,
            tool_name=tool,
            at=at,
        )
        for key, agent_id, agent, upstream_id, upstream, tool, at in rows[:LOOKED_AT]
    )


def in_bursts(bursts: Iterable[Burst]) -> Q:
    """The tickets that belong to these; none where there are none."""
    found = Q(pk__in=())
    for burst in bursts:
        same = Q(agent_id=burst.agent_id)
        if burst.upstream_id is not None:
            same &= Q(upstream_id=burst.upstream_id, tool_name=burst.tool_name)
        found |= same
    return found


def open_calls(
    person: Person, *, agent_id: UUID, upstream_id: UUID | None, tool_name: str
) -> QuerySet[Ticket]:
    """An agent's pending calls (of one tool, or of all) on which this person has a vote."""
    who = reviewer(person, one_person=False)
    found = Ticket.objects.filter(PENDING, is_asked(who), agent_id=agent_id)
    if upstream_id is not None:
        found = found.filter(upstream_id=upstream_id, tool_name=tool_name)
    return found.order_by("pk")


def paused_for(person: Person) -> list[AgentPause]:
    """The paused agents of this person's teams, and those that they paused; all for some roles."""
    rows = AgentPause.objects.filter(resumed_at__isnull=True).select_related("paused_by")
    if not sees_everything(person):
        teams = TeamMembership.objects.filter(person=person).values("team")
        rows = rows.filter(Q(team__in=teams) | Q(paused_by=person))
    return list(rows.order_by("-paused_at")[:PAGE])


def arguments_of(keys: Iterable[int]) -> dict[int, Payload]:
    """The sealed arguments of these tickets, but for large ones."""
    rows = Ticket.objects.filter(pk__in=list(keys), arguments__size__lte=READ_BYTES)
    return {row.pk: row.arguments for row in rows.select_related("arguments").only("arguments")}


def samples(burst: Burst, many: int = 6) -> Sequence[int]:
    """The keys of a few of its calls, from its beginning to its end."""
    keys = [opening.key for opening in burst.openings]
    if len(keys) <= many:
        return keys
    return [keys[round(place * (len(keys) - 1) / (many - 1))] for place in range(many)]
