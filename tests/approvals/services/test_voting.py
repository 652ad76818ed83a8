"""Votes: who may, what they add up to, and what a second look at the same request finds."""

import pytest

from approvals import api
from approvals.domain.errors import StaleState
from approvals.models import Decision, Gate, User
from approvals.services import people, voting
from approvals.services.decisions import decide, withdraw_vote
from tests.support import rings
from tests.support.builders import a_policy, a_ticket, killed
from tests.support.clock import later

pytestmark = pytest.mark.both_engines

APPROVE, REJECT = api.Answer.APPROVE, api.Answer.REJECT


def vote(walk, user, answer=APPROVE, **changes):
    given = {
        "uid": walk.uid,
        "user": user,
        "verdict": answer,
        "seen_digest": bytes(walk.ticket.digest),
        "reason": "",
        "nonce": "n1",
    }
    return decide(**{**given, **changes})


def test_one_approval_completes_a_quorum_of_one(cast, django_capture_on_commit_callbacks):
    walk = a_ticket(cast).pending()
    with django_capture_on_commit_callbacks(execute=True):
        decided = vote(walk, cast.bob)
    assert (decided.kind, decided.ticket.state) == ("approved", api.State.APPROVED)
    assert decided.ticket.execution_expires_at is not None
    assert rings.rung_approved == [walk.uid]
    assert rings.rung_ended == []


def test_a_quorum_of_two_needs_two_people(cast, django_capture_on_commit_callbacks):
    a_policy(quorum=2)
    walk = a_ticket(cast).pending()
    with django_capture_on_commit_callbacks(execute=True):
        first = vote(walk, cast.bob)
    assert (first.kind, first.ticket.have, first.ticket.need) == ("counted", 1, 2)
    assert rings.rung_approved == []
    assert vote(walk, cast.carol).kind == "approved"


def test_two_accounts_of_one_person_are_one_vote(cast):
    a_policy(quorum=2)
    people.create_user(email="bob2@example.test", password=None, person_id=cast.bob.person_id)
    walk = a_ticket(cast).approved_by(cast.bob)
    with pytest.raises(api.AlreadyVoted):
        vote(walk, User.objects.get(email="bob2@example.test"))
    assert walk.view.have == 1


def test_one_rejection_ends_it_whatever_was_approved(cast, django_capture_on_commit_callbacks):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)
    with django_capture_on_commit_callbacks(execute=True):
        decided = vote(walk, cast.carol, REJECT, reason="  not on a Friday ")
    assert (decided.kind, decided.ticket.state) == ("rejected", api.State.REJECTED)
    assert walk.view.reason == "not on a Friday"
    assert rings.rung_ended == [walk.uid]
    assert rings.rung_approved == []


def test_a_rejection_needs_no_living_gate_but_an_approval_does(cast):
    walk = a_ticket(cast).pending()
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)
    with pytest.raises(api.KillSwitchOn):
        vote(walk, cast.bob)
    assert vote(walk, cast.bob, REJECT).kind == "rejected"


def test_a_stranger_learns_nothing_of_the_ticket(cast):
    walk = a_ticket(cast).pending()
    with pytest.raises(api.NotVisible):
        vote(walk, cast.charlie)


def test_seeing_a_ticket_is_not_voting_on_it(cast):
    walk = a_ticket(cast).pending()
    for user in (cast.alice, cast.dora):
        with pytest.raises(api.NotEligible):
            vote(walk, user)
    assert Decision.objects.count() == 0


def test_an_account_that_was_switched_off_does_not_vote(cast):
    walk = a_ticket(cast).pending()
    cast.bob.is_active = False
    cast.bob.save()
    with pytest.raises(api.NotVisible):
        vote(walk, cast.bob)


def test_who_owned_the_agent_at_submission_does_not_approve(cast):
    people.set_members(
        group="reviewers",
        people=[cast.alice.person_id, cast.bob.person_id, cast.carol.person_id],
    )
    walk = a_ticket(cast).pending()
    with pytest.raises(api.OwnerMayNotApprove):
        vote(walk, cast.alice)
    assert vote(walk, cast.alice, REJECT).kind == "rejected"


