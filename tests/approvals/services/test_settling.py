"""How an execution ends, and what becomes of an answer that comes too late."""

import pytest
from uuid6 import uuid7

from approvals import api
from approvals.audit.sealing import purge, unseal
from approvals.models import AuditEvent, Payload
from tests.support.builders import ANSWER, a_ticket
from tests.support.clock import later

pytestmark = pytest.mark.both_engines


def actions(walk):
    events = AuditEvent.objects.filter(subject=f"ticket:{walk.uid}").order_by("seq")
    return list(events.values_list("action", flat=True))


def test_a_result_is_what_the_agent_gets(cast):
    walk = a_ticket(cast).succeeded()
    assert (walk.view.state, walk.view.result) == (api.State.SUCCEEDED, ANSWER)
    assert walk.view.is_over


def test_an_error_of_the_upstream_is_what_the_agent_gets(cast):
    walk = a_ticket(cast).failed(b'{"error":{"code":-32000,"message":"full"}}')
    assert walk.view.state is api.State.FAILED
    assert walk.view.result == b'{"error":{"code":-32000,"message":"full"}}'


def test_no_proof_of_an_outcome_is_an_unknown_outcome(cast):
    walk = a_ticket(cast).unknown(api.UnknownReason.EOF)
    assert walk.view.state is api.State.OUTCOME_UNKNOWN
    assert walk.view.unknown_reason is api.UnknownReason.EOF


def test_what_failed_before_sending_certainly_did_not_run(cast):
    walk = a_ticket(cast).claimed()
    api.fail_unsent(walk.claim, "no connection")
    assert (walk.view.state, walk.view.reason) == (api.State.FAILED, "no connection")
    assert walk.view.result is None
    assert walk.ticket.sent_at is None


def test_what_provably_never_left_failed_too(cast):
    walk = a_ticket(cast).sent()
    api.fail_unsent(walk.claim, "refused before the first byte")
    assert (walk.view.state, walk.view.reason) == (
        api.State.FAILED,
        "refused before the first byte",
    )


@pytest.mark.parametrize("settle", [api.settle_succeeded, api.settle_failed])
def test_an_answer_after_the_end_is_evidence_and_changes_nothing(cast, settle):
    walk = a_ticket(cast).sent()
    api.settle_unknown(walk.claim, api.UnknownReason.TIMEOUT)
    with pytest.raises(api.StaleState):
        settle(walk.claim, b'{"late":true}')
    assert walk.view.state is api.State.OUTCOME_UNKNOWN
    assert walk.view.result is None
    assert walk.ticket.annotated_at is None
    assert actions(walk)[-1] == "late_answer"
    assert unseal(Payload.objects.get(kind="late_answer")) == b'{"late":true}'


def test_an_answer_by_somebody_who_lost_the_fence_does_not_settle(cast):
    walk = a_ticket(cast, max_attempts=2).sent()
    old = walk.claim
    with later(31):
        assert api.sweep().approved == (walk.uid,)
        walk.claim = None
        walk.claimed("w2").sent()
        with pytest.raises(api.StaleState):
            api.settle_succeeded(old, ANSWER)
        assert walk.view.state is api.State.SENT
        with pytest.raises(api.StaleState):
            api.settle_unknown(old, api.UnknownReason.EOF)
        with pytest.raises(api.StaleState):
            api.fail_unsent(old, "no")
        api.settle_succeeded(walk.claim, ANSWER)
    assert walk.view.state is api.State.SUCCEEDED


def test_a_late_answer_is_only_kept_of_a_ticket_that_is_over(cast):
    walk = a_ticket(cast).sent()
    api.late_answer(uid=walk.uid, evidence=b"x")
    assert "late_answer" not in actions(walk)
    api.settle_unknown(walk.claim, api.UnknownReason.EOF)
    api.late_answer(uid=walk.uid, evidence=b"x")
    assert actions(walk)[-1] == "late_answer"
    api.late_answer(uid=uuid7(), evidence=b"x")


def test_winding_up_happens_once_and_only_without_execution(cast):
    rejected = a_ticket(cast).rejected_by(cast.bob)
    assert api.wind_up(rejected.uid) is True
    assert api.wind_up(rejected.uid) is False
    done = a_ticket(cast, arguments=b"{}").succeeded()
    assert api.wind_up(done.uid) is False
    refused = a_ticket(cast, arguments=b'{"n":1}').failed()
    assert api.wind_up(refused.uid) is False
    unsent = a_ticket(cast, arguments=b'{"n":2}').claimed()
    api.fail_unsent(unsent.claim, "no connection")
    assert api.wind_up(unsent.uid) is True
    assert api.wind_up(uuid7()) is False


def test_a_result_that_was_purged_is_told_no_more(cast):
    walk = a_ticket(cast).succeeded()
    assert walk.view.result is not None
    purge(walk.ticket.result_id, actor="system:test")
    assert walk.view.result is None
