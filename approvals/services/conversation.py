"""What people say about a ticket: comments, questions to the agent's owner, their answers.

Words are sealed payloads; the ticket's chain holds their digests. Saying something moves nothing.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from approvals import ports, transitions
from approvals.audit.sealing import seal
from approvals.domain.errors import (
    AlreadyAnswered,
    NotAsked,
    NotEligible,
    TooManyRemarks,
    WordsMissing,
)
from approvals.domain.telling import Kind as News
from approvals.models import Person, Remark, Ticket, User
from approvals.selectors.visibility import may_see
from approvals.selectors.votes import eligible_people
from approvals.services import actors
from approvals.services.ballots import require_nonce, require_pending, words_of
from approvals.services.notifications import tell
from approvals.services.tickets import visible

MAX_REMARKS: Final = 100  # on one ticket
MAX_REMARKS_OF_ONE: Final = 30  # by one person on one ticket


def comment(*, uid: UUID, user: User, words: str, nonce: str) -> None:
    """Say something about a ticket, whatever its state; whoever may see it may.

    Raises NotVisible, WordsMissing, ReasonTooLong, TooManyRemarks.
    """
    said = _said(words, nonce)
    with transaction.atomic(durable=True):
        ticket = visible(uid, user)
        if not _is_repeated(ticket, user, nonce):
            row = _remark(ticket, user, Remark.Kind.COMMENT, said, nonce)
            tell(
                kind=News.COMMENTED,
                ticket=ticket,
                people=_concerned(ticket),
                by=user.person_id,
                occasion=str(row.pk),
            )


def ask_owner(*, uid: UUID, user: User, words: str, nonce: str) -> None:
    """Ask whoever owns the agent, while people still decide; for those who have a vote, or admins.

    Raises NotVisible, NotEligible, AlreadyDecided, WordsMissing, ReasonTooLong, TooManyRemarks.
    """
    said = _said(words, nonce)
    with transaction.atomic(durable=True):
        ticket = visible(uid, user)
        if _is_repeated(ticket, user, nonce):
            return
        if not user.person.is_admin and user.person_id not in eligible_people(ticket):
            raise NotEligible
        require_pending(ticket)
        owner = owner_to_ask(ticket).pk
        row = _remark(ticket, user, Remark.Kind.QUESTION, said, nonce, asked_id=owner)
        tell(
            kind=News.ASKED,
            ticket=ticket,
            people=[owner],
            by=user.person_id,
            occasion=str(row.pk),
        )


def answer_question(*, uid: UUID, question: UUID, user: User, words: str, nonce: str) -> None:
    """Answer a question that was put to this person; once.

    Raises NotVisible, NotAsked, AlreadyAnswered, WordsMissing, ReasonTooLong, TooManyRemarks.
    """
    said = _said(words, nonce)
    with transaction.atomic(durable=True):
        ticket = visible(uid, user)
        if _is_repeated(ticket, user, nonce):
            return
        asked = ticket.remarks.filter(pk=question, kind=Remark.Kind.QUESTION).first()
        if asked is None or asked.asked_id != user.person_id:
            raise NotAsked
        if ticket.remarks.filter(answers=asked).exists():
            raise AlreadyAnswered
        row = _remark(ticket, user, Remark.Kind.ANSWER, said, nonce, answers_id=asked.pk)
        tell(
            kind=News.ANSWERED,
            ticket=ticket,
            people=[asked.person_id],
            by=user.person_id,
            occasion=str(row.pk),
        )


def owner_to_ask(ticket: Ticket) -> Person:
    """Who owns the agent now, if they may see the ticket; else who did when it was submitted."""
    return owner_among(ticket, ports.owner_of_agent(ticket.agent_id))


def owner_among(ticket: Ticket, now: UUID | None) -> Person:
    """As `owner_to_ask`, where it is known who owns the agent `now`."""
    if now == ticket.person_id:
        return ticket.person
    owner = Person.objects.filter(pk=now).first() if now is not None else None
    return owner if owner is not None and may_see(owner, ticket) else ticket.person


def _said(words: str, nonce: str) -> str:
    require_nonce(nonce)
    said = words_of(words)
    if not said:
        raise WordsMissing
    return said


def _is_repeated(ticket: Ticket, user: User, nonce: str) -> bool:
    return ticket.remarks.filter(user=user, nonce=nonce).exists()


def _concerned(ticket: Ticket) -> set[UUID]:
    """Who said something or voted before, and who owns the agent."""
    talked = ticket.remarks.values_list("person_id", flat=True)
    voted = ticket.decisions.values_list("person_id", flat=True)
    return {*talked, *voted, owner_to_ask(ticket).pk}


def _remark(
    ticket: Ticket,
    user: User,
    kind: Remark.Kind,
    said: str,
    nonce: str,
    *,
    asked_id: UUID | None = None,
    answers_id: UUID | None = None,
) -> Remark:
    """Store the words with their audit row; the ticket is locked, so the counts hold."""
    by = list(ticket.remarks.values_list("person_id", flat=True)[: MAX_REMARKS + 1])
    if len(by) >= MAX_REMARKS or by.count(user.person_id) >= MAX_REMARKS_OF_ONE:
        raise TooManyRemarks
    row = Remark(
        ticket_id=ticket.pk,
        revision=ticket.revision,
        kind=kind,
        person_id=user.person_id,
        user=user,
        asked_id=asked_id,
        answers_id=answers_id,
        words=seal("remark", said.encode()),
        nonce=nonce,
    )
    transitions.remark(remark=row, actor=actors.person(user.person_id))
    return row