def test_who_owns_the_agent_at_the_vote_does_not_approve(cast):
    walk = a_ticket(cast).pending()
    rings.owners[cast.robo] = cast.bob.person_id
    with pytest.raises(api.OwnerMayNotApprove):
        vote(walk, cast.bob)
    assert vote(walk, cast.carol).kind == "approved"


def test_an_approval_by_who_owns_the_agent_later_stops_counting(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)
    rings.owners[cast.robo] = cast.bob.person_id
    assert vote(walk, cast.carol).kind == "counted"
    assert walk.ticket.state == api.State.PENDING


def test_an_unanswered_question_about_the_owner_refuses_the_approval(cast, settings):
    walk = a_ticket(cast).pending()
    settings.APPROVALS_PORTS = {
        **rings.PORTS,
        "owner_of_agent": "tests.support.rings.broken",
    }
    with pytest.raises(ConnectionError):
        vote(walk, cast.bob)
    assert walk.ticket.state == api.State.PENDING
    assert Decision.objects.count() == 0


def test_a_rejection_does_not_ask_who_owns_the_agent(cast, settings):
    walk = a_ticket(cast).pending()
    settings.APPROVALS_PORTS = {
        **rings.PORTS,
        "owner_of_agent": "tests.support.rings.broken",
    }
    assert vote(walk, cast.bob, REJECT).kind == "rejected"


def test_a_one_person_installation_may_approve_its_own_calls_if_told_so(cast, settings):
    settings.APPROVALS_ONE_PERSON = True
    people.set_members(group="reviewers", people=[cast.alice.person_id])
    walk = a_ticket(cast).pending()
    assert vote(walk, cast.alice).kind == "approved"


def test_four_eyes_binds_even_a_one_person_installation(cast, settings):
    settings.APPROVALS_ONE_PERSON = True
    people.set_members(group="reviewers", people=[cast.alice.person_id, cast.bob.person_id])
    a_policy(four_eyes=True)
    walk = a_ticket(cast).pending()
    with pytest.raises(api.FourEyes):
        vote(walk, cast.alice)
    assert vote(walk, cast.bob).kind == "approved"


def test_a_vote_for_something_else_than_what_stands_there_is_refused(cast):
    walk = a_ticket(cast).pending()
    with pytest.raises(api.StaleDigest) as refusal:
        vote(walk, cast.bob, seen_digest=b"x" * 32)
    assert refusal.value.details["digest"] == bytes(walk.ticket.digest).hex()
    assert walk.ticket.state == api.State.PENDING


def test_a_reason_is_asked_for_where_policy_wants_one(cast):
    a_policy(reason_required=True)
    walk = a_ticket(cast).pending()
    for answer in (APPROVE, REJECT):
        with pytest.raises(api.ReasonRequired):
            vote(walk, cast.bob, answer, reason="   ")
    assert vote(walk, cast.bob, reason="seen with the customer").kind == "approved"


def test_a_reason_of_excessive_length_is_refused(cast):
    walk = a_ticket(cast).pending()
    with pytest.raises(api.ReasonTooLong):
        vote(walk, cast.bob, reason="x" * 2001)


def test_the_second_decision_finds_the_ticket_decided(cast):
    walk = a_ticket(cast).rejected_by(cast.bob)
    with pytest.raises(api.AlreadyDecided) as refusal:
        vote(walk, cast.carol)
    assert refusal.value.details["state"] == api.State.REJECTED


def test_a_double_post_is_answered_as_the_first_was(cast):
    walk = a_ticket(cast).pending()
    vote(walk, cast.bob)
    again = vote(walk, cast.bob)
    assert (again.kind, again.ticket.state) == ("repeated", api.State.APPROVED)
    assert Decision.objects.count() == 1


