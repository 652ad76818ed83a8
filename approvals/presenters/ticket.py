"""The page of one ticket: what will run first, then why, then who asks; beside it the decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext

from approvals.domain.forms import form_of
from approvals.domain.inspection import ArgumentTable, InspectedText, inspect
from approvals.domain.inspection.arguments import Opened
from approvals.domain.obligations import Obligations
from approvals.domain.pins import Terms
from approvals.domain.quorum import Parties, Resolution
from approvals.domain.states import State
from approvals.models import AuditEvent, Canary, Grant, Ticket
from approvals.models import Decision as Vote
from approvals.presenters.arguments import Arguments, input_schema, present_arguments
from approvals.presenters.asking import (
    Activity,
    Earlier,
    Fact,
    Note,
    present_asker,
    present_earlier,
    present_notes,
)
from approvals.presenters.calls import Call, call_of
from approvals.presenters.canaries import Reveal, present_reveal
from approvals.presenters.decision import Decision, Rights, present_decision
from approvals.presenters.difference import DifferenceView, changes_between
from approvals.presenters.grants import TicketGrants, present_ticket_grants
from approvals.presenters.headline import (
    Deadline,
    arguments_caption,
    deadline_of,
    risk_mark,
    run_label,
    state_mark,
)
from approvals.presenters.outcome import (
    OutcomeView,
    ResultView,
    present_outcome,
    present_result,
)
from approvals.presenters.posted import Posted
from approvals.presenters.quorum import Quorum, present_quorum
from approvals.presenters.sealed import open_bytes, open_json, open_text
from approvals.presenters.stepup import StepUpPart
from approvals.presenters.timeline import Entry, present_timeline
from approvals.presenters.why import Why, present_why
from approvals.presenters.words import Mark, approvals, figure
from approvals.selectors.votes import AskedGroup, People, Seats


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything the page reads, gathered once."""

    ticket: Ticket
    viewer: UUID
    now: datetime
    obligations: Obligations
    resolution: Resolution
    rights: Rights
    groups: Mapping[str, str]  # who is asked, by slug
    named: Mapping[str, str]  # every group that the obligations speak of, by slug
    asked: Mapping[UUID, AskedGroup]
    seats: Seats
    eligible: People
    parties: Parties
    owner_key: UUID | None
    votes: Sequence[Vote]
    may_still_vote: Mapping[UUID, str]
    events: Sequence[AuditEvent]
    names: Mapping[UUID, str]
    previous: Ticket | None
    activity: Activity
    earlier: Sequence[Ticket]
    owner_now: str
    killed: bool
    grants: Sequence[Grant] = ()
    agreed: Mapping[UUID, Terms] = field(default_factory=dict)
    canary: Canary | None = None  # once it is decided


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """The whole page."""

    uid: str
    number: int
    version: int
    revision: int
    state: str
    url: str
    title: str
    mark: Mark
    risk: Mark | None
    deadline: Deadline | None
    notes: tuple[Note, ...]
    outcome: OutcomeView | None
    run_label: str
    run_level: int
    call: Call
    arguments: Arguments
    arguments_caption: str
    digest: str
    tool_digest: str
    upstream_digest: str
    result: ResultView | None
    difference: DifferenceView | None
    why: Why
    who: tuple[Fact, ...]
    earlier: tuple[Earlier, ...]
    says: InspectedText | None
    decision: Decision
    step_up: StepUpPart | None
    quorum: Quorum
    timeline: tuple[Entry, ...]
    jump: str
    grants: TicketGrants
    canary: Reveal | None


