"""Sweeps and mass cancellations: what becomes of tickets by themselves."""

import pytest

from approvals import api, transitions
from approvals.domain.errors import StaleState
from approvals.models import AuditEvent, Gate, Ticket
from approvals.services import lifecycle
from tests.support import rings
from tests.support.builders import a_policy, a_ticket
from tests.support.clock import later

pytestmark = pytest.mark.both_engines


def held(cast, **changes):
    holder = api.start_holder()
    return holder, a_ticket(cast, waiting=api.Waiting.HELD, holder_id=holder, **changes)


def test_an_idle_sweep_does_nothing(cast):
    a_ticket(cast).pending()
    assert api.sweep() == api.Swept()


def test_an_undecided_ticket_expires_at_its_deadline(cast):
    walk = a_ticket(cast).pending()
    with later(3590):
        assert api.sweep() == api.Swept()
    with later(3601):
        assert api.sweep() == api.Swept(ended=(walk.uid,))
    assert walk.view.state is api.State.EXPIRED


@pytest.mark.parametrize("step", ["approved_by", "claimed"])
def test_an_approved_ticket_expires_when_its_time_to_execute_is_over(cast, step):
    walk = a_ticket(cast).approved_by(cast.bob)
    if step == "claimed":
        walk.claimed()
    with later(301):
        assert walk.uid in api.sweep().ended
    assert walk.view.state is api.State.EXPIRED


def test_a_dead_worker_that_sent_nothing_gives_its_ticket_back(cast):
    walk = a_ticket(cast).claimed()
    fence = walk.ticket.fence
    with later(31):
        assert api.sweep() == api.Swept(approved=(walk.uid,))
    assert walk.view.state is api.State.APPROVED
    assert walk.ticket.fence > fence


def test_a_dead_worker_that_had_sent_leaves_an_unknown_outcome(cast):
    walk = a_ticket(cast).sent()
    with later(31):
        assert api.sweep() == api.Swept()
    assert walk.view.state is api.State.OUTCOME_UNKNOWN
    assert walk.view.unknown_reason is api.UnknownReason.LEASE_LOST


def test_only_what_an_admin_called_idempotent_is_sent_again_and_only_so_often(cast):
    walk = a_ticket(cast, max_attempts=2).sent()
    with later(31):
        assert api.sweep().approved == (walk.uid,)
        walk.claim = None
        walk.claimed("w2").sent()
        assert walk.ticket.attempts == 2
    with later(62):
        assert api.sweep().approved == ()
    assert walk.view.state is api.State.OUTCOME_UNKNOWN


def test_what_was_sent_once_is_told_as_sent_whatever_becomes_of_it(cast):
    walk = a_ticket(cast, max_attempts=2).approved_by(cast.bob)
    assert not walk.view.was_sent
    walk.sent()
    with later(31):
        api.sweep()
    assert walk.view.state is api.State.APPROVED
    assert walk.view.was_sent
    api.withdraw(uid=walk.uid, agent_id=cast.robo)
    assert walk.view.state is api.State.CANCELLED
    assert walk.view.was_sent


def test_a_mark_that_was_taken_back_reaches_a_call_already_sent(cast):
    walk = a_ticket(cast, max_attempts=2).sent()
    rings.attempts[walk.call.tool_name] = 1
    with later(31):
        assert api.sweep().approved == ()
    assert walk.view.state is api.State.OUTCOME_UNKNOWN


def test_a_mark_that_is_taken_back_before_the_second_send_stops_it(cast):
    walk = a_ticket(cast, max_attempts=2).sent()
    with later(31):
        assert api.sweep().approved == (walk.uid,)
        walk.claim = None
        walk.claimed("w2")
        rings.attempts[walk.call.tool_name] = 1
        with pytest.raises(api.AttemptsExhausted):
            walk.sent()
    assert (walk.view.state, walk.ticket.attempts) == (api.State.CANCELLED, 1)


