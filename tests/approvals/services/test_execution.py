"""Claim and send: who gets authority, and everything that takes it away before the first byte."""

import pytest
from uuid6 import uuid7

from approvals import api, conf
from approvals.audit.sealing import purge
from approvals.models import Gate, Payload, Ticket
from approvals.services import decisions, execution
from tests.support import rings
from tests.support.builders import a_policy, a_ticket
from tests.support.clock import later

pytestmark = pytest.mark.both_engines


def send(claim, **changes):
    given = {
        "tool_digest": claim.tool_digest,
        "upstream_digest": claim.upstream_digest,
        "epoch": api.gate().epoch,
    }
    api.record_send(claim, **{**given, **changes})


def deny_everything():
    api.publish_policy(document={"rules": [{"name": "never", "effect": "deny"}]})


def test_a_claim_hands_out_the_exact_bytes_that_were_approved(cast):
    walk = a_ticket(cast).claimed()
    claim = walk.claim
    assert claim.arguments == walk.call.arguments
    assert claim.digest == bytes(walk.ticket.digest)
    assert (claim.upstream_id, claim.tool_name) == (cast.files, "delete_file")
    assert claim.lease_seconds == conf.lease_seconds()
    assert walk.ticket.state == api.State.CLAIMED


def test_nobody_claims_what_is_not_approved(cast):
    walk = a_ticket(cast).pending()
    assert api.claim(uid=walk.uid, worker="w1") is None
    assert api.claim(uid=uuid7(), worker="w1") is None


def test_only_one_worker_gets_the_claim(cast):
    walk = a_ticket(cast).claimed("w1")
    assert api.claim(uid=walk.uid, worker="w2") is None


def test_executable_lists_what_may_be_claimed_oldest_first(cast):
    first = a_ticket(cast, arguments=b'{"n":1}').approved_by(cast.bob)
    a_ticket(cast, arguments=b'{"n":2}').pending()
    third = a_ticket(cast, arguments=b'{"n":3}').approved_by(cast.bob)
    assert api.executable() == [first.uid, third.uid]
    assert api.executable(limit=1) == [first.uid]
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)
    assert api.executable() == []


def test_nothing_is_claimed_past_its_time_to_execute(cast):
    walk = a_ticket(cast).approved_by(cast.bob)
    with later(301):
        assert api.executable() == []
        assert api.claim(uid=walk.uid, worker="w1") is None


def test_nothing_is_claimed_that_nobody_waits_for(cast):
    holder = api.start_holder()
    held = a_ticket(cast, waiting=api.Waiting.HELD, holder_id=holder).approved_by(cast.bob)
    assert api.executable() == [held.uid]
    api.detach(uid=held.uid, holder_id=holder)
    assert api.executable() == []
    assert api.claim(uid=held.uid, worker="w1") is None


def test_nothing_is_claimed_whose_holder_is_dead(cast):
    holder = api.start_holder()
    held = a_ticket(cast, waiting=api.Waiting.HELD, holder_id=holder).approved_by(cast.bob)
    api.stop_holder(holder)
    assert api.executable() == []
    assert api.claim(uid=held.uid, worker="w1") is None


def test_nothing_is_claimed_while_the_kill_switch_is_on(cast):
    walk = a_ticket(cast).approved_by(cast.bob)
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)
    assert api.claim(uid=walk.uid, worker="w1") is None


def test_a_ticket_judged_under_an_older_policy_is_judged_again_and_goes_on(cast):
    walk = a_ticket(cast).approved_by(cast.bob)
    a_policy(quorum=2)
    claim = api.claim(uid=walk.uid, worker="w1")
    assert claim is not None
    assert walk.ticket.gate_epoch == api.gate().epoch


def test_a_ticket_that_todays_policy_denies_is_cancelled_instead_of_claimed(
    cast, django_capture_on_commit_callbacks
):
    walk = a_ticket(cast).approved_by(cast.bob)
    deny_everything()
    with django_capture_on_commit_callbacks(execute=True):
        assert api.claim(uid=walk.uid, worker="w1") is None
    assert walk.view.cancel_reason is api.CancelReason.POLICY_DENIES
    assert rings.rung_ended == [walk.uid]


def test_a_ticket_that_todays_policy_denies_is_cancelled_instead_of_sent(cast):
    walk = a_ticket(cast).claimed()
    deny_everything()
    with pytest.raises(api.PolicyDenied):
        send(walk.claim)
    assert walk.view.cancel_reason is api.CancelReason.POLICY_DENIES


