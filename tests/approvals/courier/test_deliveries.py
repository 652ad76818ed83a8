"""Rooms and webhooks; what fails is tried again, once where it would be seen twice."""

from __future__ import annotations

import json

import pytest

from approvals import courier
from approvals.carriers import chat
from approvals.models import Channel, Delivery, Team
from approvals.services import channels, deliveries
from tests.support.builders import Cast, a_ticket
from tests.support.clock import later
from tests.support.receivers import a_web_receiver
from tests.support.telling import ALL, HOUR, a_chat, a_webhook, states, told

# -- rooms and webhooks ------------------------------------------------------------------------


def test_a_webhook_of_the_group_gets_each_event_by_itself(cast: Cast):
    with a_web_receiver() as receiver:
        a_webhook(cast, receiver.url)
        walks = [a_ticket(cast, arguments=b'{"n":%d}' % n).pending() for n in range(2)]
        told()
    events = [json.loads(request.body) for request in receiver.requests]
    assert [event["type"] for event in events] == ["ticket.needs_you"] * 2
    assert {event["data"]["ticket"] for event in events} == {walk.ticket.pk for walk in walks}
    assert events[0]["data"]["tool"] == "delete_file"
    assert "arguments" not in events[0]["data"]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 2


def test_a_room_of_another_team_hears_nothing(cast: Cast):
    other = Team.objects.create(slug="other", name="Other")
    with a_web_receiver() as receiver:
        channels.add_room(
            user=cast.dora, sort="webhook", group_id=None, team_id=other.pk, url=receiver.url,
            label="", kinds=ALL, detailed=True, allow_private=True,
        )  # fmt: skip
        a_ticket(cast).pending()
        told()
    assert receiver.requests == []


def test_a_room_hears_only_of_what_it_was_made_for(cast: Cast):
    with a_web_receiver() as receiver:
        a_webhook(cast, receiver.url, kinds=["unknown"])
        a_ticket(cast, arguments=b'{"n":1}').pending()
        a_ticket(cast, arguments=b'{"n":2}').unknown()
        told()
    assert [json.loads(r.body)["type"] for r in receiver.requests] == ["ticket.unknown"]


@pytest.mark.requirement("told-once")
@pytest.mark.both_engines
def test_a_failed_message_is_tried_again_with_the_same_id_and_then_no_more(cast: Cast):
    with a_web_receiver() as receiver:
        key = a_webhook(cast, receiver.url)
        receiver.answers = [503, 500]
        a_ticket(cast).pending()
        told()
        failing = Channel.objects.get(pk=key)
        assert failing.failures == 1
        assert failing.failing_since is not None
        told()
        assert len(receiver.requests) == 1  # not before its time
        with later(11):
            told()
        with later(80):
            told()
            told()
    assert len(receiver.requests) == 3
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    healthy = Channel.objects.get(pk=key)
    assert (healthy.failures, healthy.failing_since, healthy.last_error) == (0, None, "")
    assert states(channel=key) == {"told"}


def test_attempts_end_and_the_failure_stays_visible_until_somebody_tries_again(cast: Cast):
    with a_web_receiver() as receiver:
        key = a_webhook(cast, receiver.url, kinds=["ended"])
        receiver.answers = [503] * 6
        a_ticket(cast).rejected_by(cast.bob)
        for seconds in (0, 11, 80, 400, 1400, 5100, 9000):
            with later(seconds):
                told()
        assert len(receiver.requests) == 6
        failed = Delivery.objects.get(channel=key)
        assert failed.state == "failed"
        assert "503" in failed.why
        assert deliveries.retry(delivery_id=failed.pk)
        assert not deliveries.retry(delivery_id=failed.pk)
        told()
    assert states(channel=key) == {"told"}


def test_a_refused_message_is_not_tried_again(cast: Cast):
    with a_web_receiver() as receiver:
        key = a_webhook(cast, receiver.url)
        receiver.answers = [401]
        a_ticket(cast).pending()
        told()
    assert states(channel=key) == {"failed"}


def test_an_address_that_is_gone_is_forgotten(cast: Cast):
    with a_web_receiver() as receiver:
        key = a_webhook(cast, receiver.url)
        receiver.answers = [410]
        a_ticket(cast).pending()
        told()
    gone = Channel.objects.get(pk=key)
    assert gone.removed_at is not None
    assert gone.sealed is None


def test_a_reminder_that_could_not_be_sent_in_time_is_dropped(cast: Cast):
    with a_web_receiver() as receiver:
        key = a_webhook(cast, receiver.url)
        receiver.answers = [503]
        walk = a_ticket(cast).pending()
        told()
        walk.rejected_by(cast.bob)
        with later(11):
            told()
        kinds = [json.loads(request.body)["type"] for request in receiver.requests]
    assert kinds == ["ticket.needs_you", "ticket.ended"]
    assert states(channel=key, notice__kind="needs_you") == {"dropped"}


# -- claims ------------------------------------------------------------------------------------


@pytest.mark.both_engines
def test_what_a_vanished_worker_began_is_sent_by_the_next(cast: Cast):
    a_ticket(cast).pending()
    courier.look()
    assert deliveries.claim() is not None
    assert told().keys() == {"carol"}
    with later(deliveries.LEASE_SECONDS + 1):
        assert told().keys() == {"bob"}


@pytest.mark.requirement("told-once")
def test_what_a_vanished_worker_began_for_a_chat_is_not_sent_twice(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    said: list[str] = []
    monkeypatch.setattr(chat, "send", lambda url, **message: said.append(url))
    key = a_chat(cast.bob)
    a_ticket(cast).pending()
    courier.look()
    while (claimed := deliveries.claim()) is not None:
        if claimed.channel.pk == key:
            break
    with later(deliveries.LEASE_SECONDS + 1):
        told()
    assert said == []
    assert states(channel=key) == {"unsure"}


def test_a_worker_that_lost_its_lease_settles_nothing(cast: Cast):
    a_ticket(cast).pending()
    courier.look()
    late = deliveries.claim()
    assert late is not None
    with later(deliveries.LEASE_SECONDS + 1):
        told()
    deliveries.failed(late, late.deliveries, why="too late", never=True)
    assert states(channel=late.channel) == {"told"}


# -- afterwards --------------------------------------------------------------------------------


def test_an_error_of_ours_is_logged_and_tried_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*args: object, **named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(courier, "message_of", broken)
    a_ticket(cast).pending()
    assert told() == {}
    assert "could not be made or sent" in caplog.text
    assert states() == {"waiting"}


def test_old_notices_are_forgotten(cast: Cast):
    a_ticket(cast).pending()
    told()
    with later(31 * 24 * HOUR):
        assert deliveries.forget_older_than(days=30) == 1
    assert not Delivery.objects.exists()
