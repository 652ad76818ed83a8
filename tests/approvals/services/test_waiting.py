"""Who waits: attaching again, handing over, withdrawing, being told the state."""

from datetime import timedelta

import pytest
from uuid6 import uuid7

from approvals import api
from approvals.models import database_now
from tests.support import rings
from tests.support.builders import a_ticket
from tests.support.clock import later

pytestmark = pytest.mark.both_engines


def held(cast, **changes):
    holder = api.start_holder()
    walk = a_ticket(cast, waiting=api.Waiting.HELD, holder_id=holder, **changes)
    return holder, walk.pending()


def test_a_broken_off_request_is_noted_once(cast):
    holder, walk = held(cast)
    api.detach(uid=walk.uid, holder_id=holder)
    version = walk.view.version
    api.detach(uid=walk.uid, holder_id=holder)
    assert walk.view.version == version
    assert walk.view.detached


def test_only_who_holds_a_request_can_lose_it(cast):
    holder, walk = held(cast)
    api.detach(uid=walk.uid, holder_id=api.start_holder())
    assert walk.view.detached is False
    api.detach(uid=uuid7(), holder_id=holder)


def test_a_request_lost_after_the_end_changes_nothing(cast):
    holder, walk = held(cast)
    walk.rejected_by(cast.bob)
    api.detach(uid=walk.uid, holder_id=holder)
    assert walk.view.detached is False


def test_a_ticket_is_handed_over_by_who_holds_it(cast):
    holder, walk = held(cast)
    with pytest.raises(api.StaleState):
        api.hand_over(uid=walk.uid, holder_id=api.start_holder())
    view = api.hand_over(uid=walk.uid, holder_id=holder)
    assert view.waiting is api.Waiting.HANDED_OVER
    assert walk.ticket.waits_until is not None
    assert walk.ticket.holder_id is None


def test_handing_over_what_is_over_shows_how_it_ended(cast):
    holder, walk = held(cast)
    walk.rejected_by(cast.bob)
    assert api.hand_over(uid=walk.uid, holder_id=holder).state is api.State.REJECTED


def test_coming_back_makes_a_handed_over_ticket_held_again(cast):
    holder, walk = held(cast)
    api.hand_over(uid=walk.uid, holder_id=holder)
    other = api.start_holder()
    view = api.attach(uid=walk.uid, agent_id=cast.robo, waiting=api.Waiting.HELD, holder_id=other)
    assert view.waiting is api.Waiting.HELD
    assert walk.ticket.waits_until is None


def test_a_task_outlives_whoever_waits_beside_it(cast):
    walk = a_ticket(cast, waiting=api.Waiting.TASK).pending()
    version, holder = walk.view.version, api.start_holder()
    view = api.attach(uid=walk.uid, agent_id=cast.robo, waiting=api.Waiting.HELD, holder_id=holder)
    assert view.waiting is api.Waiting.TASK
    assert api.hand_over(uid=walk.uid).waiting is api.Waiting.TASK
    api.detach(uid=walk.uid, holder_id=holder)
    api.withdraw(uid=walk.uid, agent_id=cast.robo, holder_id=holder)
    assert (walk.view.version, walk.view.state) == (version, api.State.PENDING)
    assert walk.view.detached is False


def test_a_handover_may_be_as_short_as_its_caller_says(cast):
    holder, walk = held(cast)
    api.hand_over(uid=walk.uid, holder_id=holder, seconds=60)
    waits = walk.ticket.waits_until - database_now()
    assert timedelta(seconds=50) < waits <= timedelta(seconds=60)


def test_a_call_is_not_taken_back_while_it_stands_for_more_requests(cast):
    walk = a_ticket(cast, waiting=api.Waiting.TASK).pending()
    a_ticket(cast, waiting=api.Waiting.TASK).pending()
    kept = api.withdraw(uid=walk.uid, agent_id=cast.robo, requests=1)
    assert kept.state is api.State.PENDING
    assert api.withdraw(uid=walk.uid, agent_id=cast.robo, requests=2).state is api.State.CANCELLED


def test_coming_back_after_the_end_shows_how_it_ended(cast):
    walk = a_ticket(cast).succeeded()
    version = walk.view.version
    view = api.attach(uid=walk.uid, agent_id=cast.robo, waiting=api.Waiting.TASK)
    assert (view.state, view.version) == (api.State.SUCCEEDED, version)


