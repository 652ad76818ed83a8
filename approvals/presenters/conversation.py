"""What people say about a ticket, and the forms in which they say it: people's words, inspected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext

from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.snoozing import Choice
from approvals.models import Handoff, Remark
from approvals.presenters.sealed import open_text


@dataclass(frozen=True, slots=True, kw_only=True)
class RemarkView:
    """One person's words. `question` is the key of a question that the reader is to answer."""

    kind: str
    icon: str
    who: str
    verb: str
    at: datetime
    words: InspectedText | None
    to: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice of a form."""

    value: str
    words: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """The conversation, and what the reader may add to it."""

    remarks: tuple[RemarkView, ...]
    may_ask: bool
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A ticket that was handed to the reader."""

    who: str
    at: datetime
    words: InspectedText | None


def present_talk(remarks: Sequence[Remark], *, viewer: UUID, may_ask: bool, owner: str) -> Talk:
    """The remarks in their order, each answer after its question."""
    answers = {remark.answers_id: remark for remark in remarks if remark.answers_id is not None}
    views: list[RemarkView] = []
    for remark in remarks:
        if remark.answers_id is not None:
            continue
        answer = answers.get(remark.pk)
        awaited = remark.asked_id == viewer and answer is None
        views.append(_remark(remark, question=str(remark.pk) if awaited else ""))
        if answer is not None:
            views.append(_remark(answer))
    return Talk(remarks=tuple(views), may_ask=may_ask, owner=owner)


def present_received(handoff: Handoff | None) -> Received | None:
    """Who handed the ticket to the reader, and with which words."""
    if handoff is None:
        return None
    words = open_text(handoff.words)
    return Received(
        who=handoff.giver.name,
        at=handoff.created_at,
        words=inspect(words) if words else None,
    )


def present_takers(people: Mapping[UUID, str], groups: Mapping[UUID, str]) -> tuple[Option, ...]:
    """Whom a ticket can be handed to: people first, then groups."""
    return (
        *(Option(value=f"person:{key}", words=name) for key, name in people.items()),
        *(
            Option(value=f"group:{key}", words=gettext("everybody in {group}").format(group=name))
            for key, name in groups.items()
        ),
    )


def present_choices(offered: Mapping[Choice, datetime]) -> tuple[Option, ...]:
    """Until when a ticket can be put away."""
    words = {
        Choice.QUARTER: gettext("15 minutes"),
        Choice.HOUR: gettext("1 hour"),
        Choice.HALF: gettext("Half of the time that is left"),
        Choice.TOMORROW: gettext("Tomorrow morning"),
    }
    return tuple(
        Option(value=choice.value, words=words[choice], at=at) for choice, at in offered.items()
    )


def taker_in(value: str) -> tuple[UUID | None, UUID | None]:
    """The person or group that a posted choice names; (None, None) for anything else."""
    kind, _, key = value.partition(":")
    try:
        found = UUID(key)
    except ValueError:
        return None, None
    return (found if kind == "person" else None, found if kind == "group" else None)


def _remark(remark: Remark, *, question: str = "") -> RemarkView:
    words = open_text(remark.words)
    verbs = {
        Remark.Kind.COMMENT: ("note", gettext("commented")),
        Remark.Kind.QUESTION: ("unknown", gettext("asked")),
        Remark.Kind.ANSWER: ("turn", gettext("answered")),
    }
    icon, verb = verbs[Remark.Kind(remark.kind)]
    return RemarkView(
        kind=remark.kind,
        icon=icon,
        who=remark.person.name,
        verb=verb,
        at=remark.created_at,
        words=inspect(words) if words else None,
        to=remark.asked.name if remark.asked is not None else "",
        question=question,
    )