def test_what_was_read_under_an_older_epoch_is_read_again_before_sending(cast):
    walk = a_ticket(cast).claimed()
    epoch = api.gate().epoch
    a_policy(quorum=2)
    with pytest.raises(api.AuthorityChanged):
        send(walk.claim, epoch=epoch)
    assert walk.ticket.state == api.State.CLAIMED
    send(walk.claim)
    assert walk.ticket.state == api.State.SENT


def test_nothing_is_sent_while_the_kill_switch_is_on(cast):
    walk = a_ticket(cast).claimed()
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)
    with pytest.raises(api.KillSwitchOn):
        send(walk.claim)
    assert walk.ticket.state == api.State.CLAIMED


@pytest.mark.parametrize("what", ["tool_digest", "upstream_digest"])
def test_a_tool_or_upstream_that_changed_is_not_called(
    cast, what, django_capture_on_commit_callbacks
):
    walk = a_ticket(cast).claimed()
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(api.DigestMismatch):
        send(walk.claim, **{what: b"x" * 32})
    assert walk.view.cancel_reason is api.CancelReason.DRIFT
    assert rings.rung_ended == [walk.uid]


def test_an_approval_that_was_revoked_is_not_sent(cast):
    walk = a_ticket(cast).claimed()
    decisions.revoke_approval(uid=walk.uid, user=cast.carol)
    with pytest.raises(api.FenceLost):
        send(walk.claim)


def test_a_worker_whose_lease_ran_out_does_not_send(cast):
    walk = a_ticket(cast).claimed()
    with later(31), pytest.raises(api.LeaseLost):
        send(walk.claim)
    assert walk.ticket.state == api.State.CLAIMED


def test_a_call_past_its_time_to_execute_is_not_sent(cast):
    walk = a_ticket(cast).claimed()
    with later(20):
        assert api.renew(walk.claim)
    a_policy(execution_seconds=1)
    other = a_ticket(cast, arguments=b'{"n":2}').claimed()
    with later(2), pytest.raises(api.ApprovalNotLive):
        send(other.claim)


def test_a_worker_whose_ticket_went_to_another_one_does_not_send(cast):
    walk = a_ticket(cast).claimed("w1")
    old = walk.claim
    with later(31):
        assert api.sweep().approved == (walk.uid,)
        new = api.claim(uid=walk.uid, worker="w2")
        assert new.fence > old.fence
        with pytest.raises(api.FenceLost):
            send(old)
        assert api.renew(old) is False
        send(new)
    assert walk.ticket.attempts == 1


def test_a_call_is_sent_once(cast):
    walk = a_ticket(cast).sent()
    with pytest.raises(api.FenceLost):
        send(walk.claim)
    assert walk.ticket.attempts == 1


def test_a_lease_that_is_renewed_lives_on(cast):
    walk = a_ticket(cast).claimed()
    with later(20):
        assert api.renew(walk.claim) is True
    with later(40):
        send(walk.claim)
    assert walk.ticket.state == api.State.SENT


def test_arguments_that_were_purged_or_changed_are_not_executed(cast):
    walk = a_ticket(cast).approved_by(cast.bob)
    purge(walk.ticket.arguments_id, actor="system:test")
    assert api.claim(uid=walk.uid, worker="w1") is None
    assert walk.view.state is api.State.FAILED
    assert "purged" in walk.view.reason


def test_a_row_that_says_something_else_than_was_approved_is_not_executed(cast, monkeypatch):
    walk = a_ticket(cast).approved_by(cast.bob)
    monkeypatch.setattr(execution, "unseal", lambda payload: b'{"path":"/etc"}')
    assert api.claim(uid=walk.uid, worker="w1") is None
    assert walk.view.state is api.State.FAILED
    assert Ticket.objects.get(uid=walk.uid).sent_at is None


def test_an_abort_is_wanted_when_asked_for_or_when_everything_is_stopped(cast):
    walk = a_ticket(cast).sent()
    assert api.abort_wanted(walk.uid) is False
    api.withdraw(uid=walk.uid, agent_id=cast.robo)
    assert api.abort_wanted(walk.uid) is True
    other = a_ticket(cast, arguments=b"{}").sent()
    assert api.abort_wanted(other.uid) is False
    Gate.objects.filter(pk=1).update(killed=True, epoch=9)
    assert api.abort_wanted(other.uid) is True
    assert Payload.objects.exists()
