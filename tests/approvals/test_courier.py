"""Telling people, from the rows to a mailbox: who hears what when, and what is never told."""

from __future__ import annotations

import json
import re
from datetime import datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
from django.core import mail as outbox
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from approvals import api, courier
from approvals.carriers import chat
from approvals.domain.snoozing import Choice
from approvals.domain.telling import Kind
from approvals.models import (
    Channel,
    Delivery,
    GroupMembership,
    Lookout,
    Notice,
    Rotation,
    Team,
    TeamMembership,
    User,
    Watch,
    database_now,
)
from approvals.services import channels, deliveries, gate, habits, people, watching
from approvals.services.delegation import declare_absence
from approvals.services.notifications import tell
from approvals.services.snoozing import snooze
from tests.support import rings
from tests.support.builders import Cast, a_cast, a_policy, a_ticket
from tests.support.clock import later
from tests.support.receivers import a_web_receiver

HOUR = 3600.0
BROWSER = {
    "endpoint": "https://push.example/1",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    "p256dh": (
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    ),
}
ALL = tuple(kind.value for kind in channels.ROOM_KINDS)


@pytest.fixture(autouse=True)
def recording_ports(settings: Settings) -> None:
    settings.APPROVALS_PORTS = rings.PORTS
    rings.forget()


@pytest.fixture
def cast(db: None) -> Cast:
    cast = a_cast()
    watching.watch()  # the lookout begins at what is there
    return cast


def told() -> dict[str, list[str]]:
    """A round of telling: the subjects that each address got, since the last look."""
    before = len(outbox.outbox)
    courier.look()
    courier.carry()
    found: dict[str, list[str]] = {}
    for mail in outbox.outbox[before:]:
        for address in mail.to:
            found.setdefault(address.partition("@")[0], []).append(mail.subject)
    return found


def words() -> str:
    """What the last mail says."""
    return str(outbox.outbox[-1].body)


def habit(user: User, **changes: object) -> None:
    """What this person chose; the rest as at first."""
    values = {
        "quiet_from": None,
        "quiet_until": None,
        "digest_minutes": 0,
        "silent_kinds": ["ended", "commented"],
        "silent_groups": [],
    }
    habits.keep_habits(user=user, **(values | changes))  # type: ignore[arg-type]


def a_webhook(cast: Cast, url: str, *, detailed: bool = False, kinds: object = ALL) -> UUID:
    key, _ = channels.add_room(
        user=cast.dora,
        sort="webhook",
        group_id=cast.group_id,
        team_id=None,
        url=url,
        label="Bridge",
        kinds=kinds,  # type: ignore[arg-type]
        detailed=detailed,
        allow_private=True,
    )
    return key


def a_chat(user: User, **options: object) -> UUID:
    return channels.add_chat(user=user, url="ntfys://a-topic", label="Phone", **options)  # type: ignore[arg-type]


def states(**conditions: object) -> set[str]:
    return set(Delivery.objects.filter(**conditions).values_list("state", flat=True))


# -- who hears of a new ticket ---------------------------------------------------------------


@pytest.mark.both_engines
def test_reviewers_hear_of_a_ticket_and_nobody_else(cast: Cast):
    walk = a_ticket(cast).pending()
    said = told()
    assert said.keys() == {"bob", "carol"}
    assert said["bob"] == [f"Placet: Call #{walk.ticket.pk} waits for your decision"]
    assert f"/tickets/{walk.uid}/" in words()
    assert "robo → files / delete_file" in words()
    assert "?" not in words().rpartition("http")[2]  # the link carries nothing beside its path


def test_they_hear_of_it_once_however_often_somebody_looks(cast: Cast):
    a_ticket(cast).pending()
    assert told()
    assert told() == {}
    watching.watch()
    assert Notice.objects.filter(kind=Kind.NEEDS_YOU).count() == 1


def test_a_ticket_decided_before_the_round_is_told_to_nobody(cast: Cast):
    a_ticket(cast).approved_by(cast.bob)
    assert told() == {}


def test_whoever_voted_while_the_message_waited_is_not_told(cast: Cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).pending()
    courier.look()
    walk.voted(cast.bob, api.Answer.APPROVE)
    assert told().keys() == {"carol"}
    assert states(channel__person=cast.bob.person) == {"dropped"}


def test_whoever_was_demoted_while_the_message_waited_is_not_told(cast: Cast):
    a_ticket(cast).pending()
    courier.look()
    GroupMembership.objects.filter(person=cast.bob.person).delete()
    TeamMembership.objects.filter(person=cast.bob.person).delete()
    assert told().keys() == {"carol"}


