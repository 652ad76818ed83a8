"""A vote as it arrives, the votes it is added to, and what is refused before it counts.

Nothing here writes: the caller holds the gate and the ticket's lock, and what it reads stays so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from approvals import conf, ports
from approvals.domain.canonical import JSON
from approvals.domain.errors import (
    AlreadyDecided,
    KillSwitchOn,
    ReasonRequired,
    ReasonTooLong,
    StaleDigest,
)
from approvals.domain.obligations import Obligations
from approvals.domain.quorum import Answer, Parties, Vote, mandates_for, why_not
from approvals.domain.seats import Mandate
from approvals.domain.states import State
from approvals.models import DatabaseNow, Gate, Ticket, User
from approvals.selectors.votes import (
    People,
    eligible_people,
    obligations_of,
    parties_of,
    votes_of,
)
from approvals.services.grants import Wanted, require_grantable
from approvals.services.stepup import NOTHING, Presented

MAX_REASON: Final = 2000  # characters
MAX_NONCE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One person's vote as it arrived."""

    user: User
    answer: Answer
    seen_digest: bytes
    words: str
    nonce: str
    typed: Mapping[str, JSON] | None = None
    grant: Wanted | None = None
    presented: Presented = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What a ballot is added to: the votes so far, and whose count."""

    obligations: Obligations
    votes: tuple[Vote, ...]
    eligible: People
    parties: Parties

    def mandates_of(self, person: UUID, answer: Answer, digest: bytes) -> tuple[Mandate, ...]:
        """By which mandates this person's vote counts, where a record has to say so."""
        mandates = mandates_for(
            person,
            answer,
            votes=self.votes,
            obligations=self.obligations,
            digest=digest,
            eligible=self.eligible,
            parties=self.parties,
        )
        own = all(mandate.holder == person for mandate in mandates)
        return () if own and not self.obligations.quorums else mandates


def poll_on(ticket: Ticket, answer: Answer) -> Poll:
    """The votes so far; who owns the agent now matters to approvals only."""
    owner_now = ports.owner_of_agent(ticket.agent_id) if answer is Answer.APPROVE else None
    return Poll(
        obligations=obligations_of(ticket),
        votes=tuple(votes_of(ticket)),
        eligible=eligible_people(ticket),
        parties=parties_of(ticket, owner_now=owner_now, one_person=conf.one_person()),
    )


def require_vote(ticket: Ticket, ballot: Ballot, poll: Poll, gate: Gate) -> None:
    """Refuse a vote that may not be counted on this ticket as it stands, by this person, now."""
    require_pending(ticket)
    if ballot.seen_digest != bytes(ticket.digest):
        raise StaleDigest(digest=bytes(ticket.digest).hex(), revision=ticket.revision)
    refusal = why_not(
        ballot.user.person_id,
        ballot.answer,
        votes=poll.votes,
        obligations=poll.obligations,
        digest=bytes(ticket.digest),
        eligible=poll.eligible,
        parties=poll.parties,
    )
    if refusal is not None:
        raise refusal
    if poll.obligations.reason_required and not ballot.words:
        raise ReasonRequired
    if ballot.answer is Answer.APPROVE and gate.killed:
        raise KillSwitchOn
    if ballot.grant is not None:
        require_grantable(ticket=ticket, user=ballot.user, wanted=ballot.grant)


def require_pending(ticket: Ticket) -> None:
    """Raise AlreadyDecided unless people still decide."""
    if ticket.state != State.PENDING:
        raise AlreadyDecided(state=ticket.state, version=ticket.version)


def overdue(ticket: Ticket) -> bool:
    """Whether the time to decide ran out by the database's clock."""
    late = Ticket.objects.filter(
        pk=ticket.pk, state=State.PENDING, approval_expires_at__lte=DatabaseNow()
    )
    return late.exists()


def require_nonce(nonce: str) -> None:
    """Refuse a request that could not be told from its own repetition."""
    if not 0 < len(nonce) <= MAX_NONCE:
        raise ValueError(f"a nonce has 1..{MAX_NONCE} characters")


def words_of(text: str) -> str:
    """What a person typed, without the space around it; raises ReasonTooLong."""
    words = text.strip()
    if len(words) > MAX_REASON:
        raise ReasonTooLong(most=MAX_REASON)
    return words
