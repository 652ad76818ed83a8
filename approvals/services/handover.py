"""Passing a ticket on: to another person who may approve it, or to a group that is asked.

It changes whose list the ticket stands in first, never who may vote: a group that the rule does
not name cannot be handed anything, by an admin neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from approvals import conf, ports, transitions
from approvals.audit.sealing import seal
from approvals.domain.errors import AlreadyVoted, Expired, NobodyToHandTo, NotEligible
from approvals.domain.quorum import Answer, why_not
from approvals.domain.telling import Kind as News
from approvals.models import Handoff, Person, Ticket, User
from approvals.selectors.absence import seats_in
from approvals.selectors.votes import (
    AskedGroup,
    Seats,
    electorate_of,
    eligible_people,
    groups_asked,
    obligations_of,
    parties_of,
    votes_of,
)
from approvals.services import actors
from approvals.services.ballots import overdue, require_nonce, require_pending, words_of
from approvals.services.notifications import tell
from approvals.services.tickets import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Takers:
    """To whom a person can hand a ticket: names by key."""

    people: Mapping[UUID, str]
    groups: Mapping[UUID, str]


def hand_on(
    *,
    uid: UUID,
    user: User,
    to_person: UUID | None = None,
    to_group: UUID | None = None,
    words: str = "",
    nonce: str,
) -> None:
    """Hand a pending ticket to a person, or to a group; one of the two.

    Raises NotVisible, NotEligible (no vote of one's own to hand on), AlreadyDecided, Expired,
    AlreadyVoted, NobodyToHandTo, ReasonTooLong.
    """
    require_nonce(nonce)
    said = words_of(words)
    with transaction.atomic(durable=True):
        ticket = visible(uid, user)
        if Handoff.objects.filter(ticket=ticket, user=user, nonce=nonce).exists():
            return
        require_pending(ticket)
        if overdue(ticket):
            raise Expired(uid=str(uid))
        if user.person_id not in eligible_people(ticket):
            raise NotEligible
        votes = [vote for vote in votes_of(ticket) if vote.person == user.person_id]
        if votes and votes[-1].answer is not Answer.WITHDRAW:
            raise AlreadyVoted
        takers = takers_of(ticket, user.person_id)
        chosen = (to_person in takers.people, to_group in takers.groups)
        if chosen not in {(True, False), (False, True)} or (to_person and to_group):
            raise NobodyToHandTo
        row = Handoff(
            ticket_id=ticket.pk,
            giver_id=user.person_id,
            user=user,
            to_person_id=to_person,
            to_group_id=to_group,
            words=seal("remark", said.encode()) if said else None,
            nonce=nonce,
        )
        transitions.hand_on(handoff=row, actor=actors.person(user.person_id))
        tell(
            kind=News.HANDED,
            ticket=ticket,
            people=[to_person] if to_person else [],
            groups=[to_group] if to_group else [],
            by=user.person_id,
            occasion=str(row.pk),
        )


def takers_of(ticket: Ticket, giver: UUID) -> Takers:
    """Everybody else whose approval would count now, and the groups with such a person."""
    asked = groups_asked(ticket)
    seats = seats_in(asked)
    votes, obligations = votes_of(ticket), obligations_of(ticket)
    eligible = electorate_of(obligations, {key: its.slug for key, its in asked.items()}, seats)
    owner_now = ports.owner_of_agent(ticket.agent_id)
    parties = parties_of(ticket, owner_now=owner_now, one_person=conf.one_person())
    could = {
        person
        for person in set(eligible) - {giver}
        if why_not(
            person,
            Answer.APPROVE,
            votes=votes,
            obligations=obligations,
            digest=bytes(ticket.digest),
            eligible=eligible,
            parties=parties,
        )
        is None
    }
    people = Person.objects.filter(pk__in=could).order_by("name", "pk")
    return takers_among(dict(people.values_list("pk", "name")), asked, seats)


def takers_among(
    people: Mapping[UUID, str], asked: Mapping[UUID, AskedGroup], seats: Seats
) -> Takers:
    """These people, and of the groups `asked` those with one of them for a member."""
    theirs = {group for person, holder, group in seats if person == holder and person in people}
    return Takers(
        people=people, groups={key: its.name for key, its in asked.items() if key in theirs}
    )
