"""Tests in words: the one that a ticket turned out to be, and the list of all for admins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.states import State
from approvals.domain.traps import Trap
from approvals.models import Canary
from approvals.models import Decision as Vote
from approvals.presenters.calls import Call
from approvals.presenters.choices import Choice
from approvals.presenters.gists import calls_of
from approvals.presenters.words import Mark
from approvals.selectors.canaries import Seeded

TRAPS: Final = {
    Trap.HOST: (
        gettext_lazy("A lookalike host"),
        gettext_lazy("One letter of a host name came from another alphabet."),
    ),
    Trap.HIDDEN: (
        gettext_lazy("A hidden character"),
        gettext_lazy("A character that shows nothing stood inside one of its texts."),
    ),
    Trap.PATH: (
        gettext_lazy("An unusual path"),
        gettext_lazy("One of its paths climbed out of its folder."),
    ),
    Trap.PAST: (
        gettext_lazy("The call as it was"),
        gettext_lazy("It was a past call, as it was."),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """What a ticket turned out to be, and how the person who looks fared."""

    heading: str
    right: str
    why: str
    explanation: InspectedText | None
    yours: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRow:
    """One seeded test in the list of all."""

    url: str
    number: int
    call: Call
    team: str
    trap: str
    right: str
    seeded_by: str
    seeded_at: datetime
    mark: Mark
    by: str


def present_reveal(canary: Canary, votes: Sequence[Vote], viewer: UUID) -> Reveal:
    """The test a decided ticket was; `viewer` voted on it, or only looks."""
    trap = Trap(canary.trap)
    mine = [vote for vote in votes if vote.person_id == viewer and vote.verdict != "withdraw"]
    yours, tone = "", ""
    if mine:
        was_right = mine[-1].verdict == canary.right
        yours = gettext("You decided just so.") if was_right else gettext("You decided otherwise.")
        tone = "assent" if was_right else "refuse"
    return Reveal(
        heading=gettext("This was a test. No agent asked for it, and nothing could have run."),
        right=_right(canary.right),
        why=str(TRAPS[trap][1]),
        explanation=inspect(canary.explanation) if canary.explanation else None,
        yours=yours,
        tone=tone,
    )


def trap_choices(chosen: str) -> tuple[Choice, ...]:
    """The traps, the ready-made ones first."""
    return tuple(
        Choice(value=trap.value, words=str(words), hint=str(hint), chosen=trap.value == chosen)
        for trap, (words, hint) in TRAPS.items()
    )


def present_canaries(found: Sequence[Seeded]) -> tuple[CanaryRow, ...]:
    """The rows of the list."""
    calls = calls_of([each.canary.ticket for each in found])
    return tuple(
        CanaryRow(
            url=reverse("approvals:ticket", args=[each.canary.ticket.uid]),
            number=each.canary.ticket_id,
            call=calls[each.canary.ticket_id],
            team=each.canary.ticket.team.name,
            trap=str(TRAPS[Trap(each.canary.trap)][0]),
            right=_right(each.canary.right),
            seeded_by=each.canary.seeded_by.name,
            seeded_at=each.canary.created_at,
            mark=_mark(each),
            by=each.vote.person.name if each.vote is not None else "",
        )
        for each in found
    )


def _right(verdict: str) -> str:
    return (
        gettext("Right would have been to reject it.")
        if verdict == "reject"
        else gettext("Right would have been to approve it.")
    )


def _mark(seeded: Seeded) -> Mark:
    ticket = seeded.canary.ticket
    if seeded.vote is not None:
        if seeded.vote.verdict == seeded.canary.right:
            return Mark("good", "check", gettext("Noticed"))
        return Mark("wait", "warn", gettext("Not noticed"))
    if ticket.state == State.PENDING:
        return Mark("wait", "clock", gettext("Waits"))
    return Mark("off", "minus", gettext("Nobody decided"))
