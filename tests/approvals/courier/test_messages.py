"""What a message says, and the channels that carry it."""

from __future__ import annotations

import re
from datetime import time
from uuid import uuid4

import pytest
from django.core import mail as outbox

from approvals import api, courier
from approvals.carriers import chat
from approvals.models import Channel, Delivery
from approvals.services import channels
from tests.support.builders import Cast, a_ticket
from tests.support.receivers import a_web_receiver
from tests.support.telling import ALL, a_chat, a_webhook, habit, told

BROWSER = {
    "endpoint": "https://push.example/1",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    "p256dh": (
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    ),
}

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
    assert message["body"] == f"Ticket #{walk.ticket.pk} waits for your decision"
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


def test_the_push_key_is_the_installation_s_own(settings):
    first, again = channels.push_key(), channels.push_key()
    assert first.private_numbers() == again.private_numbers()
    settings.APPROVALS_SEALING_KEYS = {"another": bytes(32)}
    assert channels.push_key().private_numbers() != first.private_numbers()
