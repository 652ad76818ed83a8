"""Which open calls are a burst: one agent asking for the same again and again within minutes.

A burst is one row for the people it floods, whatever its size. Pure; knows neither rows nor clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

SAME_TOOL: Final = 5  # open calls of one tool within the window
ANY_TOOL: Final = 15  # open calls of one agent within the window
WINDOW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One open call: whose, of what, since when, until when, and where its arguments are."""

    key: int
    agent_id: UUID
    agent_name: str
    upstream_id: UUID
    upstream_name: str
    tool_name: str
    at: datetime
    deadline: datetime
    risk: str
    arguments: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Open calls that belong together, oldest first; of all tools where `tool_name` is empty."""

    agent_id: UUID
    agent_name: str
    upstream_id: UUID | None
    upstream_name: str
    tool_name: str
    openings: tuple[Opening, ...]

    @property
    def first(self) -> datetime:
        """When it began."""
        return self.openings[0].at

    @property
    def last(self) -> datetime:
        """When its newest call came."""
        return self.openings[-1].at


def bursts_among(openings: Iterable[Opening]) -> tuple[Burst, ...]:
    """The bursts among these open calls, in the order in which they began.

    An agent that floods with many tools at once is one burst; else each of its tools may be.
    """
    by_agent: dict[UUID, list[Opening]] = {}
    for opening in sorted(openings, key=lambda each: (each.at, each.key)):
        by_agent.setdefault(opening.agent_id, []).append(opening)
    found: list[Burst] = []
    for calls in by_agent.values():
        by_tool: dict[tuple[UUID, str], list[Opening]] = {}
        for call in calls:
            by_tool.setdefault((call.upstream_id, call.tool_name), []).append(call)
        if len(by_tool) > 1 and _is_dense(calls, ANY_TOOL):
            found.append(_burst(calls, of_one_tool=False))
            continue
        found += [_burst(same, of_one_tool=True) for same in by_tool.values() if _is_dense(same)]
    return tuple(sorted(found, key=lambda burst: burst.first))


def _is_dense(calls: Sequence[Opening], many: int = SAME_TOOL) -> bool:
    """Whether `many` of these, oldest first, came within one window."""
    return any(
        later.at - earlier.at <= WINDOW
        for earlier, later in zip(calls, calls[many - 1 :], strict=False)
    )


def _burst(calls: Sequence[Opening], *, of_one_tool: bool) -> Burst:
    one = calls[0]
    return Burst(
        agent_id=one.agent_id,
        agent_name=one.agent_name,
        upstream_id=one.upstream_id if of_one_tool else None,
        upstream_name=one.upstream_name if of_one_tool else "",
        tool_name=one.tool_name if of_one_tool else "",
        openings=tuple(calls),
    )
