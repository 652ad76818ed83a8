"""Who may vote on a ticket, and what the votes so far add up to. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from approvals.domain.obligations import Obligations, obligations_from
from approvals.domain.quorum import Answer, Parties, Resolution, Vote, resolve
from approvals.domain.states import State
from approvals.models import Decision, GroupMembership, Ticket


def obligations_of(ticket: Ticket) -> Obligations:
    """What an approval of this ticket must satisfy, as it was bound into its digest."""
    return obligations_from(ticket.obligations)


def votes_of(ticket: Ticket) -> list[Vote]:
    """Every vote on the ticket's current revision, oldest first."""
    decisions = Decision.objects.filter(ticket=ticket, revision=ticket.revision)
    return as_votes(decisions.order_by("created_at", "id"))


def eligible_people(ticket: Ticket) -> frozenset[UUID]:
    """The people who have a vote on this ticket now: members of its groups who can sign in."""
    asked = Ticket.groups.through.objects.filter(ticket=ticket).values("reviewergroup")
    members = GroupMembership.objects.filter(group__in=asked, person__accounts__is_active=True)
    return frozenset(members.values_list("person_id", flat=True))


def parties_of(
    ticket: Ticket, *, owner_now: UUID | None = None, one_person: bool = False
) -> Parties:
    """The people with a stake in the call: who owns its agent, then or now, and who edited it."""
    owners: set[UUID] = {ticket.person_id}
    if owner_now is not None:
        owners.add(owner_now)
    authors: set[UUID] = {ticket.person_id}
    if ticket.revision > 1:
        authors |= {edit.person_id for edit in ticket.edits.all()}
    return Parties(owners=frozenset(owners), authors=frozenset(authors), one_person=one_person)


def standing(ticket: Ticket, *, one_person: bool, is_new: bool = False) -> Resolution:
    """How many approvals the ticket has and needs.

    While it is pending the members of today count; afterwards everybody who voted does. On a new
    one, which nobody else can see yet, there are no votes to read.
    """
    votes = [] if is_new else votes_of(ticket)
    eligible: Iterable[object] = (
        eligible_people(ticket)
        if votes and ticket.state == State.PENDING
        else {vote.person for vote in votes}
    )
    return resolve(
        votes,
        obligations=obligations_of(ticket),
        digest=bytes(ticket.digest),
        eligible=frozenset(eligible),
        parties=parties_of(ticket, one_person=one_person),
    )


def as_votes(decisions: Iterable[Decision]) -> list[Vote]:
    """These rows as votes, in their order."""
    return [
        Vote(
            person=decision.person_id,
            answer=Answer(decision.verdict),
            digest=bytes(decision.seen_digest),
        )
        for decision in decisions
    ]