def test_another_agents_ticket_does_not_exist(cast):
    walk = a_ticket(cast).pending()
    stranger = uuid7()
    for act in (
        lambda: api.attach(uid=walk.uid, agent_id=stranger, waiting=api.Waiting.TASK),
        lambda: api.withdraw(uid=walk.uid, agent_id=stranger),
        lambda: api.view(uid=walk.uid, agent_id=stranger),
        lambda: api.hand_over(uid=uuid7()),
    ):
        with pytest.raises(api.NotVisible):
            act()
    assert walk.view.state is api.State.PENDING


@pytest.mark.parametrize("step", ["pending", "approved_by", "claimed"])
def test_a_call_withdrawn_before_sending_is_cancelled(
    cast, step, django_capture_on_commit_callbacks
):
    walk = a_ticket(cast).pending()
    if step != "pending":
        walk.approved_by(cast.bob)
    if step == "claimed":
        walk.claimed()
    with django_capture_on_commit_callbacks(execute=True):
        view = api.withdraw(uid=walk.uid, agent_id=cast.robo)
    assert view.cancel_reason is api.CancelReason.WITHDRAWN
    assert rings.rung_ended == [walk.uid]


@pytest.mark.parametrize("step", ["pending", "approved", "claimed"])
def test_a_call_whose_agent_may_return_gets_the_grace_period_before_sending(cast, step):
    holder, walk = held(cast)
    if step != "pending":
        walk.approved_by(cast.bob)
    if step == "claimed":
        walk.claimed()
    leave = {"uid": walk.uid, "agent_id": cast.robo, "may_return": True}
    elsewhere = api.start_holder()
    assert not api.withdraw(**leave, holder_id=elsewhere).detached
    view = api.withdraw(**leave, holder_id=holder)
    assert (view.state.value, view.detached) == (step, True)
    assert api.withdraw(**leave, holder_id=holder).version == view.version


def test_a_call_whose_agent_may_return_is_asked_to_abort_after_sending(cast):
    holder, walk = held(cast)
    walk.approved_by(cast.bob).claimed().sent()
    view = api.withdraw(uid=walk.uid, agent_id=cast.robo, holder_id=holder, may_return=True)
    assert (view.state, view.abort_requested) == (api.State.SENT, True)


def test_a_call_withdrawn_after_sending_is_asked_to_abort(cast):
    walk = a_ticket(cast).sent()
    view = api.withdraw(uid=walk.uid, agent_id=cast.robo)
    assert (view.state, view.abort_requested) == (api.State.SENT, True)
    assert api.withdraw(uid=walk.uid, agent_id=cast.robo).version == view.version


def test_withdrawing_what_is_over_changes_nothing(cast):
    walk = a_ticket(cast).succeeded()
    assert api.withdraw(uid=walk.uid, agent_id=cast.robo).state is api.State.SUCCEEDED


def test_states_are_read_many_at_once(cast, django_assert_num_queries):
    first = a_ticket(cast, arguments=b'{"n":1}').pending()
    second = a_ticket(cast, arguments=b'{"n":2}').rejected_by(cast.bob)
    with django_assert_num_queries(1):
        found = api.states([first.uid, second.uid, uuid7()])
    assert found == {
        first.uid: (api.State.PENDING, 1),
        second.uid: (api.State.REJECTED, second.view.version),
    }
    assert api.states([]) == {}


def test_more_states_than_one_query_takes_are_read_in_several(cast, django_assert_num_queries):
    walk = a_ticket(cast).pending()
    with django_assert_num_queries(3):
        assert set(api.states([*[uuid7() for _ in range(1000)], walk.uid])) == {walk.uid}


def test_a_holder_that_stopped_cannot_go_on(cast):
    holder = api.start_holder()
    assert api.renew_holder(holder) is True
    api.stop_holder(holder)
    assert api.renew_holder(holder) is False
    assert api.renew_holder(uuid7()) is False
    api.revive_holder(holder)
    assert api.renew_holder(holder) is True


def test_a_view_is_the_same_whoever_looks_and_when(cast):
    walk = a_ticket(cast).succeeded()
    now = walk.view
    with later(5000):
        assert walk.view == now


def test_looking_at_a_ticket_takes_a_constant_number_of_queries(
    cast, django_assert_max_num_queries
):
    walk = a_ticket(cast).succeeded()
    with django_assert_max_num_queries(4):
        api.view(uid=walk.uid, agent_id=cast.robo)
