"""Votes: appended facts, and what they add up to.

Whoever completes the quorum, or says no, moves the ticket in the same transaction. The gate is
locked before the ticket, the ticket before anything is read of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from django.db import transaction

from approvals import ports, transitions
from approvals.audit.sealing import seal
from approvals.domain.canonical import JSON
from approvals.domain.errors import (
    AlreadyVoted,
    CodeWrong,
    Expired,
    NoVoteToWithdraw,
    StaleState,
)
from approvals.domain.forms import form_in
from approvals.domain.quorum import Answer, Resolution, Vote, resolve
from approvals.domain.seats import Mandate
from approvals.domain.states import CancelReason
from approvals.domain.stepup import terms_digest
from approvals.models import Canary, Decision, Payload, StepUpProof, Ticket, TypedAnswer, User
from approvals.selectors.votes import votes_of
from approvals.services import actors
from approvals.services.answers import answer_bytes
from approvals.services.ballots import (
    Ballot,
    Poll,
    overdue,
    poll_on,
    require_nonce,
    require_pending,
    require_vote,
    words_of,
)
from approvals.services.contract import Decided, DecidedKind, TicketView
from approvals.services.grants import Wanted, agree, grant_if_agreed
from approvals.services.mandates import record_mandates
from approvals.services.stepup import NOTHING, Presented, count_wrong_code, require_step_up
from approvals.services.tickets import definition_of, view_of, visible


def decide(
    *,
    uid: UUID,
    user: User,
    verdict: Answer,
    seen_digest: bytes,
    reason: str,
    nonce: str,
    typed: Mapping[str, JSON] | None = None,
    grant: Wanted | None = None,
    presented: Presented = NOTHING,
) -> Decided:
    """Count one person's vote, and move the ticket when that completes the answer.

    `typed` is the answer to a ticket that asks for one; `grant` makes an approval agree to a
    standing permission as well; `presented` is what a high-risk ticket asks of whoever approves.
    Sending the same vote again with the same nonce is answered as it was the first time. Raises
    NotVisible, NotEligible, OwnerMayNotApprove, FourEyes, AlreadyDecided, AlreadyVoted, Expired,
    StaleDigest, ReasonRequired, ReasonTooLong, and for an approval KillSwitchOn, AnswerMissing,
    AnswerUnfit, GrantRefused, RejectedBefore and the refusals of `require_step_up`.
    """
    answer = Answer(verdict)
    if answer is Answer.WITHDRAW:
        raise ValueError("a vote is taken back with withdraw_vote")
    require_nonce(nonce)
    ballot = Ballot(
        user=user,
        answer=answer,
        seen_digest=seen_digest,
        words=words_of(reason),
        nonce=nonce,
        typed=typed,
        grant=grant if answer is Answer.APPROVE else None,
        presented=presented,
    )
    try:
        return _decide(uid, ballot)
    except StaleState:
        # The time to decide ran out between our look and our write: look again.
        return _decide(uid, ballot)
    except CodeWrong:
        count_wrong_code(user=user)
        raise


def withdraw_vote(*, uid: UUID, user: User, nonce: str) -> TicketView:
    """Take back the vote that still counts. Raises NotVisible, AlreadyDecided, NoVoteToWithdraw."""
    require_nonce(nonce)
    with transaction.atomic(durable=True):
        transitions.gate_for_share()
        ticket = visible(uid, user)
        if Decision.objects.filter(ticket=ticket, user=user, nonce=nonce).exists():
            return view_of(ticket)
        require_pending(ticket)
        mine = [vote for vote in votes_of(ticket) if vote.person == user.person_id]
        if not mine or mine[-1].answer is Answer.WITHDRAW:
            raise NoVoteToWithdraw
        after = _append(ticket, user, Answer.WITHDRAW, bytes(ticket.digest), None, nonce)
        return view_of(after)


def _decide(uid: UUID, ballot: Ballot) -> Decided:
    with transaction.atomic(durable=True):
        decided = cast(uid, ballot)
    if decided is None:
        raise Expired(uid=str(uid))
    return decided


def cast(uid: UUID, ballot: Ballot) -> Decided | None:
    """Count a ballot; None when the time to decide is over, which is then on record. Joins."""
    gate = transitions.gate_for_share()
    ticket = visible(uid, ballot.user)
    before = _answered(ticket, ballot)
    if before is not None:
        return before
    if not overdue(ticket):
        poll = poll_on(ticket, ballot.answer)
        require_vote(ticket, ballot, poll, gate)
        return _vote(ticket, ballot, poll)
    transitions.expire(ticket_id=ticket.pk, actor=actors.person(ballot.user.person_id))
    transaction.on_commit(lambda: ports.ended(uid))
    return None


def _vote(ticket: Ticket, ballot: Ballot, poll: Poll) -> Decided:
    """Append the vote; approve or reject the ticket when the votes now say so."""
    user = ballot.user
    proof = _proof(ticket, ballot, poll)
    reason = seal("reason", ballot.words.encode()) if ballot.words else None
    typed = _sealed_answer(ticket, ballot)
    mandates = poll.mandates_of(user.person_id, ballot.answer, bytes(ticket.digest))
    after = _append(
        ticket,
        user,
        ballot.answer,
        ballot.seen_digest,
        reason,
        ballot.nonce,
        typed,
        ballot.grant,
        proof,
        mandates,
    )
    vote = Vote(person=user.person_id, answer=ballot.answer, digest=ballot.seen_digest)

    def add_up(among: Collection[UUID] | None = None) -> Resolution:
        return resolve(
            (*poll.votes, vote),
            obligations=poll.obligations,
            digest=bytes(ticket.digest),
            eligible=poll.eligible,
            parties=poll.parties,
            among=among,
        )

    votes = add_up()
    actor = actors.person(user.person_id)
    kind: DecidedKind = "counted"
    grant: UUID | None = None
    if ballot.answer is Answer.APPROVE and Canary.objects.filter(ticket=ticket).exists():
        after = transitions.cancel(ticket_id=ticket.pk, reason=CancelReason.CANARY, actor=actor)
        transaction.on_commit(lambda: ports.ended(ticket.uid))
        kind = "canary"
    elif votes.state == "rejected":
        after = transitions.reject(
            ticket_id=ticket.pk,
            revision=ticket.revision,
            digest=bytes(ticket.digest),
            reason_payload_id=reason.pk if reason else None,
            actor=actor,
        )
        transaction.on_commit(lambda: ports.ended(ticket.uid))
        kind = "rejected"
    elif votes.state == "approved":
        after = transitions.approve(
            ticket_id=ticket.pk,
            revision=ticket.revision,
            digest=bytes(ticket.digest),
            execution_seconds=poll.obligations.execution_seconds,
            actor=actor,
            detail={
                "approved_by": [str(person) for person in votes.approved_by],
                **({"answer": bytes(typed.commitment).hex()} if typed is not None else {}),
            },
        )
        transaction.on_commit(lambda: ports.approved(ticket.uid))
        kind = "approved"
        if ballot.grant is not None:
            grant = grant_if_agreed(
                ticket=after,
                terms=ballot.grant.terms,
                add_up=add_up,
                user=user,
            )
    return Decided(ticket=view_of(after), kind=kind, grant=grant)


def _proof(ticket: Ticket, ballot: Ballot, poll: Poll) -> StepUpProof | None:
    """What an approval of a high-risk ticket rests on beside the session; else nothing."""
    if ballot.answer is not Answer.APPROVE:
        return None
    return require_step_up(
        ticket=ticket,
        user=ballot.user,
        obligations=poll.obligations,
        presented=ballot.presented,
        terms=terms_digest(ballot.grant.terms) if ballot.grant else b"",
    )


def _sealed_answer(ticket: Ticket, ballot: Ballot) -> Payload | None:
    """The answer that an approval carries, where the ticket asks for one."""
    if ballot.answer is not Answer.APPROVE:
        return None
    fields = form_in(definition_of(ticket))
    return seal("answer", answer_bytes(fields, ballot.typed)) if fields else None


def _append(
    ticket: Ticket,
    user: User,
    answer: Answer,
    seen_digest: bytes,
    reason: Payload | None,
    nonce: str,
    typed: Payload | None = None,
    grant: Wanted | None = None,
    proof: StepUpProof | None = None,
    mandates: tuple[Mandate, ...] = (),
) -> Ticket:
    decision = Decision.objects.create(
        ticket=ticket,
        revision=ticket.revision,
        person_id=user.person_id,
        user=user,
        verdict=answer.value,
        seen_digest=seen_digest,
        reason=reason,
        nonce=nonce,
    )
    if typed is not None:
        TypedAnswer.objects.create(decision=decision, ticket=ticket, payload=typed)
    agreed = agree(decision=decision, ticket=ticket, terms=grant.terms) if grant else None
    if proof is not None:
        proof.decision = decision
        proof.save(force_insert=True)
    return transitions.record_vote(
        ticket_id=ticket.pk,
        decision=decision,
        actor=actors.person(user.person_id),
        also=[
            *record_mandates(decision, mandates),
            *(row for row in (agreed, proof) if row is not None),
        ],
    )


def _answered(ticket: Ticket, ballot: Ballot) -> Decided | None:
    """The answer to a request that was made before."""
    before = Decision.objects.filter(ticket=ticket, user=ballot.user, nonce=ballot.nonce).first()
    if before is None:
        return None
    if before.verdict != ballot.answer:
        raise AlreadyVoted(verdict=before.verdict)
    return Decided(ticket=view_of(ticket), kind="repeated")
