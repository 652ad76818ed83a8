"""The bursts among what needs a person, and the open calls behind one of them. Reads only.

Looks at no more than the most pressing calls, so that it costs the same however many are open.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from approvals.domain.bursts import Burst, Opening
from approvals.models import AgentPause, Ticket
from approvals.selectors.counting import PENDING, is_asked
from approvals.selectors.readers import Reviewer
from approvals.selectors.visibility import sees_everything

LOOKED_AT: Final = 300  # of the most pressing calls
PAGE: Final = 50


def pressing_of(pending: QuerySet[Ticket]) -> list[Opening]:
    """The most pressing of these calls, LOOKED_AT at most."""
    rows = pending.order_by("approval_expires_at", "pk").values_list(
        "pk", "agent_id", "agent_name", "upstream_id", "upstream_name", "tool_name", "created_at",
        "approval_expires_at", "risk", "arguments_id",
    )  # fmt: skip
    return [
        Opening(
            key=key,
            agent_id=agent_id,
            agent_name=agent,
            upstream_id=upstream_id,
            upstream_name=upstream,
            tool_name=tool,
            at=at,
            deadline=deadline,
            risk=risk,
            arguments=arguments,
        )
        for (
            key, agent_id, agent, upstream_id, upstream, tool, at, deadline, risk, arguments,
        ) in rows[:LOOKED_AT]
    ]  # fmt: skip


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
    who: Reviewer, *, agent_id: UUID, upstream_id: UUID | None, tool_name: str
) -> QuerySet[Ticket]:
    """An agent's pending calls (of one tool, or of all) on which this person has a vote."""
    found = Ticket.objects.filter(PENDING, is_asked(who), agent_id=agent_id)
    if upstream_id is not None:
        found = found.filter(upstream_id=upstream_id, tool_name=tool_name)
    return found.order_by("pk")


def paused_for(who: Reviewer) -> list[AgentPause]:
    """The paused agents of this person's teams, and those that they paused; all for some roles."""
    rows = AgentPause.objects.filter(resumed_at__isnull=True).select_related("paused_by")
    if not sees_everything(who):
        rows = rows.filter(Q(team__in=who.teams) | Q(paused_by=who.person))
    return list(rows.order_by("-paused_at")[:PAGE])


def samples(burst: Burst, many: int = 6) -> list[UUID]:
    """The arguments of a few of its calls, from its beginning to its end."""
    keys = [opening.arguments for opening in burst.openings]
    if len(keys) <= many:
        return keys
    return [keys[round(place * (len(keys) - 1) / (many - 1))] for place in range(many)]
