"""Who is asked, who has answered, and how many approvals are still to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.quorum import Answer, Resolution
from approvals.domain.states import State
from approvals.models import Decision
from approvals.presenters.sealed import open_text
from approvals.presenters.words import count

NAMED: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One vote that was given, or the ones that are missing."""

    tone: str
    icon: str
    name: str
    verb: str
    at: datetime | None = None
    reason: InspectedText | None = None
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """The votes on the current revision."""

    heading: str
    groups: str
    seats: tuple[Seat, ...]
    footer: str


_VERBS: Final = {
    Answer.APPROVE: ("in", "seal", "approved"),
    Answer.REJECT: ("out", "cross", "rejected"),
    Answer.WITHDRAW: ("", "minus", "took a vote back"),
}


def present_quorum(
    *,
    decisions: Sequence[Decision],
    resolution: Resolution,
    state: State,
    may_still_vote: Mapping[UUID, str],
    viewer: UUID,
    groups: Sequence[str],
    by_grant: bool,
) -> Quorum:
    """The seats; `may_still_vote` names the people whose approval would count now."""
    seats = [_given(decision) for decision in decisions]
    if state is State.PENDING:
        seats.append(_missing(resolution, may_still_vote, viewer))
    if by_grant:
        seats.append(
            Seat(tone="in", icon="seal", name="A standing permission", verb="covered this call")
        )
    elif not seats:
        seats.append(Seat(tone="", icon="seat", name="Nobody", verb="voted"))
    have = f"{resolution.have} of {count(resolution.need, 'approval')}"
    return Quorum(
        heading="Standing permission" if by_grant else have,
        groups=" or ".join(groups),
        seats=tuple(seats),
        footer="One rejection ends it." if state is State.PENDING else "",
    )


def _given(decision: Decision) -> Seat:
    tone, icon, verb = _VERBS[Answer(decision.verdict)]
    reason = open_text(decision.reason)
    return Seat(
        tone=tone,
        icon=icon,
        name=decision.person.name,
        verb=verb,
        at=decision.created_at,
        reason=inspect(reason) if reason else None,
    )


def _missing(resolution: Resolution, people: Mapping[UUID, str], viewer: UUID) -> Seat:
    names = ["you"] if viewer in people else []
    names += sorted(name for person, name in people.items() if person != viewer)
    if not names:
        words = "Nobody left may approve this. It can only be rejected, or it expires."
    else:
        more = len(names) - NAMED
        words = ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
    missing = count(resolution.missing, "more approval" if resolution.have else "approval")
    return Seat(tone="", icon="seat", name=missing, verb="wanted from", words=words)