def test_a_nonce_cannot_be_used_for_the_other_verb(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).pending()
    vote(walk, cast.bob)
    with pytest.raises(api.AlreadyVoted):
        vote(walk, cast.bob, REJECT)


def test_after_the_deadline_the_vote_itself_makes_the_ticket_expire(
    cast, django_capture_on_commit_callbacks
):
    walk = a_ticket(cast).pending()
    with later(3601), django_capture_on_commit_callbacks(execute=True):
        with pytest.raises(api.Expired):
            vote(walk, cast.bob)
        assert walk.ticket.state == api.State.EXPIRED
    assert Decision.objects.count() == 0
    assert rings.rung_ended == [walk.uid]


def test_a_deadline_that_passes_between_look_and_write_is_still_a_deadline(cast, monkeypatch):
    walk = a_ticket(cast).pending()
    looks = []

    def first_look_is_early(ticket):
        looks.append(ticket)
        return len(looks) > 1

    monkeypatch.setattr(voting, "overdue", first_look_is_early)
    with later(3601), pytest.raises(api.Expired):
        vote(walk, cast.bob)
    assert len(looks) == 2
    assert walk.ticket.state == api.State.EXPIRED
    assert Decision.objects.count() == 0


def test_a_vote_can_be_taken_back_while_people_are_still_asked(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)
    view = withdraw_vote(uid=walk.uid, user=cast.bob, nonce="back")
    assert view.have == 0
    assert withdraw_vote(uid=walk.uid, user=cast.bob, nonce="back").have == 0
    with pytest.raises(api.NoVoteToWithdraw):
        withdraw_vote(uid=walk.uid, user=cast.bob, nonce="back again")
    assert vote(walk, cast.carol).kind == "counted"
    assert vote(walk, cast.bob, nonce="anew").kind == "approved"


def test_nothing_can_be_taken_back_where_nothing_was_given(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.carol)
    with pytest.raises(api.NoVoteToWithdraw):
        withdraw_vote(uid=walk.uid, user=cast.bob, nonce="a")
    assert walk.view.have == 1


def test_a_vote_cannot_be_taken_back_after_the_decision(cast):
    walk = a_ticket(cast).approved_by(cast.bob)
    with pytest.raises(api.AlreadyDecided):
        withdraw_vote(uid=walk.uid, user=cast.bob, nonce="a")


def test_a_vote_cannot_be_taken_back_after_the_deadline(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)
    with later(3601), pytest.raises(StaleState):
        withdraw_vote(uid=walk.uid, user=cast.bob, nonce="late")
    assert Decision.objects.count() == 1


def test_withdrawing_has_a_function_of_its_own(cast):
    walk = a_ticket(cast).pending()
    with pytest.raises(ValueError, match="withdraw_vote"):
        vote(walk, cast.bob, api.Answer.WITHDRAW)


@pytest.mark.parametrize("nonce", ["", "x" * 65])
def test_a_vote_without_a_proper_nonce_is_refused(cast, nonce):
    walk = a_ticket(cast).pending()
    with pytest.raises(ValueError, match="nonce"):
        vote(walk, cast.bob, nonce=nonce)


def test_an_approval_under_the_kill_switch_is_refused(cast):
    walk = a_ticket(cast).pending()
    killed(cast)
    with pytest.raises(api.AlreadyDecided):
        vote(walk, cast.bob)
    assert walk.view.cancel_reason is api.CancelReason.KILL_SWITCH


def test_every_vote_moves_the_version_that_pages_watch(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).pending()
    before = walk.view.version
    vote(walk, cast.bob)
    assert walk.view.version == before + 1


def test_a_member_of_any_named_group_may_vote(cast):
    people.ensure_group(slug="security")
    people.set_members(group="security", people=[cast.charlie.person_id])
    a_policy(groups=["reviewers", "security"])
    walk = a_ticket(cast).pending()
    assert vote(walk, cast.charlie).kind == "approved"