def test_whose_account_was_closed_is_not_told(cast: Cast):
    a_ticket(cast).pending()
    courier.look()
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    assert told().keys() == {"carol"}


def test_a_named_stranger_is_not_told_of_a_ticket_they_may_not_see(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    with transaction.atomic():
        tell(kind=Kind.ASKED, ticket=walk.ticket, people=[cast.charlie.person_id], occasion="1")
    assert told() == {}


def test_a_question_reaches_the_owner_and_not_whoever_asked(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    asked = [cast.alice.person_id, cast.bob.person_id]
    for _ in range(2):
        with transaction.atomic():
            tell(
                kind=Kind.ASKED,
                ticket=walk.ticket,
                people=asked,
                by=cast.bob.person_id,
                occasion="question 1",
            )
    assert told() == {"alice": [f"Placet: A reviewer has a question about call #{walk.ticket.pk}"]}
    assert "By: bob" in words()


# -- reminders, ends, unknown outcomes, the kill switch ---------------------------------------


@pytest.mark.requirement("told-once")
@pytest.mark.both_engines
def test_at_half_time_one_reminder_comes_however_many_look(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    with later(HOUR / 2 - 60):
        assert told() == {}
    with later(HOUR / 2 + 1):
        seen = list(watching._at_half_time())
        watching.watch()
        for late in seen:  # another worker that had found it due as well
            watching._remind(late)
        assert told() == {
            name: [f"Placet: Call #{walk.ticket.pk} still waits: half of its time is over"]
            for name in ("bob", "carol")
        }
        assert told() == {}
    assert Notice.objects.filter(kind=Kind.REMINDER).count() == 1


def test_nobody_is_reminded_of_what_was_decided(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    walk.rejected_by(cast.bob)
    with later(HOUR / 2 + 1):
        assert told() == {}


def test_the_owner_and_voters_hear_how_it_ended_if_they_want(cast: Cast):
    habit(cast.alice, silent_kinds=[])
    habit(cast.bob, silent_kinds=[])
    walk = a_ticket(cast).pending()
    told()
    walk.rejected_by(cast.bob)
    said = f"Placet: Call #{walk.ticket.pk} is over: Rejected"
    assert told() == {"alice": [said], "bob": [said]}
    assert told() == {}


def test_an_unknown_outcome_is_told_to_the_owner_and_whoever_can_find_out(cast: Cast):
    a_ticket(cast).unknown()
    assert told().keys() == {"alice", "bob", "carol"}
    assert "find out" in words()


def test_the_kill_switch_is_told_to_admins_and_reviewers_but_not_to_whoever_turned_it(cast: Cast):
    gate.kill(user=cast.dora)
    assert told().keys() == {"bob", "carol"}
    gate.unkill(user=cast.dora)
    assert told()["bob"] == ["Placet: Calls run again"]


@pytest.mark.requirement("told-whatever-is-lost")
def test_tickets_that_no_worker_saw_open_are_told_of_all_the_same(cast: Cast):
    habit(cast.alice, silent_kinds=[])
    rejected = a_ticket(cast, arguments=b'{"n":1}').rejected_by(cast.bob)
    waits = a_ticket(cast, arguments=b'{"n":2}').pending()
    said = told()
    assert said["alice"] == [f"Placet: Call #{rejected.ticket.pk} is over: Rejected"]
    assert said["bob"] == [f"Placet: Call #{waits.ticket.pk} waits for your decision"]


def test_what_ended_a_day_ago_is_no_news(cast: Cast):
    habit(cast.alice, silent_kinds=[])
    a_ticket(cast).rejected_by(cast.bob)
    with later(25 * HOUR):
        assert told() == {}


def test_watches_are_forgotten_once_everything_was_said(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(watching, "SLACK", 0)
    Lookout.objects.update(reached=0)
    a_ticket(cast).rejected_by(cast.bob)
    told()
    assert Watch.objects.count() == 1
    with later(120):
        a_ticket(cast, arguments=b'{"n":2}').pending()
        told()
    assert not Watch.objects.filter(over=True).exists()
    assert told() == {}


def test_looking_costs_the_same_with_many_tickets(cast: Cast):
    def looked() -> int:
        with CaptureQueriesContext(connection) as few:
            courier.look()
            courier.carry()
        return len(few)

    a_ticket(cast, arguments=b'{"n":0}').pending()
    told()
    one = looked()
    for n in range(1, 6):
        a_ticket(cast, arguments=b'{"n":%d}' % n).pending()
    told()
    assert looked() == one


# -- habits ------------------------------------------------------------------------------------


def local(moment: datetime, shift: timedelta) -> time:
    return (moment + shift).time().replace(second=0, microsecond=0)


def test_quiet_hours_hold_a_message_until_they_end(cast: Cast):
    a_policy(approval_seconds=6 * 3600)
    now = database_now()
    habit(
        cast.bob,
        quiet_from=local(now, -timedelta(hours=1)),
        quiet_until=local(now, timedelta(hours=1)),
    )
    a_ticket(cast).pending()
    assert told().keys() == {"carol"}
    with later(HOUR + 1):
        assert told().keys() == {"bob"}


@pytest.mark.requirement("quiet-hours")
def test_quiet_hours_are_broken_by_urgent_channels_alone_when_the_deadline_comes_first(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    said: list[str] = []
    monkeypatch.setattr(chat, "send", lambda url, **message: said.append(message["title"]))
    now = database_now()
    quiet = {
        "quiet_from": local(now, -timedelta(hours=1)),
        "quiet_until": local(now, timedelta(hours=3)),
    }
    habit(cast.bob, **quiet)
    habit(cast.carol, **quiet)
    a_chat(cast.carol, urgent=True)
    a_ticket(cast).pending()
    assert told() == {}
    assert len(said) == 1


def test_it_became_quiet_while_the_message_waited(cast: Cast):
    a_policy(approval_seconds=6 * 3600)
    a_ticket(cast).pending()
    courier.look()
    now = database_now()
    habit(
        cast.bob,
        quiet_from=local(now, -timedelta(hours=1)),
        quiet_until=local(now, timedelta(hours=1)),
    )
    assert told().keys() == {"carol"}
    waiting = Delivery.objects.get(channel__person=cast.bob.person)
    assert (waiting.state, waiting.attempts) == ("waiting", 0)


def test_a_digest_makes_one_message_of_many(cast: Cast):
    habit(cast.bob, digest_minutes=15)
    for n in range(3):
        a_ticket(cast, arguments=b'{"n":%d}' % n).pending()
    assert "bob" not in told()
    with later(15 * 60):
        assert told()["bob"] == ["Placet: News of 3 calls"]
    assert words().count("/tickets/") == 3


def test_what_is_due_together_is_one_message(cast: Cast):
    for n in range(11):
        a_ticket(cast, arguments=b'{"n":%d}' % n).pending()
    assert told()["carol"] == ["Placet: News of 11 calls"]
    assert "And 1 more." in words()


def test_a_group_that_somebody_does_not_want_to_hear_of(cast: Cast):
    habit(cast.bob, silent_groups=[cast.group_id])
    a_ticket(cast).pending()
    assert told().keys() == {"carol"}


def test_mail_can_be_switched_off(cast: Cast):
    a_ticket(cast).pending()
    told()
    mail = Channel.objects.get(person=cast.bob.person, sort="mail")
    channels.change(user=cast.bob, channel_id=mail.pk, enabled=False, urgent=False, detailed=False)
    a_ticket(cast, arguments=b'{"n":2}').pending()
    assert told().keys() == {"carol"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_from": time(22)},
        {"digest_minutes": 2},
        {"digest_minutes": 5000},
        {"silent_kinds": ["needs_you"]},
        {"silent_kinds": ["credential"]},
    ],
)
def test_habits_that_cannot_be_are_refused(cast: Cast, wrong: dict[str, object]):
    with pytest.raises(api.Refusal):
        habit(cast.bob, **wrong)


# -- on call -----------------------------------------------------------------------------------


def on_call(cast: Cast, *people: UUID, **changes: object) -> None:
    values = {
        "group_id": cast.group_id,
        "people": list(people),
        "first_day": database_now().date(),
        "hands_over": time(0),
        "days": 7,
        "time_zone": "UTC",
        "head_start_minutes": 10,
    }
    habits.keep_rotation(user=cast.dora, **(values | changes))  # type: ignore[arg-type]


@pytest.mark.requirement("on-call")
def test_whoever_is_on_call_is_told_first_and_everybody_else_if_nothing_happens(cast: Cast):
    on_call(cast, cast.carol.person_id, cast.bob.person_id)
    a_ticket(cast).pending()
    assert told().keys() == {"carol"}
    with later(9 * 60):
        assert told() == {}
    with later(11 * 60):
        assert told().keys() == {"bob"}


def test_a_decision_within_the_head_start_leaves_the_others_in_peace(cast: Cast):
    on_call(cast, cast.carol.person_id)
    walk = a_ticket(cast).pending()
    told()
    walk.rejected_by(cast.carol)
    with later(11 * 60):
        assert told() == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 3},
        {"head_start_minutes": 0},
        {"time_zone": "Mars/Olympus"},
    ],
)
def test_a_rotation_that_cannot_be_is_refused(cast: Cast, wrong: dict[str, object]):
    with pytest.raises(api.Refusal):
        on_call(cast, cast.bob.person_id, **wrong)
    assert not Rotation.objects.exists()


def test_only_members_are_on_call_and_only_admins_say_so(cast: Cast):
    with pytest.raises(api.Refusal):
        on_call(cast, cast.charlie.person_id)
    with pytest.raises(api.NotEligible):
        habits.keep_rotation(
            user=cast.bob,
            group_id=cast.group_id,
            people=[cast.bob.person_id],
            first_day=database_now().date(),
            hands_over=time(0),
            days=7,
            time_zone="UTC",
            head_start_minutes=10,
        )


# -- away, and put away -----------------------------------------------------------------------


def away(user: User, *, delegate: User | None = None, group: UUID | None = None) -> None:
    declare_absence(
        user=user,
        starts_at=None,
        ends_at=database_now() + timedelta(hours=5),
        delegate_id=delegate.person_id if delegate else None,
        group_ids=[group] if group else [],
    )


def test_whoever_is_away_is_neither_told_nor_on_call(cast: Cast):
    on_call(cast, cast.carol.person_id, cast.bob.person_id)
    away(cast.carol)
    a_ticket(cast).pending()
    assert told().keys() == {"bob"}


def test_whoever_went_away_while_the_message_waited_is_not_told(cast: Cast):
    a_ticket(cast).pending()
    courier.look()
    away(cast.carol)
    assert told().keys() == {"bob"}


@pytest.mark.both_engines
def test_a_stand_in_is_told_in_the_place_of_whoever_is_away(cast: Cast):
    second = people.ensure_group(slug="second", name="Second")
    people.set_members(group="second", people=[cast.bob.person_id])
    people.set_members(group="reviewers", people=[cast.carol.person_id])
    habit(cast.bob, silent_groups=[second])
    away(cast.carol, delegate=cast.bob, group=cast.group_id)
    a_ticket(cast).pending()
    assert told().keys() == {"bob"}


def test_whoever_put_a_ticket_away_is_not_reminded_of_it(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    with later(600):
        snooze(uid=walk.uid, user=cast.bob, choice=Choice.HALF)
    with later(HOUR / 2 + 1):
        assert told().keys() == {"carol"}


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


# -- what a message says -------------------------------------------------------------------------

HOSTILE = "rm\r\nBcc: eve@evil.example <!channel> [x](https://evil.example) \u202e*b*"


@pytest.mark.requirement("messages-are-inert")
def test_what_an_agent_wrote_is_inert_in_every_message(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setattr(
        chat, "send", lambda url, **message: said.append(message["title"] + message["text"])
    )
    key = a_chat(cast.bob)
    channels.change(user=cast.bob, channel_id=key, enabled=True, urgent=False, detailed=True)
    with a_web_receiver() as receiver:
        a_webhook(cast, receiver.url, detailed=True)
        a_ticket(
            cast,
            tool_name=HOSTILE,
            upstream_name=HOSTILE[:60],
            agent_name=HOSTILE,
            arguments=api.canonical_bytes({"path": HOSTILE}),
        ).pending()
        told()
    mails = [f"{mail.subject}\n{mail.body}" for mail in outbox.outbox]
    for text in (*said, *mails, *(request.body.decode() for request in receiver.requests)):
        ours = text.replace("http://127.0.0.1:8000/tickets/", "")
        assert "://" not in ours
        assert "evil.example" not in ours
        assert "<!" not in ours
        assert "](" not in ours
        assert "\u202e" not in ours
        assert "*b" not in ours
        assert not re.search(r"^Bcc", ours, re.MULTILINE)
    assert said
    assert mails
    assert all(len(mail.subject) < 200 and len(mail.body) < 3000 for mail in outbox.outbox)


def test_a_message_is_in_its_readers_language_and_zone(cast: Cast):
    cast.bob.person.time_zone = "Asia/Tokyo"
    cast.bob.person.save()
    a_ticket(cast).pending()
    told()
    (mail,) = [mail for mail in outbox.outbox if mail.to == ["bob@example.test"]]
    assert "(Asia/Tokyo)" in mail.body


def test_a_push_message_says_a_number_and_nothing_of_the_call(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    said: list[dict[str, object]] = []
    monkeypatch.setattr(
        courier.push, "send", lambda to, message, **options: said.append({**message, **options})
    )
    channels.subscribe(user=cast.bob, label="Phone", **BROWSER)
    walk = a_ticket(cast).pending()
    told()
    (message,) = said
    assert message["body"] == f"Call #{walk.ticket.pk} waits for your decision"
    assert message["path"] == f"/calls/{walk.ticket.pk}/"
    assert "robo" not in str(message)
    assert "delete_file" not in str(message)
    assert 0 < int(str(message["seconds"])) <= 3600


# -- channels ------------------------------------------------------------------------------------


def test_what_a_channel_needs_is_sealed_and_in_no_record(cast: Cast):
    key = a_chat(cast.bob)
    row = Channel.objects.get(pk=key)
    assert b"a-topic" not in bytes(row.sealed or b"")
    assert channels.secret_of(row) == {"url": "ntfys://a-topic"}
    moved = Channel(pk=uuid4(), sealed=row.sealed)
    with pytest.raises(channels.SecretUnreadable):
        channels.secret_of(moved)


def test_a_broken_seal_is_told_and_sends_nothing(cast: Cast):
    key = a_chat(cast.bob)
    Channel.objects.filter(pk=key).update(sealed=b"\x01xbroken")
    a_ticket(cast).pending()
    told()
    failed = Delivery.objects.get(channel=key)
    assert failed.state == "failed"
    assert "set it up again" in failed.why


def test_people_change_only_channels_of_their_own(cast: Cast):
    key = a_chat(cast.bob)
    for stranger in (cast.carol, cast.dora):
        with pytest.raises(api.Refusal):
            channels.remove(user=stranger, channel_id=key)
        with pytest.raises(api.Refusal):
            channels.try_out(user=stranger, channel_id=key)
    channels.remove(user=cast.bob, channel_id=key)
    assert Channel.objects.get(pk=key).sealed is None


def test_rooms_are_an_admins_matter(cast: Cast):
    with pytest.raises(api.NotEligible):
        channels.add_room(
            user=cast.bob, sort="webhook", group_id=cast.group_id, team_id=None,
            url="https://hooks.example/1", label="", kinds=ALL, detailed=False, allow_private=False,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("sort", "url"),
    [
        ("webhook", "https://127.0.0.1/x"),
        ("webhook", "http://hooks.example/x"),
        ("webhook", "ftp://hooks.example/x"),
        ("chat", "file:///etc/passwd"),
        ("chat", "dbus://"),
        ("mail", "bob@example.test"),
    ],
)
def test_a_room_that_could_not_be_told_safely_is_refused(cast: Cast, sort: str, url: str):
    with pytest.raises(api.Refusal):
        channels.add_room(
            user=cast.dora, sort=sort, group_id=cast.group_id, team_id=None, url=url, label="",
            kinds=ALL, detailed=False, allow_private=False,
        )  # fmt: skip
    assert not Channel.objects.filter(group=cast.group_id).exists()


def test_the_same_address_is_added_once_and_channels_have_a_limit(cast: Cast):
    a_chat(cast.bob)
    with pytest.raises(api.Refusal, match="already"):
        a_chat(cast.bob)
    for number in range(channels.MOST_CHANNELS - 1):
        channels.add_chat(user=cast.bob, url=f"ntfys://topic-{number}", label="")
    with pytest.raises(api.Refusal, match="20 channels"):
        channels.add_chat(user=cast.bob, url="ntfys://one-more", label="")


def test_a_browser_that_somebody_else_signs_in_with_tells_them_alone(cast: Cast):
    channels.subscribe(user=cast.bob, label="", **BROWSER)
    channels.subscribe(user=cast.carol, label="", **BROWSER)
    live = Channel.objects.filter(sort="push", removed_at__isnull=True)
    assert [channel.person_id for channel in live] == [cast.carol.person_id]


def test_a_test_button_tells_at_once_whatever_the_hour(cast: Cast):
    habit(cast.bob, quiet_from=time(0), quiet_until=time(23, 59), digest_minutes=60)
    a_ticket(cast).pending()
    courier.look()
    mail = Channel.objects.get(person=cast.bob.person, sort="mail")
    channels.try_out(user=cast.bob, channel_id=mail.pk)
    assert told()["bob"] == ["Placet: This is a test"]


def test_the_push_key_is_made_once_and_sealed(cast: Cast):
    first, again = channels.push_key(), channels.push_key()
    assert first.private_numbers() == again.private_numbers()


def test_old_notices_are_forgotten(cast: Cast):
    a_ticket(cast).pending()
    told()
    with later(31 * 24 * HOUR):
        assert deliveries.forget_older_than(days=30) == 1
    assert not Delivery.objects.exists()


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
