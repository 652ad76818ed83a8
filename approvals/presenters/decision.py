"""What the person who looks may do about a ticket, and what is still missing before they may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from approvals.domain.errors import Expired, Refusal
from approvals.domain.forms import Field
from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.states import State
from approvals.models import Ticket
from approvals.presenters.annotating import Annotate, present_annotate
from approvals.presenters.answers import AnswerField, answer_fields
from approvals.presenters.arguments import Row
from approvals.presenters.posted import Posted
from approvals.presenters.words import figure, told

REASON_CHARS: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that stands before an approval."""

    words: str
    anchor: str = ""
    text: InspectedText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A verb that needs no form beyond its button."""

    url: str
    icon: str
    verb: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What the ledger lets this person do now; a refusal says why not, None means they may."""

    approve: Refusal | None
    reject: Refusal | None
    has_voted: bool
    may_revoke: bool
    may_cancel: bool
    may_annotate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The panel beside the ticket."""

    heading: str
    lead: str = ""
    may_vote: bool = False
    may_approve: bool = False
    blocked: bool = False
    url: str = ""
    nonce: str = ""
    seen_digest: str = ""
    opened_token: str = ""
    reason: str = ""
    reason_required: bool = False
    reason_limit: int = REASON_CHARS
    reason_hint: str = ""
    reason_error: str = ""
    answers: tuple[AnswerField, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    requirements_heading: str = ""
    next_url: str = ""  # where whoever has voted goes on
    next_words: str = ""
    focus: bool = False
    approve_verb: str = ""
    approve_hint: str = ""
    acts: tuple[Act, ...] = ()
    annotate: Annotate | None = None


def present_decision(
    ticket: Ticket,
    *,
    rights: Rights,
    cut_rows: Sequence[Row],
    arguments_shown: bool,
    reason_required: bool,
    missing: int,
    killed: bool,
    nonce: str,
    opened_token: str,
    posted: Posted,
    form: tuple[Field, ...] = (),
    next_url: str = "",
    next_words: str = "",
    focus: bool = False,
) -> Decision:
    """The panel for one person on one ticket; `form` is what it asks people to answer.

    `next_url` is where whoever has voted goes on while others still decide; with `focus` the panel
    itself is what came of an act.
    """
    state = State(ticket.state)
    acts = _acts(ticket, rights, state)
    if state is not State.PENDING:
        return _afterwards(ticket, rights, state, acts, posted)
    if rights.reject is not None:
        return Decision(
            heading=_heading(rights),
            lead=_lead(rights),
            next_url=next_url,
            next_words=next_words,
            focus=focus,
            acts=acts,
            nonce=nonce,
        )
    may_approve = rights.approve is None and arguments_shown
    requirements = _requirements(
        rights,
        cut_rows,
        arguments_shown=arguments_shown,
        reason_required=reason_required,
        killed=killed,
    )
    return Decision(
        heading=gettext("Your decision"),
        may_vote=True,
        may_approve=may_approve,
        blocked=bool(cut_rows) or killed,
        url=reverse("approvals:decide", args=[ticket.uid]),
        nonce=nonce,
        seen_digest=bytes(ticket.digest).hex(),
        opened_token=opened_token,
        reason=posted.reason,
        reason_required=reason_required,
        reason_hint=gettext("Needed either way. The agent reads it.")
        if reason_required
        else gettext("The agent reads it."),
        reason_error="" if posted.form else posted.says("reason_required", "reason_too_long"),
        answers=answer_fields(form, posted.typed, posted.refusal) if may_approve else (),
        requirements=requirements,
        requirements_heading=gettext("Before you can approve")
        if may_approve
        else gettext("You may reject, but not approve"),
        approve_verb=_verb(missing, asks=bool(form)),
        approve_hint=_consequence(missing, asks=bool(form)),
        focus=focus,
        acts=acts,
    )


def _heading(rights: Rights) -> str:
    if isinstance(rights.reject, Expired):
        return gettext("Time is up")
    return gettext("You have voted") if rights.has_voted else gettext("Not yours to decide")


def _lead(rights: Rights) -> str:
    if rights.has_voted and not isinstance(rights.reject, Expired):
        return gettext(
            "Your vote counts until the ticket is decided. You can take it back until then."
        )
    return told(rights.reject.message) if rights.reject else ""


def _requirements(
    rights: Rights,
    cut_rows: Sequence[Row],
    *,
    arguments_shown: bool,
    reason_required: bool,
    killed: bool,
) -> tuple[Requirement, ...]:
    found: list[Requirement] = []
    if rights.approve is not None:
        return (Requirement(words=told(rights.approve.message)),)
    if not arguments_shown:
        return (
            Requirement(
                words=gettext("Its arguments cannot be shown, so nobody can approve them.")
            ),
        )
    if killed:
        found.append(Requirement(words=gettext("The kill switch is on: nothing can be approved.")))
    found += [
        Requirement(
            words=gettext("Open the cut value"),
            anchor=row.anchor,
            text=inspect(row.pointer[:120], identifier_like=True),
        )
        for row in cut_rows
    ]
    if reason_required:
        found.append(Requirement(words=gettext("Give a reason")))
    return tuple(found)


def _verb(missing: int, *, asks: bool) -> str:
    if asks:
        return gettext("Answer")
    return gettext("Approve and run") if missing <= 1 else gettext("Approve")


def _consequence(missing: int, *, asks: bool) -> str:
    if missing <= 1 and asks:
        return gettext("Your answer is handed over once, at once, exactly as typed.")
    if missing <= 1:
        return gettext("It runs once, at once, exactly as shown.")
    rest = missing - 1
    return ngettext(
        "It runs after {number} more person approves.",
        "It runs after {number} more people approve.",
        rest,
    ).format(number=figure(rest))


def _acts(ticket: Ticket, rights: Rights, state: State) -> tuple[Act, ...]:
    acts: list[Act] = []
    if state is State.PENDING and rights.has_voted:
        acts.append(
            Act(
                url=reverse("approvals:withdraw", args=[ticket.uid]),
                icon="minus",
                verb=gettext("Take my vote back"),
                hint=gettext("You can vote again afterwards."),
            )
        )
    if rights.may_revoke:
        acts.append(
            Act(
                url=reverse("approvals:revoke", args=[ticket.uid]),
                icon="stop",
                verb=gettext("Revoke the approval"),
                hint=gettext("Possible until it is sent. The call is then cancelled."),
            )
        )
    if rights.may_cancel:
        sent = state is State.SENT
        acts.append(
            Act(
                url=reverse("approvals:cancel", args=[ticket.uid]),
                icon="stop",
                verb=gettext("Ask the upstream to stop") if sent else gettext("Cancel this call"),
                hint=gettext("It was already sent: its outcome will be unknown.")
                if sent
                else gettext("Nothing is sent, and the agent is told so."),
            )
        )
    return tuple(acts)


def _afterwards(
    ticket: Ticket, rights: Rights, state: State, acts: tuple[Act, ...], posted: Posted
) -> Decision:
    """The panel once nobody decides any more."""
    unknown = state is State.OUTCOME_UNKNOWN and ticket.annotated_at is None
    if unknown and rights.may_annotate:
        return Decision(
            heading=gettext("Record what happened"),
            annotate=present_annotate(ticket, posted),
            acts=acts,
        )
    lead = (
        gettext("Somebody who reviews its calls has to record what happened.")
        if unknown
        else gettext("Nothing is left to decide here.")
    )
    if acts:
        lead = (
            gettext("It is decided, but not sent yet.")
            if ticket.sent_at is None
            else gettext("It is running.")
        )
    return Decision(heading=gettext("Decided"), lead=lead, acts=acts)