def present_ticket(
    reading: Reading,
    *,
    opened: Opened,
    statement: Callable[[Iterable[str]], str],
    nonce: str,
    posted: Posted,
    note: Note | None = None,
    next_uid: UUID | None = None,
    leads_on: bool = False,
    just_decided: bool = False,
    step_up: StepUpPart | None = None,
) -> TicketPage:
    """The page for one person; `opened` are the values that they chose to see whole.

    `statement` says so of their pointers, in a form that a later post can carry. Where the page
    `leads_on`, it links to `next_uid`, or to the inbox where nothing else needs this person.
    """
    ticket = reading.ticket
    state = State(ticket.state)
    sealed, why_gone = open_bytes(ticket.arguments)
    definition = open_json(ticket.tool_definition)
    schema = input_schema(definition)
    arguments = present_arguments(sealed, schema, opened)
    opened_token = statement(row.pointer for row in arguments.open_rows)
    call = call_of(
        agent=ticket.agent_name,
        upstream=ticket.upstream_name,
        tool=ticket.tool_name,
        table=arguments.table,
    )
    result, why_no_result = open_bytes(ticket.result)
    by_grant = ticket.grant_id is not None
    deadline = deadline_of(ticket, state, reading.now)
    next_url = _next_url(next_uid) if leads_on else ""
    next_words = gettext("Next one that needs you") if next_uid else gettext("Back to the inbox")
    decision = present_decision(
        ticket,
        rights=reading.rights,
        cut_rows=arguments.cut_rows,
        arguments_shown=sealed is not None,
        reason_required=reading.obligations.reason_required,
        missing=reading.resolution.missing,
        killed=reading.killed,
        nonce=nonce,
        opened_token=opened_token,
        posted=posted,
        form=form_of(definition),
        next_url=next_url,
        next_words=next_words,
        focus=just_decided,
    )
    return TicketPage(
        uid=str(ticket.uid),
        number=ticket.pk,
        version=ticket.version,
        revision=ticket.revision,
        state=state.value,
        url=reverse("approvals:ticket", args=[ticket.uid]),
        title=gettext("Ticket {number}: {plain}").format(number=ticket.pk, plain=call.plain),
        mark=state_mark(state, reading.resolution),
        risk=risk_mark(ticket, state),
        deadline=deadline,
        notes=(*([note] if note else []), *present_notes(ticket, broken=why_gone == "broken")),
        outcome=present_outcome(
            ticket,
            reason=open_text(ticket.reason),
            annotation=open_json(ticket.annotation),
            next_url=next_url,
            next_words=next_words,
            focus=just_decided,
        ),
        run_label=run_label(ticket, state, asks=bool(form_of(definition))),
        run_level=1 if state is State.PENDING else 2,
        call=call,
        arguments=arguments,
        arguments_caption=arguments_caption(ticket, state, arguments),
        digest=bytes(ticket.digest).hex(),
        tool_digest=bytes(ticket.tool_digest).hex(),
        upstream_digest=bytes(ticket.upstream_digest).hex(),
        result=present_result(state, result, why_no_result),
        difference=_difference(reading.previous, arguments.table),
        why=present_why(
            verdict=ticket.verdict,
            policy_version=ticket.policy_id,
            obligations=reading.obligations,
            groups=reading.named,
            by_grant=by_grant,
        ),
        who=present_asker(ticket, activity=reading.activity, owner_now=reading.owner_now),
        earlier=present_earlier(reading.earlier),
        says=_says(ticket),
        decision=decision,
        step_up=step_up if decision.may_approve else None,
        quorum=present_quorum(
            decisions=reading.votes,
            resolution=reading.resolution,
            state=state,
            may_still_vote=reading.may_still_vote,
            viewer=reading.viewer,
            groups=reading.groups,
            by_grant=by_grant,
        ),
        timeline=_timeline(reading),
        jump=gettext("{have} of {approvals}").format(
            have=figure(reading.resolution.have), approvals=approvals(reading.resolution.need)
        )
        if decision.may_vote
        else "",
        canary=present_reveal(reading.canary, reading.votes, reading.viewer)
        if reading.canary is not None
        else None,
        grants=present_ticket_grants(
            ticket,
            may_give=decision.may_approve and not decision.answers,
            opened_token=opened_token if arguments.open_rows else "",
            grants=reading.grants,
            agreed=[(reading.names.get(who, ""), terms) for who, terms in reading.agreed.items()],
        ),
    )


def _timeline(reading: Reading) -> tuple[Entry, ...]:
    escalate = reading.obligations.escalate
    to_come = escalate is not None and escalate.to not in reading.groups
    return present_timeline(
        reading.ticket,
        reading.events,
        reading.names,
        escalate=escalate if to_come else None,
        further=reading.named.get(escalate.to, "") if escalate is not None else "",
    )


def _next_url(uid: UUID | None) -> str:
    return reverse("approvals:ticket", args=[uid]) if uid else reverse("approvals:inbox")


def _difference(previous: Ticket | None, arguments: ArgumentTable | None) -> DifferenceView | None:
    if previous is None or arguments is None:
        return None
    before, _ = open_bytes(previous.arguments)
    if before is None:
        return None
    return DifferenceView(
        number=previous.pk,
        url=reverse("approvals:ticket", args=[previous.uid]),
        at=previous.decided_at or previous.created_at,
        changes=changes_between(before, arguments),
    )


def _says(ticket: Ticket) -> InspectedText | None:
    words = open_text(ticket.agent_says)
    return inspect(words) if words else None
