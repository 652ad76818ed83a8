"""Everything one ticket's page reads, gathered once for one person."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from approvals import ports
from approvals.domain.errors import Expired, Refusal
from approvals.domain.quorum import Answer, resolve, standing_votes, why_not
from approvals.domain.states import OPEN, State
from approvals.models import Decision, Gate, Person, Ticket, User
from approvals.presenters.asking import Activity
from approvals.presenters.decision import Rights
from approvals.presenters.ticket import Reading
from approvals.presenters.timeline import people_in
from approvals.presenters.words import figure
from approvals.selectors import canaries, grants, history
from approvals.selectors.absence import seats_in
from approvals.selectors.agreement import terms_in
from approvals.selectors.readers import Reader, Reviewer
from approvals.selectors.votes import (
    as_votes,
    electorate_of,
    electorate_then,
    named_groups,
    obligations_of,
    parties_of,
)

UNSENT = (State.APPROVED, State.CLAIMED)


def visible_ticket(user: User, uid: UUID, *, reader: Reader | None = None) -> Ticket:
    """The ticket with all that its page shows, or the same 404 for hidden and for absent."""
    ticket = history.ticket_for(reader or user.person, uid)
    if ticket is None:
        raise Http404("There is no such ticket, or you may not see it.")
    return ticket


def read_ticket(ticket: Ticket, who: Reviewer) -> Reading:
    """The page's reading of `ticket` for somebody who may see it."""
    viewer, is_admin = who.person.pk, who.person.is_admin
    state = State(ticket.state)
    obligations = obligations_of(ticket)
    digest = bytes(ticket.digest)
    decisions = list(
        Decision.objects.filter(ticket=ticket, revision=ticket.revision)
        .select_related("person", "reason", "mandate", "mandate__stands_in_for", "terms")
        .order_by("created_at", "pk")
    )
    votes = as_votes(decisions)
    groups = named_groups(ticket, obligations)
    asked = {key: its for key, its, now in groups if now}
    seats = seats_in(asked)
    eligible = electorate_of(obligations, {key: its.slug for key, its in asked.items()}, seats)
    owner_now = ports.owner_of_agent(ticket.agent_id)
    parties = parties_of(ticket, owner_now=owner_now, one_person=who.one_person)
    owners = {ticket.person_id} | ({owner_now} if owner_now else set())
    standing = standing_votes(votes, digest=digest)

    now = timezone.now()
    is_late = state is State.PENDING and ticket.approval_expires_at <= now

    def refusal(person: UUID, answer: Answer) -> Refusal | None:
        return Expired(uid=str(ticket.uid)) if is_late else why_not(
            person, answer, votes=votes, obligations=obligations, digest=digest,
            eligible=eligible, parties=parties,
        )  # fmt: skip

    events = tuple(history.timeline(ticket))
    candidates = {p for p in eligible if refusal(p, Answer.APPROVE) is None}
    names = _names({*people_in(events), *candidates, *owners})
    concerned = is_admin or viewer in eligible
    return Reading(
        ticket=ticket,
        viewer=viewer,
        now=now,
        obligations=obligations,
        resolution=resolve(
            votes,
            obligations=obligations,
            digest=digest,
            # Once decided, everybody who voted counts, member of the group today or not.
            eligible=eligible if state is State.PENDING else electorate_then(decisions),
            parties=parties,
        ),
        rights=Rights(
            approve=refusal(viewer, Answer.APPROVE),
            reject=refusal(viewer, Answer.REJECT),
            has_voted=viewer in standing,
            may_revoke=state in UNSENT and concerned,
            may_cancel=state in OPEN
            and not (state is State.SENT and ticket.abort_requested_at)
            and (viewer in owners or is_admin),
            may_annotate=concerned or viewer in owners,
        ),
        groups={its.slug: its.name for its in asked.values()},
        named={its.slug: its.name for _, its, _ in groups},
        asked=asked,
        seats=seats,
        eligible=eligible,
        parties=parties,
        owner_key=owner_now,
        votes=tuple(decisions),
        may_still_vote={person: name for person, name in names.items() if person in candidates},
        events=events,
        names=names,
        previous=history.last_approved_like(ticket, who),
        activity=_activity(history.agent_activity(ticket, who)),
        earlier=history.earlier_decisions(ticket, who),
        owner_now=names.get(owner_now, "") if owner_now else "",
        killed=Gate.objects.filter(pk=1, killed=True).exists(),
        canary=canaries.revealed(ticket),
        grants=() if state is State.PENDING else grants.made_of(ticket),
        agreed=terms_in(decisions) if state is State.PENDING else {},
    )


def _names(people: Collection[UUID]) -> dict[UUID, str]:
    found = Person.objects.filter(pk__in=people).order_by("name", "pk")
    return dict(found.values_list("pk", "name"))


def _unasked(found: tuple[int, int] | None) -> str:
    """What policy decided alone, to follow what people were asked."""
    if found is None:
        return ""
    allowed, denied = found
    words = gettext("; without asking {allowed} allowed, {denied} denied by policy")
    if allowed + denied >= history.BOUND:
        words = gettext(
            "; without asking, of the newest {bound}, {allowed} allowed, {denied} denied by policy"
        )
    return words.format(allowed=figure(allowed), denied=figure(denied), bound=figure(history.BOUND))


def _activity(found: history.Activity) -> Activity:
    words = ngettext(
        "{number} paused call of any tool: {approved} approved, {rejected} rejected",
        "{number} paused calls of any tool: {approved} approved, {rejected} rejected",
        found.paused,
    ).format(
        number=figure(found.paused),
        approved=figure(found.approved),
        rejected=figure(found.rejected),
    )
    words += _unasked(found.unasked)
    this_tool = gettext("None was decided on in the last 30 days")
    if found.tool_approved or found.tool_rejected:
        this_tool = gettext("In 30 days {approved} approved, {rejected} rejected").format(
            approved=figure(found.tool_approved), rejected=figure(found.tool_rejected)
        ) + (
            gettext(", {number} with unknown outcome").format(number=figure(found.tool_unknown))
            if found.tool_unknown
            else ""
        )
    return Activity(words=words, this_tool=this_tool)
