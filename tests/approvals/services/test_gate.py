"""The kill switch and the epoch."""

import pytest

from approvals import api
from approvals.models import AuditEvent, Gate
from approvals.services import gate as gate_service
from approvals.services import lifecycle
from tests.support import rings
from tests.support.builders import a_call, a_ticket, judged

pytestmark = pytest.mark.both_engines


def test_a_kill_stops_what_is_open_and_aborts_what_is_under_way(
    cast, django_capture_on_commit_callbacks
):
    pending = a_ticket(cast, arguments=b'{"n":1}').pending()
    approved = a_ticket(cast, arguments=b'{"n":2}').approved_by(cast.bob)
    claimed = a_ticket(cast, arguments=b'{"n":3}').claimed()
    sent = a_ticket(cast, arguments=b'{"n":4}').sent()
    with django_capture_on_commit_callbacks(execute=True):
        view = api.kill(user=cast.dora)
    assert (view.killed, view.by) == (True, "dora")
    assert view.since is not None
    for walk in (pending, approved, claimed):
        assert walk.view.cancel_reason is api.CancelReason.KILL_SWITCH
        assert walk.uid in rings.rung_ended
    assert sent.view.abort_requested
    assert sent.view.state is api.State.SENT


def test_a_kill_moves_the_epoch_and_stands_in_the_record(cast):
    before = api.gate().epoch
    view = api.kill(user=cast.dora)
    assert view.epoch == before + 1
    event = AuditEvent.objects.filter(subject="gate").latest("seq")
    assert (event.action, event.actor) == ("killed", f"person:{cast.dora.person_id}")


def test_killing_twice_is_killing_once(cast):
    first = api.kill(user=cast.dora)
    assert api.kill(user=cast.dora).epoch == first.epoch


def test_a_second_kill_finishes_what_the_first_could_not(cast):
    walk = a_ticket(cast).pending()
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)
    api.kill(user=cast.dora)
    assert walk.view.cancel_reason is api.CancelReason.KILL_SWITCH


def test_reviving_revives_no_ticket(cast):
    walk = a_ticket(cast).approved_by(cast.bob)
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)  # nothing was cancelled yet
    view = api.unkill(user=cast.dora)
    assert view.killed is False
    assert walk.view.cancel_reason is api.CancelReason.KILL_SWITCH
    assert api.executable() == []


def test_what_is_left_when_the_gate_is_locked_is_cancelled_before_it_opens(cast, monkeypatch):
    walk = a_ticket(cast).pending()
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)
    real = gate_service.cancel_all

    def only_under_the_lock(*, joins=False, **given):
        return real(joins=True, **given) if joins else 0

    monkeypatch.setattr(gate_service, "cancel_all", only_under_the_lock)
    api.unkill(user=cast.dora)
    assert walk.view.cancel_reason is api.CancelReason.KILL_SWITCH


def test_a_judgement_from_before_the_kill_is_worth_nothing_after_it(cast):
    call = a_call(cast)
    stale = judged(call)
    api.kill(user=cast.dora)
    api.unkill(user=cast.dora)
    with pytest.raises(api.AuthorityChanged):
        api.submit(call=call, judgement=stale)


def test_reviving_what_is_alive_changes_nothing(cast):
    walk = a_ticket(cast).pending()
    before = api.gate().epoch
    assert api.unkill(user=cast.dora).epoch == before
    assert walk.view.state is api.State.PENDING


@pytest.mark.parametrize("act", [api.kill, api.unkill])
@pytest.mark.parametrize("who", ["alice", "bob", "charlie"])
def test_only_admins_touch_the_kill_switch(cast, act, who):
    with pytest.raises(api.NotEligible):
        act(user=getattr(cast, who))
    assert api.gate().killed is False


def test_an_admin_whose_account_is_off_touches_nothing(cast):
    cast.dora.is_active = False
    with pytest.raises(api.NotEligible):
        api.kill(user=cast.dora)


def test_many_tickets_are_stopped_in_batches(cast, monkeypatch):
    monkeypatch.setattr(lifecycle, "BATCH", 2)
    walks = [a_ticket(cast, arguments=b'{"n":%d}' % n).pending() for n in range(5)]
    api.kill(user=cast.dora)
    assert {walk.view.state for walk in walks} == {api.State.CANCELLED}


def test_many_calls_under_way_are_aborted_in_batches(cast, monkeypatch):
    monkeypatch.setattr(lifecycle, "BATCH", 1)
    walks = [a_ticket(cast, arguments=b'{"n":%d}' % n).sent() for n in range(3)]
    api.kill(user=cast.dora)
    assert all(walk.view.abort_requested for walk in walks)


def test_an_act_of_authority_moves_the_epoch_and_says_why(cast):
    before = api.gate().epoch
    epoch = api.bump_epoch(
        subject="upstream:files", actor="person:x", action="changed", detail={"to": "ab" * 32}
    )
    assert epoch == before + 1 == api.gate().epoch
    event = AuditEvent.objects.get(subject="upstream:files")
    assert event.detail == {"to": "ab" * 32, "epoch": epoch}


def test_an_act_without_authority_leaves_the_epoch_alone(cast):
    before = api.gate().epoch
    api.audit(subject="agent:x", actor="person:x", action="renamed")
    assert api.gate().epoch == before
    assert AuditEvent.objects.filter(subject="agent:x").count() == 1


def test_the_gate_can_be_held_still(cast):
    assert api.gate_for_share() == api.gate()
