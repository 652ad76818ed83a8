"""Repeats: a call that was made before finds its ticket, its outcome, or asks again openly."""

import pytest
from uuid6 import uuid7

from approvals import api
from approvals.models import Ticket
from approvals.services.repeats import keys_of
from tests.support.builders import a_call, a_ticket
from tests.support.clock import later

pytestmark = pytest.mark.both_engines


def test_a_repeat_attaches_to_the_open_ticket_and_is_counted(cast):
    first = a_ticket(cast).pending()
    second = a_ticket(cast).pending()
    assert (second.submitted.kind, second.uid) == ("attached", first.uid)
    assert second.view.requests == 2
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize("step", ["approved_by", "claimed", "sent"])
def test_a_repeat_attaches_until_the_ticket_is_over(cast, step):
    first = a_ticket(cast).pending()
    first.approved_by(cast.bob) if step == "approved_by" else getattr(
        first.approved_by(cast.bob), step
    )()
    second = a_ticket(cast).pending()
    assert (second.submitted.kind, second.uid) == ("attached", first.uid)


@pytest.mark.parametrize(
    "difference",
    [
        {"arguments": b'{"path":"/tmp/other.txt"}'},
        {"tool_name": "read_file"},
        {"agent_id": uuid7()},
        {"upstream_id": uuid7()},
        {"idempotency_key": "k"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_call_is_no_repeat(cast, difference):
    first = a_ticket(cast).pending()
    second = a_ticket(cast, **difference).pending()
    assert second.submitted.kind == "opened"
    assert second.uid != first.uid
    assert second.ticket.possible_repeat_of is None


def test_another_owner_makes_another_call(cast):
    first = a_ticket(cast).pending()
    second = a_ticket(cast, person_id=cast.charlie.person_id).pending()
    assert second.uid != first.uid


def test_an_outcome_that_nobody_got_goes_to_the_first_repeat(cast):
    first = a_ticket(cast).succeeded()
    second = a_ticket(cast).pending()
    assert (second.submitted.kind, second.uid) == ("delivered", first.uid)
    assert second.submitted.ticket.result == first.view.result
    third = a_ticket(cast).pending()
    assert third.submitted.kind == "opened"
    assert third.ticket.possible_repeat_of_id == first.ticket.pk


def test_a_rejection_that_nobody_got_is_told_before_anybody_is_asked_again(cast):
    first = a_ticket(cast).rejected_by(cast.bob, "no")
    second = a_ticket(cast).pending()
    assert (second.submitted.kind, second.submitted.ticket.reason) == ("delivered", "no")
    assert second.uid == first.uid


def test_an_outcome_that_was_delivered_is_not_delivered_again(cast):
    first = a_ticket(cast).succeeded()
    assert api.mark_delivered(first.uid) is True
    assert api.mark_delivered(first.uid) is False
    assert a_ticket(cast).pending().submitted.kind == "opened"


def test_after_ten_minutes_a_repeat_asks_again(cast):
    first = a_ticket(cast).succeeded()
    with later(601):
        second = a_ticket(cast).pending()
    assert second.submitted.kind == "opened"
    assert second.ticket.possible_repeat_of_id == first.ticket.pk


def test_a_call_that_was_given_up_is_simply_asked_again(cast):
    first = a_ticket(cast).pending()
    api.withdraw(uid=first.uid, agent_id=cast.robo)
    second = a_ticket(cast).pending()
    assert second.submitted.kind == "opened"


def test_a_ticket_that_is_not_over_is_not_delivered(cast):
    walk = a_ticket(cast).pending()
    assert api.mark_delivered(walk.uid) is False
    assert api.mark_delivered(uuid7()) is False


def test_a_named_key_recognises_the_call_whatever_its_arguments_would(cast):
    first = a_ticket(cast, idempotency_key="order-7").pending()
    second = a_ticket(cast, idempotency_key="order-7").pending()
    assert second.uid == first.uid
    assert first.ticket.explicit_key is True


def test_a_named_key_with_other_arguments_is_an_error_even_after_the_end(cast):
    a_ticket(cast, idempotency_key="order-7").rejected_by(cast.bob)
    with pytest.raises(api.IdempotencyKeyReused):
        a_ticket(cast, idempotency_key="order-7", arguments=b'{"path":"/"}').pending()


def test_a_rerun_is_not_answered_with_the_outcome_that_it_reruns(cast):
    first = a_ticket(cast).unknown()
    second = a_ticket(cast, retry_of=first.uid).pending()
    assert second.submitted.kind == "opened"


def test_the_stored_keys_say_nothing_without_the_installations_secret(cast, settings):
    call = a_call(cast)
    before = keys_of(call)
    settings.APPROVALS_REPEAT_KEY = b"another secret, 32 bytes long..."[:32]
    after = keys_of(call)
    assert before.call != after.call
    assert before.arguments != after.arguments


def test_a_task_stays_a_task_whoever_repeats_the_call(cast):
    a_ticket(cast, waiting=api.Waiting.TASK).pending()
    holder = api.start_holder()
    second = a_ticket(cast, waiting=api.Waiting.HELD, holder_id=holder).pending()
    assert second.view.waiting is api.Waiting.TASK
    assert second.view.requests == 2
    assert second.ticket.holder_id is None


def test_a_repeat_waits_in_its_own_way(cast):
    a_ticket(cast, waiting=api.Waiting.HELD, holder_id=api.start_holder()).pending()
    holder = api.start_holder()
    second = a_ticket(cast, waiting=api.Waiting.HELD, holder_id=holder).pending()
    assert second.view.waiting is api.Waiting.HELD
    assert second.ticket.holder_id == holder
