"""Groups that owe approvals of their own, and a second group that is asked when nobody decides."""

import pytest
from django.db import transaction

from approvals import api, transitions
from approvals.audit.verification import verify
from approvals.domain.errors import NotVisible, PolicyInvalid, StaleState
from approvals.models import DueEscalation, Notice, Ticket, VoteMandate
from approvals.selectors.counting import needs_count
from approvals.selectors.listing import listed, one_row
from approvals.selectors.readers import reviewer
from approvals.services import people
from approvals.services.escalation import escalate_due
from tests.support.builders import a_policy, a_ticket
from tests.support.clock import later

APPROVE, REJECT = api.Answer.APPROVE, api.Answer.REJECT


@pytest.fixture
def two_groups(cast):
    """bob is legal's, carol and dora are operations'; robo's calls need one and two of them."""
    people.ensure_group(slug="legal", name="Legal")
    people.set_members(group="legal", people=[cast.bob.person_id])
    people.ensure_group(slug="operators", name="Operators")
    people.set_members(group="operators", people=[cast.carol.person_id, cast.dora.person_id])
    a_policy(quorums=[{"group": "legal", "need": 1}, {"group": "operators", "need": 2}])
    return cast


def test_every_group_has_to_give_its_approvals(two_groups):
    cast = two_groups
    walk = a_ticket(cast).approved_by(cast.carol, cast.dora)
    assert (walk.ticket.state, walk.view.have, walk.view.need) == ("pending", 2, 3)
    assert walk.voted(cast.bob, APPROVE).ticket.state == "approved"
    assert walk.view.have == 3
    assert one_row(reviewer(cast.bob.person, one_person=False), walk.uid).standing.have == 3
    assert VoteMandate.objects.count() == 3
    assert verify() == []


def test_somebody_who_left_a_group_after_voting_does_not_fill_its_seat(two_groups):
    cast = two_groups
    walk = a_ticket(cast).approved_by(cast.carol, cast.dora)
    people.set_members(
        group="operators",
        people=[cast.charlie.person_id, cast.dora.person_id],
        answerable_later=True,
    )
    assert walk.voted(cast.bob, APPROVE).ticket.state == "pending"
    assert walk.view.have == 2


def test_a_list_counts_no_vote_by_a_group_that_only_another_ticket_asks(two_groups):
    cast = two_groups
    legal_and_tech = a_ticket(cast).approved_by(cast.bob)
    people.ensure_group(slug="tech")
    people.set_members(group="tech", people=[cast.bob.person_id, cast.charlie.person_id])
    people.set_members(group="legal", people=[cast.carol.person_id], answerable_later=True)
    a_policy(groups=["tech"], quorum=2)
    tech = a_ticket(cast, arguments=b"{}").approved_by(cast.bob)
    keys = [walk.ticket.pk for walk in (legal_and_tech, tech)]
    assert [row.standing.have for row in listed(keys, one_person=False)] == [0, 1]


def test_one_rejection_of_any_group_ends_it(two_groups):
    walk = a_ticket(two_groups).approved_by(two_groups.carol)
    assert walk.rejected_by(two_groups.bob).ticket.state == "rejected"


def test_votes_that_were_cast_for_other_groups_do_not_verify(two_groups):
    """The record says for which group each vote was cast; without it the votes add up to less."""
    cast = two_groups
    walk = a_ticket(cast).approved_by(cast.bob, cast.carol, cast.dora)
    assert walk.ticket.state == "approved"
    assert {tuple(row.mandates[0])[1] for row in VoteMandate.objects.all()} == {
        "legal",
        "operators",
    }


@pytest.mark.parametrize(
    ("quorums", "words"),
    [
        ([{"group": "reviewers", "need": 3}], "want 3 of reviewers"),
        ([{"group": "reviewers"}, {"group": "same", "need": 2}], "everybody counts for one"),
    ],
)
def test_quorums_that_their_groups_cannot_make_up_are_not_published(cast, quorums, words):
    people.ensure_group(slug="same")
    people.set_members(group="same", people=[cast.bob.person_id, cast.carol.person_id])
    with pytest.raises(api.QuorumUnreachable, match=words) as refused:
        a_policy(quorums=quorums)
    assert refused.value.details["path"] == "defaults.quorums"