def test_a_mark_given_after_the_submission_does_not_reach_back(cast):
    walk = a_ticket(cast, max_attempts=1).sent()
    rings.attempts[walk.call.tool_name] = 5
    with later(31):
        assert api.sweep().approved == ()
    assert walk.view.state is api.State.OUTCOME_UNKNOWN


def test_an_idempotent_call_is_not_sent_again_while_everything_is_stopped(cast):
    walk = a_ticket(cast, max_attempts=2).sent()
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)
    with later(31):
        assert api.sweep().approved == ()
    assert walk.view.state is api.State.OUTCOME_UNKNOWN


def test_an_executor_that_does_not_abort_is_not_waited_for(cast):
    walk = a_ticket(cast).sent()
    api.withdraw(uid=walk.uid, agent_id=cast.robo)
    api.sweep()
    assert walk.view.state is api.State.SENT
    with later(4):
        api.sweep()
    assert walk.view.unknown_reason is api.UnknownReason.ABORTED


def test_a_broken_off_call_is_cancelled_after_its_grace_period(cast):
    holder, walk = held(cast, grace_seconds=30)
    walk.pending()
    api.detach(uid=walk.uid, holder_id=holder)
    with later(29):
        assert api.sweep() == api.Swept()
    with later(31):
        assert api.sweep().ended == (walk.uid,)
    assert walk.view.cancel_reason is api.CancelReason.AGENT_GONE


def test_whoever_comes_back_in_time_is_not_gone(cast):
    holder, walk = held(cast)
    walk.pending()
    api.detach(uid=walk.uid, holder_id=holder)
    assert walk.view.detached is True
    api.attach(uid=walk.uid, agent_id=cast.robo, waiting=api.Waiting.TASK)
    with later(60):
        assert api.sweep() == api.Swept()
    assert walk.view.state is api.State.PENDING


def test_somebody_who_comes_back_while_the_sweeper_looks_is_not_gone(cast, monkeypatch):
    holder, walk = held(cast)
    walk.pending()
    api.detach(uid=walk.uid, holder_id=holder)
    stale = Ticket.objects.get(uid=walk.uid)
    with later(31):
        api.attach(uid=walk.uid, agent_id=cast.robo, waiting=api.Waiting.TASK)
        assert lifecycle._each([stale], lifecycle._give_up) == []
    assert walk.view.state is api.State.PENDING


def test_a_dead_web_process_leaves_its_tickets_and_they_are_given_up(cast):
    _, walk = held(cast)
    walk.pending()
    with later(11):
        api.sweep()
        assert walk.ticket.detached_at is not None
        assert walk.view.state is api.State.PENDING
    with later(50):
        assert api.sweep().ended == (walk.uid,)
    assert walk.view.cancel_reason is api.CancelReason.AGENT_GONE


def test_a_web_process_that_renews_its_lease_keeps_its_tickets(cast):
    holder, walk = held(cast)
    walk.pending()
    with later(8):
        assert api.renew_holder(holder) is True
    with later(16):
        assert api.sweep() == api.Swept()
        assert walk.ticket.detached_at is None
    with later(30):
        assert api.renew_holder(holder) is False


def test_a_handover_lapses_when_nobody_comes_back(cast):
    holder, walk = held(cast)
    walk.pending()
    api.hand_over(uid=walk.uid, holder_id=holder)
    with later(590):
        assert api.sweep() == api.Swept()
    with later(601):
        assert api.sweep().ended == (walk.uid,)
    assert walk.view.cancel_reason is api.CancelReason.AGENT_GONE


def test_a_handed_over_ticket_past_its_deadline_is_expired_not_gone(cast):
    a_policy(approval_seconds=60)
    holder, walk = held(cast)
    walk.pending()
    api.hand_over(uid=walk.uid, holder_id=holder)
    with later(61):
        api.sweep()
    assert walk.view.state is api.State.EXPIRED


