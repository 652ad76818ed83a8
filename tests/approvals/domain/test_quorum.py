"""Whether votes approve, reject or leave a ticket pending."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.errors import (
    AlreadyVoted,
    FourEyes,
    NotEligible,
    NoVoteToWithdraw,
    OwnerMayNotApprove,
)
from approvals.domain.obligations import Obligations
from approvals.domain.quorum import Answer, Parties, Vote, barred, reachable, resolve, why_not

NOW, OLD = b"now", b"old"
ALICE, BOB, CAROL, CHARLIE = "alice", "bob", "carol", "charlie"
NOBODY = Parties()


def vote(person, answer="approve", digest=NOW):
    return Vote(person=person, answer=Answer(answer), digest=digest)


def outcome(*votes, quorum=1, four_eyes=False, eligible=(BOB, CAROL), parties=NOBODY):
    return resolve(
        votes,
        obligations=Obligations(quorum=quorum, four_eyes=four_eyes),
        digest=NOW,
        eligible=eligible,
        parties=parties,
    )


def test_one_approval_completes_a_quorum_of_one():
    found = outcome(vote(BOB))
    assert (found.state, found.have, found.need, found.missing) == ("approved", 1, 1, 0)
    assert found.approved_by == (BOB,)


def test_a_quorum_of_two_needs_two_people():
    assert outcome(vote(BOB), quorum=2).missing == 1
    assert outcome(vote(BOB), vote(CAROL), quorum=2).state == "approved"


def test_one_person_voting_twice_counts_once():
    found = outcome(vote(BOB), vote(BOB), quorum=2)
    assert (found.state, found.have) == ("pending", 1)


def test_one_rejection_wins_over_any_number_of_approvals():
    assert outcome(vote(BOB), vote(CAROL, "reject"), quorum=1).state == "rejected"
    assert outcome(vote(CAROL, "reject"), vote(BOB), quorum=1).state == "rejected"


def test_a_withdrawn_vote_counts_for_nothing_and_may_be_given_anew():
    assert outcome(vote(BOB), vote(BOB, "withdraw")).state == "pending"
    assert outcome(vote(BOB, "reject"), vote(BOB, "withdraw")).state == "pending"
    assert outcome(vote(BOB), vote(BOB, "withdraw"), vote(BOB)).state == "approved"
    assert outcome(vote(BOB), vote(CAROL, "withdraw")).state == "approved"


def test_votes_for_an_older_revision_count_for_nothing():
    assert outcome(vote(BOB, digest=OLD)).state == "pending"
    assert outcome(vote(BOB, "reject", digest=OLD)).state == "pending"


def test_votes_of_people_outside_the_groups_count_for_nothing():
    assert outcome(vote(CHARLIE)).state == "pending"
    assert outcome(vote(CHARLIE, "reject")).state == "pending"


def test_the_agent_s_owner_does_not_approve_but_may_reject():
    parties = Parties(owners=frozenset({BOB}))
    assert outcome(vote(BOB), parties=parties).state == "pending"
    assert outcome(vote(BOB, "reject"), parties=parties).state == "rejected"


def test_a_one_person_installation_lets_its_owner_approve():
    parties = Parties(owners=frozenset({BOB}), one_person=True)
    assert outcome(vote(BOB), parties=parties).state == "approved"


def test_under_four_eyes_an_author_does_not_approve_even_alone():
    for one_person in (False, True):
        parties = Parties(authors=frozenset({BOB}), one_person=one_person)
        assert outcome(vote(BOB), parties=parties, four_eyes=True).state == "pending"
        assert outcome(vote(BOB), parties=parties).state == "approved"


people = st.sampled_from([ALICE, BOB, CAROL, CHARLIE])
ballots = st.lists(
    st.builds(
        Vote,
        person=people,
        answer=st.sampled_from(list(Answer)),
        digest=st.sampled_from([NOW, OLD]),
    ),
    max_size=12,
)
some_people = st.frozensets(people)


@given(ballots, some_people, some_people, some_people, st.integers(1, 4), st.booleans())
def test_an_approval_always_stands_on_enough_distinct_eligible_people(
    votes, eligible, owners, authors, quorum, four_eyes
):
    parties = Parties(owners=owners, authors=authors)
    found = outcome(*votes, quorum=quorum, four_eyes=four_eyes, eligible=eligible, parties=parties)
    newest = {
        person: next((v.answer for v in reversed(votes) if v.person == person and _counts(v)), None)
        for person in (ALICE, BOB, CAROL, CHARLIE)
    }
    excluded = owners | (authors if four_eyes else frozenset())
    yes = {p for p in eligible - excluded if newest[p] is Answer.APPROVE}
    no = {p for p in eligible if newest[p] is Answer.REJECT}
    expected = "rejected" if no else "approved" if len(yes) >= quorum else "pending"
    assert found.state == expected
    assert set(found.approved_by) == yes
    assert set(found.rejected_by) == no


def _counts(found):
    return found.digest == NOW or found.answer is Answer.WITHDRAW


@given(ballots, st.integers(1, 4))
def test_votes_that_were_cast_one_by_one_resolve_as_they_do_all_at_once(votes, quorum):
    states = [outcome(*votes[:n], quorum=quorum).state for n in range(len(votes) + 1)]
    assert states[-1] == outcome(*votes, quorum=quorum).state


@pytest.mark.parametrize(
    ("person", "answer", "votes", "refusal"),
    [
        (BOB, "approve", [], None),
        (BOB, "approve", [vote(BOB)], AlreadyVoted),
        (BOB, "reject", [vote(BOB)], AlreadyVoted),
        (BOB, "approve", [vote(BOB, digest=OLD)], None),
        (BOB, "approve", [vote(BOB), vote(BOB, "withdraw")], None),
        (BOB, "withdraw", [vote(BOB)], None),
        (BOB, "withdraw", [], NoVoteToWithdraw),
        (BOB, "withdraw", [vote(CAROL)], NoVoteToWithdraw),
        (CHARLIE, "approve", [], NotEligible),
        (CHARLIE, "reject", [], NotEligible),
        (ALICE, "approve", [], OwnerMayNotApprove),
        (ALICE, "reject", [], None),
        (CAROL, "approve", [], FourEyes),
        (CAROL, "reject", [], None),
    ],
)
def test_a_vote_that_may_not_be_given_is_refused_by_name(person, answer, votes, refusal):
    refused = why_not(
        person,
        Answer(answer),
        votes=votes,
        obligations=Obligations(four_eyes=True),
        digest=NOW,
        eligible={ALICE, BOB, CAROL},
        parties=Parties(owners=frozenset({ALICE}), authors=frozenset({CAROL})),
    )
    assert refused is None if refusal is None else isinstance(refused, refusal)


@pytest.mark.parametrize(
    ("eligible", "quorum", "excluded", "can"),
    [
        ([BOB], 1, [], True),
        ([BOB, BOB], 2, [], False),
        ([BOB, CAROL], 2, [ALICE], True),
        ([ALICE, BOB], 2, [ALICE], False),
        ([], 1, [], False),
    ],
)
def test_a_quorum_is_reachable_when_enough_people_remain(eligible, quorum, excluded, can):
    assert reachable(eligible, Obligations(quorum=quorum), excluded) is can


def test_the_barred_are_owners_and_under_four_eyes_authors():
    parties = Parties(owners=frozenset({ALICE}), authors=frozenset({BOB}))
    assert barred(parties, Obligations()) == {ALICE}
    assert barred(parties, Obligations(four_eyes=True)) == {ALICE, BOB}
