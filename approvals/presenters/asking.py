"""Who asks for a call, and what has to be known of it before reading the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.states import State
from approvals.models import Ticket
from approvals.presenters.calls import name
from approvals.presenters.words import STATE_MARKS, Mark, figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A remark above the ticket. One with `focus` is what the reader has to see first."""

    icon: str
    heading: str
    text: str = ""
    tone: str = ""
    items: tuple[str, ...] = ()
    url: str = ""
    link: str = ""
    focus: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A label, somebody else's words for it, and ours."""

    label: str
    words: str = ""
    text: InspectedText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What is known of the agent's other calls."""

    words: str
    this_tool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What became of an earlier call of the same agent to the same tool."""

    number: int
    url: str
    mark: Mark
    at: datetime


def present_earlier(tickets: Sequence[Ticket]) -> tuple[Earlier, ...]:
    """Earlier decisions, the last first."""
    return tuple(
        Earlier(
            number=ticket.pk,
            url=reverse("approvals:ticket", args=[ticket.uid]),
            mark=STATE_MARKS[State(ticket.state)],
            at=ticket.decided_at or ticket.created_at,
        )
        for ticket in tickets
    )


def present_notes(ticket: Ticket, *, broken: bool) -> tuple[Note, ...]:
    """What has to be known before reading the rest."""
    found: list[Note] = []
    if broken:
        found.append(
            Note(
                icon="warn",
                tone="refuse",
                heading=gettext("The stored arguments do not match their seal."),
                text=gettext(
                    "They were changed in the database, so nothing of this call can be approved."
                    " Tell an administrator."
                ),
            )
        )
    if ticket.possible_repeat_of is not None:
        found.append(
            Note(
                icon="warn",
                tone="wait",
                heading=gettext("Possible repeat of ticket {number}.").format(
                    number=ticket.possible_repeat_of.pk
                ),
                text=gettext(
                    "The same agent sent the very same call before"
                    " ({word})."
                    " Make sure that it should happen again."
                ).format(word=STATE_MARKS[State(ticket.possible_repeat_of.state)].word.lower()),
                url=reverse("approvals:ticket", args=[ticket.possible_repeat_of.uid]),
                link=gettext("See what became of it"),
            )
        )
    if ticket.retry_of is not None:
        found.append(
            Note(
                icon="turn",
                heading=gettext("Another attempt at ticket {number}.").format(
                    number=ticket.retry_of.pk
                ),
                url=reverse("approvals:ticket", args=[ticket.retry_of.uid]),
                link=gettext("See what became of it"),
            )
        )
    if ticket.requests > 1:
        found.append(
            Note(
                icon="turn",
                heading=ngettext(
                    "One execution for {number} request.",
                    "One execution for {number} requests.",
                    ticket.requests,
                ).format(number=figure(ticket.requests)),
                text=gettext(
                    "The agent asked again while this one was open; all of them get its outcome."
                ),
            )
        )
    return tuple(found)


def present_asker(ticket: Ticket, *, activity: Activity, owner_now: str) -> tuple[Fact, ...]:
    """Who asks, and how they have behaved."""
    owner = ticket.person.name
    facts = [
        Fact(label=gettext("Agent"), text=name(ticket.agent_name)),
        Fact(label=gettext("Owner"), text=inspect(owner)),
        Fact(label=gettext("Team"), text=inspect(ticket.team.name)),
    ]
    if owner_now and owner_now != owner:
        facts.append(Fact(label=gettext("Owner now"), text=inspect(owner_now)))
    if ticket.session_label:
        facts.append(Fact(label=gettext("Session"), text=inspect(ticket.session_label)))
    facts.append(Fact(label=gettext("Last hour"), words=activity.words))
    facts.append(Fact(label=gettext("Calls of this tool before"), words=activity.this_tool))
    return tuple(facts)
