"""What people do besides voting: revoke, call off, record what really happened."""

import json

import pytest
from uuid6 import uuid7

from approvals import api
from approvals.audit.sealing import unseal
from approvals.services import people
from approvals.services.decisions import annotate_unknown, cancel_by_person, revoke_approval
from tests.support import rings
from tests.support.builders import a_ticket


def test_an_approval_is_revoked_before_the_call_is_sent(cast, django_capture_on_commit_callbacks):
    walk = a_ticket(cast).approved_by(cast.bob)
    with django_capture_on_commit_callbacks(execute=True):
        view = revoke_approval(uid=walk.uid, user=cast.bob)
    assert view.cancel_reason is api.CancelReason.APPROVAL_REVOKED
    assert walk.ticket.revoked_at is not None
    assert rings.rung_ended == [walk.uid]
    assert api.claim(uid=walk.uid, worker="w1") is None


def test_another_reviewer_or_an_admin_may_revoke_it_too(cast):
    first = a_ticket(cast, arguments=b'{"n":1}').claimed()
    second = a_ticket(cast, arguments=b'{"n":2}').approved_by(cast.bob)
    assert revoke_approval(uid=first.uid, user=cast.carol).is_over
    assert revoke_approval(uid=second.uid, user=cast.dora).is_over


def test_what_was_sent_cannot_be_revoked(cast):
    walk = a_ticket(cast).sent()
    with pytest.raises(api.RevokeTooLate):
        revoke_approval(uid=walk.uid, user=cast.bob)
    assert walk.view.state is api.State.SENT


def test_there_is_nothing_to_revoke_before_the_approval(cast):
    walk = a_ticket(cast).pending()
    with pytest.raises(api.StaleState):
        revoke_approval(uid=walk.uid, user=cast.bob)


def test_who_has_no_vote_revokes_nothing(cast):
    walk = a_ticket(cast).approved_by(cast.bob)
    with pytest.raises(api.NotEligible):
        revoke_approval(uid=walk.uid, user=cast.alice)
    with pytest.raises(api.NotVisible):
        revoke_approval(uid=walk.uid, user=cast.charlie)
    assert walk.view.state is api.State.APPROVED


@pytest.mark.parametrize("who", ["bob", "dora"])
def test_an_operator_calls_a_ticket_off(cast, who):
    walk = a_ticket(cast).pending()
    view = cancel_by_person(uid=walk.uid, user=getattr(cast, who))
    assert view.cancel_reason is api.CancelReason.OPERATOR


def test_the_agents_owner_calls_its_ticket_off(cast):
    walk = a_ticket(cast).pending()
    view = cancel_by_person(uid=walk.uid, user=cast.alice)
    assert view.cancel_reason is api.CancelReason.OWNER


def test_who_owns_the_agent_now_is_its_owner_too(cast):
    walk = a_ticket(cast).pending()
    rings.owners[cast.robo] = cast.carol.person_id
    view = cancel_by_person(uid=walk.uid, user=cast.carol)
    assert view.cancel_reason is api.CancelReason.OWNER


def test_what_was_sent_is_asked_to_abort(cast):
    walk = a_ticket(cast).sent()
    assert cancel_by_person(uid=walk.uid, user=cast.bob).abort_requested
    version = walk.view.version
    assert cancel_by_person(uid=walk.uid, user=cast.bob).version == version
    assert walk.view.state is api.State.SENT


def test_what_is_over_is_not_called_off(cast):
    walk = a_ticket(cast).rejected_by(cast.bob)
    with pytest.raises(api.AlreadyDecided):
        cancel_by_person(uid=walk.uid, user=cast.bob)


def test_strangers_call_nothing_off(cast):
    walk = a_ticket(cast).pending()
    with pytest.raises(api.NotVisible):
        cancel_by_person(uid=walk.uid, user=cast.charlie)
    with pytest.raises(api.NotVisible):
        cancel_by_person(uid=uuid7(), user=cast.bob)


def test_a_team_mate_without_a_vote_calls_nothing_off(cast):
    people.set_members(team="ops", people=[cast.alice.person_id, cast.charlie.person_id])
    walk = a_ticket(cast).pending()
    with pytest.raises(api.NotEligible):
        cancel_by_person(uid=walk.uid, user=cast.charlie)


@pytest.mark.parametrize("ran", [True, False, None])
def test_a_person_records_what_really_happened(cast, ran):
    walk = a_ticket(cast).unknown()
    view = annotate_unknown(uid=walk.uid, user=cast.bob, ran=ran, evidence=" looked: gone ")
    assert walk.ticket.annotated_at is not None
    assert view.state is api.State.OUTCOME_UNKNOWN
    noted = json.loads(unseal(walk.ticket.annotation))
    assert noted == {"ran": ran, "evidence": "looked: gone"}


def test_what_happened_is_recorded_once(cast):
    walk = a_ticket(cast).unknown()
    annotate_unknown(uid=walk.uid, user=cast.alice, ran=True, evidence="saw it")
    with pytest.raises(api.NotAnnotatable):
        annotate_unknown(uid=walk.uid, user=cast.bob, ran=False, evidence="no")


def test_a_finding_needs_evidence(cast):
    walk = a_ticket(cast).unknown()
    with pytest.raises(api.EvidenceRequired):
        annotate_unknown(uid=walk.uid, user=cast.bob, ran=True, evidence="  ")
    with pytest.raises(api.ReasonTooLong):
        annotate_unknown(uid=walk.uid, user=cast.bob, ran=True, evidence="x" * 2001)


def test_only_an_unknown_outcome_takes_a_note(cast):
    walk = a_ticket(cast).succeeded()
    with pytest.raises(api.NotAnnotatable):
        annotate_unknown(uid=walk.uid, user=cast.bob, ran=True, evidence="x")


def test_strangers_record_nothing(cast):
    walk = a_ticket(cast).unknown()
    with pytest.raises(api.NotVisible):
        annotate_unknown(uid=walk.uid, user=cast.charlie, ran=True, evidence="x")
    assert walk.ticket.annotated_at is None