def test_a_call_that_a_group_cannot_approve_without_the_owner_is_refused(cast):
    people.ensure_group(slug="legal")
    people.set_members(group="legal", people=[cast.alice.person_id])
    a_policy(quorums=[{"group": "legal"}, {"group": "reviewers"}])
    with pytest.raises(api.QuorumUnreachable, match="1 of legal and 1 of reviewers"):
        a_ticket(cast).pending()


# -- escalation ---------------------------------------------------------------------------------


@pytest.fixture
def escalating(cast):
    """charlie, a stranger, is asked when nobody has decided for a minute."""
    people.ensure_group(slug="duty", name="On duty")
    people.set_members(group="duty", people=[cast.charlie.person_id])
    a_policy(escalate={"to": "duty", "after_seconds": 60}, approval_seconds=300)
    return cast


def test_the_second_group_is_asked_when_nobody_decided_in_time_and_not_before(escalating):
    cast = escalating
    walk = a_ticket(cast).pending()
    digest = bytes(walk.ticket.digest)
    api.sweep()
    assert not walk.ticket.groups.filter(slug="duty").exists()
    with pytest.raises(NotVisible):
        walk.voted(cast.charlie, APPROVE)
    assert needs_count(reviewer(cast.charlie.person, one_person=False)) == 0

    with later(61):
        api.sweep()

    assert walk.ticket.groups.filter(slug="duty").exists()
    assert bytes(walk.ticket.digest) == digest
    assert Notice.objects.filter(kind="escalated", ticket=walk.ticket).count() == 1
    assert needs_count(reviewer(cast.charlie.person, one_person=False)) == 1
    assert walk.voted(cast.charlie, APPROVE).ticket.state == "approved"
    assert verify() == []


def test_two_sweepers_escalate_once(escalating):
    walk = a_ticket(escalating).pending()
    with later(61):
        assert escalate_due() == 1
        assert escalate_due() == 0
    assert walk.ticket.version == 2
    assert not DueEscalation.objects.exists()


def test_what_was_decided_meanwhile_is_not_escalated(escalating):
    walk = a_ticket(escalating).rejected_by(escalating.bob)
    with later(61):
        assert escalate_due() == 0
    assert not walk.ticket.groups.filter(slug="duty").exists()
    assert not DueEscalation.objects.exists()


def test_the_row_itself_refuses_an_escalation_too_early_or_after_the_deadline(escalating):
    walk = a_ticket(escalating).pending()
    group = people.ensure_group(slug="duty")
    asks = {"ticket_id": walk.ticket.pk, "group_id": group, "after": 60, "actor": "system:x"}
    for seconds in (30, 301):
        with pytest.raises(StaleState), later(seconds), transaction.atomic():
            transitions.escalate(**asks)
    assert not walk.ticket.groups.filter(slug="duty").exists()


def test_whoever_is_asked_later_may_fill_any_group_s_seat(two_groups):
    cast = two_groups
    people.ensure_group(slug="duty")
    people.set_members(group="duty", people=[cast.charlie.person_id])
    a_policy(
        quorums=[{"group": "legal"}, {"group": "operators", "need": 2}],
        escalate={"to": "duty", "after_seconds": 60},
    )
    walk = a_ticket(cast).approved_by(cast.carol, cast.dora)
    with later(61):
        api.sweep()
    assert walk.voted(cast.charlie, APPROVE).ticket.state == "approved"
    assert verify() == []


def test_an_escalation_to_the_team_s_own_group_asks_nobody_new(cast):
    a_policy(escalate={"to": "reviewers", "after_seconds": 60})
    walk = a_ticket(cast).pending()
    assert walk.ticket.obligations["escalate"] is None


@pytest.mark.parametrize(
    ("to", "error"), [("ghosts", PolicyInvalid), ("empty", api.QuorumUnreachable)]
)
def test_a_second_group_that_could_not_answer_is_not_published(cast, to, error):
    people.ensure_group(slug="empty")
    with pytest.raises(error):
        a_policy(escalate={"to": to, "after_seconds": 60})


def test_a_ticket_that_only_the_second_group_can_approve_is_opened(escalating):
    cast = escalating
    walk = a_ticket(cast, person_id=cast.bob.person_id).pending()
    assert walk.ticket.state == "pending"
    assert Ticket.objects.count() == 1
