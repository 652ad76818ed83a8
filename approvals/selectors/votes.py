"""Who may vote on a ticket, and what the votes so far add up to. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from approvals.domain.obligations import Obligations, obligations_from
from approvals.domain.quorum import Answer, Parties, Resolution, Vote, resolve
from approvals.domain.seats import Mandate, mandates_from
from approvals.domain.states import State
from approvals.models import Decision, ReviewerGroup, Ticket
from approvals.selectors.absence import seats_in


def obligations_of(ticket: Ticket) -> Obligations:
    """What an approval of this ticket must satisfy, as it was bound into its digest."""
    return obligations_from(ticket.obligations)


def votes_of(ticket: Ticket) -> list[Vote]:
    """Every vote on the ticket's current revision, oldest first."""
    return as_votes(decisions_of(ticket))


type People = dict[UUID, tuple[Mandate, ...]]
type Seats = Sequence[tuple[UUID, UUID, UUID]]
"""Who has whose vote in which group: person, holder, group."""


@dataclass(frozen=True, slots=True)
class AskedGroup:
    """A group that a ticket asks."""

    slug: str
    name: str


def groups_asked(ticket: Ticket) -> dict[UUID, AskedGroup]:
    """The groups that a ticket asks, by their names."""
    rows = ticket.groups.order_by("name").values_list("pk", "slug", "name")
    return {key: AskedGroup(slug, name) for key, slug, name in rows}


def eligible_people(ticket: Ticket) -> People:
    """The people who have a vote on this ticket now, and by which mandates.

    They are the members of its groups who can sign in, and who stands in for one of them.
    """
    asked = Ticket.groups.through.objects.filter(ticket=ticket)
    groups = dict(asked.values_list("reviewergroup_id", "reviewergroup__slug"))
    return electorate_of(obligations_of(ticket), groups, seats_in(groups))


def named_groups(ticket: Ticket, obligations: Obligations) -> list[tuple[UUID, AskedGroup, bool]]:
    """Every group that has to do with this ticket, by name: its key, and whether it is asked now.

    A group that is only asked later (`escalate`) is among them.
    """
    asked = Ticket.groups.through.objects.filter(ticket=ticket, reviewergroup=OuterRef("pk"))
    named = {*obligations.groups}
    if obligations.escalate is not None:
        named.add(obligations.escalate.to)
    found = ReviewerGroup.objects.annotate(asked=Exists(asked))
    found = found.filter(Q(asked=True) | Q(slug__in=named)).order_by("name")
    rows = found.values_list("pk", "slug", "name", "asked")
    return [(key, AskedGroup(slug, name), is_asked) for key, slug, name, is_asked in rows]


def electorate_of(
    obligations: Obligations,
    groups: Mapping[UUID, str],
    seats: Seats,
) -> People:
    """Everybody's mandates in these groups (by key and slug): `seats` are whose vote they have.

    Who was asked because nobody had decided in time may fill any group's seat.
    """
    further = obligations.escalate.to if obligations.escalate is not None else ""
    found: dict[UUID, list[Mandate]] = {}
    for person, holder, group in seats:
        slug = groups.get(group)
        if slug is not None:
            seat = None if slug == further else slug
            found.setdefault(person, []).append(Mandate(holder=holder, group=seat))
    return {person: tuple(mandates) for person, mandates in found.items()}


def electorate_then(decisions: Iterable[Decision]) -> People:
    """Everybody who voted, member today or not, by the mandates they had when they did.

    `decisions` with their `mandate`, oldest first.
    """
    found: People = {}
    for decision in decisions:
        kept = getattr(decision, "mandate", None)
        own = (Mandate(holder=decision.person_id),)
        found[decision.person_id] = mandates_from(kept.mandates) if kept is not None else own
    return found


def decisions_of(ticket: Ticket) -> list[Decision]:
    """The decisions on the ticket's current revision with their mandates, oldest first."""
    found = Decision.objects.filter(ticket=ticket, revision=ticket.revision)
    return list(found.select_related("mandate").order_by("created_at", "id"))


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
    decisions = [] if is_new else decisions_of(ticket)
    people: People = {}
    if decisions:
        pending = ticket.state == State.PENDING
        people = eligible_people(ticket) if pending else electorate_then(decisions)
    return resolve(
        as_votes(decisions),
        obligations=obligations_of(ticket),
        digest=bytes(ticket.digest),
        eligible=people,
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