def test_a_task_survives_everybody_who_asked_for_it(cast):
    walk = a_ticket(cast, waiting=api.Waiting.TASK).pending()
    with later(3000):
        assert api.sweep() == api.Swept()
    assert walk.view.state is api.State.PENDING


def test_a_sent_call_is_not_cancelled_because_its_agent_is_gone(cast):
    holder, walk = held(cast)
    walk.approved_by(cast.bob).sent()
    api.detach(uid=walk.uid, holder_id=holder)
    with later(29):
        api.renew(walk.claim)
    with later(45):
        api.sweep()
    assert walk.view.state is api.State.SENT


def test_a_lost_hint_is_found_until_the_ticket_is_wound_up(cast):
    walk = a_ticket(cast).rejected_by(cast.bob)
    assert api.sweep().ended == (walk.uid,)
    assert api.sweep().ended == (walk.uid,)
    api.wind_up(walk.uid)
    assert api.sweep().ended == ()


def test_a_sweep_is_bounded(cast):
    for number in range(3):
        a_ticket(cast, arguments=b'{"n":%d}' % number).pending()
    with later(3601):
        assert len(api.sweep(limit=2).ended) == 2
        assert len(api.sweep(limit=3).ended) == 3


def test_the_sweeper_ends_what_a_kill_left_behind(cast):
    walk = a_ticket(cast).pending()
    sent = a_ticket(cast, arguments=b"{}").sent()
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)  # whoever killed died just then
    api.sweep()
    assert walk.view.cancel_reason is api.CancelReason.KILL_SWITCH
    assert sent.view.abort_requested


def test_a_sweeper_that_comes_second_changes_nothing(cast, monkeypatch):
    walk = a_ticket(cast).pending()

    def beaten(**kwargs):
        raise StaleState

    monkeypatch.setattr(transitions, "expire", beaten)
    with later(3601):
        assert api.sweep() == api.Swept()
    assert walk.ticket.state == api.State.PENDING


def test_cancelling_takes_what_is_in_scope_and_was_not_sent(
    cast, django_capture_on_commit_callbacks
):
    pending = a_ticket(cast, arguments=b'{"n":1}').pending()
    approved = a_ticket(cast, arguments=b'{"n":2}').approved_by(cast.bob)
    claimed = a_ticket(cast, arguments=b'{"n":3}').claimed()
    sent = a_ticket(cast, arguments=b'{"n":4}').sent()
    other = a_ticket(cast, arguments=b'{"n":5}', tool_name="read_file").pending()
    with django_capture_on_commit_callbacks(execute=True):
        moved = api.cancel_tickets(
            reason=api.CancelReason.DRIFT,
            actor="system:catalog",
            upstream_id=cast.files,
            tool_name="delete_file",
        )
    assert moved == 3
    for walk in (pending, approved, claimed):
        assert walk.view.cancel_reason is api.CancelReason.DRIFT
    assert sent.view.state is api.State.SENT
    assert sent.view.abort_requested is False
    assert other.view.state is api.State.PENDING
    assert sorted(rings.rung_ended) == sorted([pending.uid, approved.uid, claimed.uid])


def test_a_revoked_token_also_asks_what_was_sent_to_abort(cast):
    token = cast.team_id  # any identifier
    sent = a_ticket(cast, token_id=token).sent()
    api.cancel_tickets(reason=api.CancelReason.TOKEN_REVOKED, actor="person:x", token_id=token)
    assert sent.view.abort_requested


def test_cancelling_needs_a_scope(cast):
    a_ticket(cast).pending()
    with pytest.raises(ValueError, match="which tickets"):
        api.cancel_tickets(reason=api.CancelReason.OPERATOR, actor="person:x")
    assert Ticket.objects.get().state == api.State.PENDING


def test_every_change_of_a_sweep_is_in_the_record(cast):
    walk = a_ticket(cast).pending()
    with later(3601):
        api.sweep()
    last = AuditEvent.objects.filter(subject=f"ticket:{walk.uid}").latest("seq")
    assert (last.action, last.actor) == ("expired_undecided", "system:sweeper")
