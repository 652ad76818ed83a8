"""Who is asked, who has answered, and how many approvals are still to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils.translation import gettext, gettext_lazy

from approvals.domain.inspection import InspectedText, inspect, one_line
from approvals.domain.quorum import Answer, Resolution
from approvals.domain.states import State
from approvals.models import Decision
from approvals.presenters.sealed import open_text
from approvals.presenters.words import any_of, approvals, figure, missing_approvals

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
    Answer.APPROVE: ("in", "seal", gettext_lazy("approved")),
    Answer.REJECT: ("out", "cross", gettext_lazy("rejected")),
    Answer.WITHDRAW: ("", "minus", gettext_lazy("took a vote back")),
}


def present_quorum(
    *,
    decisions: Sequence[Decision],
    resolution: Resolution,
    state: State,
    may_still_vote: Mapping[UUID, str],
    viewer: UUID,
    groups: Mapping[str, str],
    by_grant: bool,
) -> Quorum:
    """The seats; `may_still_vote` names the people whose approval would count now.

    `groups` are the names of the groups that are asked, by slug.
    """
    seats = [_given(decision) for decision in decisions]
    if state is State.PENDING:
        seats += _of_groups(resolution, groups)
        seats.append(_missing(resolution, may_still_vote, viewer))
    if by_grant:
        seats.append(
            Seat(
                tone="in",
                icon="seal",
                name=gettext("A standing permission"),
                verb=gettext("covered this call"),
            )
        )
    elif not seats:
        seats.append(Seat(tone="", icon="seat", name=gettext("Nobody"), verb=gettext("voted")))
    have = gettext("{have} of {approvals}").format(
        have=figure(resolution.have), approvals=approvals(resolution.need)
    )
    return Quorum(
        heading=gettext("Standing permission") if by_grant else have,
        groups=any_of(list(groups.values())),
        seats=tuple(seats),
        footer=gettext("One rejection ends it.") if state is State.PENDING else "",
    )


def _given(decision: Decision) -> Seat:
    tone, icon, verb = _VERBS[Answer(decision.verdict)]
    reason = open_text(decision.reason)
    return Seat(
        tone=tone,
        icon=icon,
        name=decision.person.name,
        verb=_for_whom(decision, str(verb)),
        at=decision.created_at,
        reason=inspect(reason) if reason else None,
    )


def _for_whom(decision: Decision, verb: str) -> str:
    """What was done, and for whom where somebody stands in."""
    mandate = getattr(decision, "mandate", None)
    if mandate is None or mandate.stands_in_for is None:
        return verb
    return gettext("{verb} for {name}, who is away").format(
        verb=verb, name=one_line(mandate.stands_in_for.name)
    )


def _of_groups(resolution: Resolution, names: Mapping[str, str]) -> list[Seat]:
    """What is still to come from each group that owes approvals of its own."""
    return [
        Seat(
            tone="",
            icon="seat",
            name=names.get(each.group, each.group),
            verb=gettext("still owes {missing}").format(
                missing=missing_approvals(each.missing, more=bool(each.have))
            )
            if each.missing
            else gettext("has given its {approvals}").format(approvals=approvals(each.need)),
        )
        for each in resolution.by_group
    ]


def _missing(resolution: Resolution, people: Mapping[UUID, str], viewer: UUID) -> Seat:
    names = [gettext("you")] if viewer in people else []
    names += sorted(name for person, name in people.items() if person != viewer)
    if not names:
        words = gettext("Nobody left may approve this. It can only be rejected, or it expires.")
    else:
        more = len(names) - NAMED
        words = ", ".join(names[:NAMED]) + (
            gettext(" and {number} more").format(number=figure(more)) if more > 0 else ""
        )
    missing = missing_approvals(resolution.missing, more=bool(resolution.have))
    return Seat(tone="", icon="seat", name=missing, verb=gettext("wanted from"), words=words)
