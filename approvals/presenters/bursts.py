"""A burst as one row of the inbox, its own page, and the agents that people have paused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from approvals.domain.bursts import Burst
from approvals.domain.diffing import Change, differences
from approvals.domain.inspection import InspectedText, inspect
from approvals.models import AgentPause, Payload, User
from approvals.presenters.calls import name
from approvals.presenters.rows import Row
from approvals.presenters.sealed import open_bytes
from approvals.presenters.words import figure, span
from approvals.selectors.bursts import samples
from approvals.services.pausing import may_resume

MENTIONED: Final = 4  # arguments that differ
SHORTEST: Final = timedelta(seconds=1)  # nothing happens within 0 s


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstRow:
    """One agent's flood in one row. `differs` are the arguments that differ between its calls."""

    agent: InspectedText
    target: InspectedText | None  # the tool; None for several
    words: str
    first: datetime
    last: datetime | None  # None where it is the same second
    differs: tuple[InspectedText, ...]
    says_same: bool
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedRow:
    """An agent that is paused, for those who may know."""

    agent: InspectedText
    by: str
    since: datetime
    resume_url: str  # empty where the viewer may not


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstPage:
    """The open calls of a burst, and what can be done about all of them, `up_to` the newest."""

    agent: InspectedText
    tool: InspectedText | None
    many: int
    heading: str
    verb: str
    rows: tuple[Row, ...]
    more_url: str
    first_url: str
    here: str
    nonce: str
    up_to: int
    reason: str
    error: str


def burst_url(agent_id: UUID, upstream_id: UUID | None, tool_name: str) -> str:
    """Where the calls of a burst are listed."""
    here = reverse("approvals:burst", args=[agent_id])
    asked = {"upstream": str(upstream_id), "tool": tool_name} if upstream_id else {}
    return f"{here}?{urlencode(asked)}" if asked else here


def present_burst(burst: Burst, arguments: Mapping[UUID, Payload]) -> BurstRow:
    """One row for all of them; of `arguments` those of a few, from its beginning to its end."""
    many = len(burst.openings)
    opened = (open_bytes(arguments.get(key))[0] for key in samples(burst))
    readable = [found for found in opened if found is not None]
    differs = differing(readable)
    return BurstRow(
        agent=name(burst.agent_name),
        target=name(f"{burst.upstream_name}.{burst.tool_name}") if burst.tool_name else None,
        words=ngettext(
            "{number} open call within {span}", "{number} open calls within {span}", many
        ).format(number=figure(many), span=span(max(burst.last - burst.first, SHORTEST))),
        first=burst.first,
        last=burst.last if _second(burst.last) > _second(burst.first) else None,
        differs=tuple(inspect(path, identifier_like=True) for path in differs[:MENTIONED]),
        says_same=len(readable) > 1 and not differs,
        url=burst_url(burst.agent_id, burst.upstream_id, burst.tool_name),
    )


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def differing(arguments: Sequence[bytes]) -> tuple[str, ...]:
    """The paths at which any of these arguments differs from the first."""
    found: dict[str, None] = {}
    for other in arguments[1:]:
        for difference in differences(arguments[0], other):
            if difference.change is not Change.UNCHANGED:
                found[difference.pointer.removeprefix("/") or gettext("everything")] = None
    return tuple(found)


def present_paused(paused: Sequence[AgentPause], user: User) -> tuple[PausedRow, ...]:
    """The agents that are paused."""
    return tuple(
        PausedRow(
            agent=name(row.agent_name),
            by=row.paused_by.name,
            since=row.paused_at,
            resume_url=reverse("approvals:resume-agent", args=[row.agent_id])
            if may_resume(row, user)
            else "",
        )
        for row in paused
    )


def suggested_reason(many: int) -> str:
    """What a reviewer may say to each of `many`, beside which stand all the others."""
    others = many - 1
    if others < 1:
        return gettext("Rejected; the agent is paused.")
    return ngettext(
        "Rejected together with {number} similar call; the agent is paused.",
        "Rejected together with {number} similar calls; the agent is paused.",
        others,
    ).format(number=figure(others))
