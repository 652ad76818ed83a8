"""Whether the votes so far approve, reject or leave a ticket pending.

A vote is an appended fact; the resolution is a pure function over all of them, oldest first. Per
person (never per account) the newest counts, and a withdrawal takes back what stood before it.
Knows neither rows nor clocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from approvals.domain.errors import (
    AlreadyVoted,
    FourEyes,
    NotEligible,
    NoVoteToWithdraw,
    OwnerMayNotApprove,
    Refusal,
    StandInBarred,
    StandInNotNeeded,
)
from approvals.domain.obligations import Obligations
from approvals.domain.seats import (
    Electorate,
    Filled,
    Mandate,
    PersonId,
    counting,
    electorate,
    fill,
)


class Answer(StrEnum):
    """What a vote says."""

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"  # the person's earlier vote counts no longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One appended decision. `digest` is the ticket digest its author saw."""

    person: PersonId
    answer: Answer
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """People with a stake in the call, by person.

    `owners` owned the agent at submission or own it now. `authors` submitted the call or edited
    this revision. `one_person` is the explicit admission that this installation has one person;
    it lifts the owner's bar, never four-eyes, which a rule asks for by name.
    """

    owners: frozenset[PersonId] = frozenset()
    authors: frozenset[PersonId] = frozenset()
    one_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """`have` of `need` distinct approvals; the people stand in the order of their votes.

    `by_group` says the same for each group that owes approvals by itself.
    """

    state: Literal["pending", "approved", "rejected"]
    have: int
    need: int
    approved_by: tuple[PersonId, ...] = ()
    rejected_by: tuple[PersonId, ...] = ()
    by_group: tuple[Filled, ...] = ()

    @property
    def missing(self) -> int:
        """How many approvals are still to come."""
        return max(0, self.need - self.have)


def barred(parties: Parties, obligations: Obligations) -> frozenset[PersonId]:
    """The people whose approval does not count, whatever groups they are in."""
    owners: frozenset[PersonId] = frozenset() if parties.one_person else parties.owners
    return owners | parties.authors if obligations.four_eyes else owners


def resolve(
    votes: Iterable[Vote],
    *,
    obligations: Obligations,
    digest: bytes,
    eligible: Electorate | Collection[PersonId],
    parties: Parties,
    among: Collection[PersonId] | None = None,
) -> Resolution:
    """The state these votes, oldest first, add up to. One eligible person's rejection ends it.

    Withdrawn votes, votes for another digest (an older revision) and votes of people who are not
    eligible now count for nothing. With `among` only the approvals of these people are added up,
    of those that count among everybody's: leaving one out makes no other one count.
    """
    people = electorate(eligible)
    standing = standing_votes(votes, digest=digest)
    yes, no = (
        [p for p, given in standing.items() if given is answer]
        for answer in (Answer.APPROVE, Answer.REJECT)
    )
    rejected = tuple(counting(no, people, excluded=(), voted=standing))
    approved = counting(yes, people, excluded=barred(parties, obligations), voted=standing)
    if among is not None:
        approved = {person: held for person, held in approved.items() if person in among}
    have, by_group = _add_up(approved, obligations)
    need = max(1, obligations.quorum)
    state: Literal["pending", "approved", "rejected"] = "pending"
    if rejected:
        state = "rejected"
    elif have >= need:
        state = "approved"
    return Resolution(
        state=state,
        have=have,
        need=need,
        approved_by=tuple(approved),
        rejected_by=rejected,
        by_group=by_group,
    )


def standing_votes(votes: Iterable[Vote], *, digest: bytes) -> dict[PersonId, Answer]:
    """Each person's vote on this digest that was not withdrawn, in the order of voting."""
    standing: dict[PersonId, Answer] = {}
    for vote in votes:
        if vote.answer is Answer.WITHDRAW:
            standing.pop(vote.person, None)
        elif vote.digest == digest:
            standing.pop(vote.person, None)
            standing[vote.person] = vote.answer
    return standing


def why_not(
    person: PersonId,
    answer: Answer,
    *,
    votes: Iterable[Vote],
    obligations: Obligations,
    digest: bytes,
    eligible: Electorate | Collection[PersonId],
    parties: Parties,
) -> Refusal | None:
    """The refusal that keeps `person` from giving `answer` now, or None when they may."""
    standing = standing_votes(votes, digest=digest)
    if answer is Answer.WITHDRAW:
        return None if person in standing else NoVoteToWithdraw()
    people = electorate(eligible)
    if not people.get(person):
        return NotEligible()
    excluded = barred(parties, obligations) if answer is Answer.APPROVE else frozenset()
    if person in excluded:
        is_owner = person in parties.owners and not parties.one_person
        return OwnerMayNotApprove() if is_owner else FourEyes()
    if person in standing:
        return AlreadyVoted()
    if not counting([person], people, excluded=excluded, voted=standing):
        holders = {mandate.holder for mandate in people[person]}
        return StandInBarred() if holders & excluded else StandInNotNeeded()
    return None


def mandates_for(
    person: PersonId,
    answer: Answer,
    *,
    votes: Iterable[Vote],
    obligations: Obligations,
    digest: bytes,
    eligible: Electorate,
    parties: Parties,
) -> tuple[Mandate, ...]:
    """By which mandates this person's vote would count, once `why_not` has nothing against it."""
    standing = standing_votes(votes, digest=digest)
    excluded = barred(parties, obligations) if answer is Answer.APPROVE else frozenset()
    return counting([person], eligible, excluded=excluded, voted=standing).get(person, ())


def reachable(
    eligible: Electorate | Collection[PersonId],
    obligations: Obligations,
    excluded: Collection[PersonId],
) -> bool:
    """Whether enough people remain who may approve, and in the groups that owe it."""
    people = electorate(eligible)
    possible = counting(people, people, excluded=excluded, voted=())
    return _add_up(possible, obligations)[0] >= max(1, obligations.quorum)


def _add_up(
    approved: Mapping[PersonId, Collection[Mandate]], obligations: Obligations
) -> tuple[int, tuple[Filled, ...]]:
    """How many approvals these are, in all and group by group."""
    if not obligations.quorums:
        return len(approved), ()
    by_group = tuple(fill(approved, obligations.quorums))
    return sum(each.have for each in by_group), by_group
