"""The pages about being told: what people choose, what admins see, and who may do neither."""

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals import courier
from approvals.models import Channel, Delivery, Habit, ReviewerGroup, Rotation
from approvals.services import channels, watching
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_ticket
from tests.support.pages import form_to

POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
BROWSER = {"endpoint": "https://push.example/1", "p256dh": POINT, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}
CHROME = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"


@pytest.fixture
def bob(cast: Cast, signed_in: SignIn) -> Client:
    return signed_in(cast.bob)


@pytest.fixture
def dora(cast: Cast, signed_in: SignIn) -> Client:
    return signed_in(cast.dora)


def said(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def a_room(dora: Client, cast: Cast, **changes: object):
    values = {
        "sort": "webhook",
        "owner": f"group:{cast.group_id}",
        "url": "https://hooks.example/secret-path",
        "label": "Bridge \u202e<b>",
        "kinds": ["needs_you", "unknown"],
    }
    return dora.post("/notices/rooms/", values | changes)


def test_the_page_shows_the_persons_own_channels_and_choices(bob: Client, cast: Cast):
    channels.add_chat(user=cast.bob, url="ntfys://my-secret-topic", label="Phone \u202e<b>")
    channels.add_chat(user=cast.carol, url="ntfys://other", label="Carols phone")
    page = bob.get("/notifications/").content.decode()
    assert "Phone" in page
    assert "U+202E" in page
    assert "<b>" not in page.partition("Phone")[2][:80]
    assert "my-secret-topic" not in page
    assert "Carols phone" not in page


def test_choices_are_kept(bob: Client, cast: Cast):
    choices = {"quiet_from": "22:00", "quiet_until": "07:00", "digest_minutes": "30"}
    answer = bob.post("/notifications/", {**choices, "kinds": ["ended", "unknown"]})
    assert answer.status_code == 302
    habit = Habit.objects.get(person=cast.bob.person)
    assert habit.digest_minutes == 30
    assert habit.silent_kinds == ["commented", "reminder", "returned", "stopped"]
    assert [group.pk for group in habit.silent_groups.all()] == [cast.group_id]
    page = bob.get("/notifications/").content.decode()
    assert 'value="22:00"' in page


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_from": "22:00"},
        {"quiet_from": "25:00", "quiet_until": "07:00"},
        {"digest_minutes": "1"},
        {"kinds": ["everything"]},
        {"groups": ["of somebody else"]},
    ],
)
def test_choices_that_cannot_be_are_refused(bob: Client, wrong: dict[str, object]):
    assert bob.post("/notifications/", wrong).status_code == 422
    assert not Habit.objects.exists()


def test_a_browser_is_added_under_a_name_of_our_words(bob: Client, cast: Cast):
    bob.post("/notifications/browser/", BROWSER, headers={"user-agent": f"{CHROME} <script>"})
    assert Channel.objects.get(sort="push").label == "Chrome, Android"


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "https://127.0.0.1/1"},
        {"endpoint": "http://push.example/1"},
        {"p256dh": "x"},
        {"auth": ""},
    ],
)
def test_a_subscription_that_would_reach_inside_or_nobody_is_refused(bob: Client, wrong):
    answer = bob.post("/notifications/browser/", BROWSER | wrong)
    assert said(answer)
    assert not Channel.objects.filter(sort="push").exists()


def test_a_chat_address_is_refused_with_words_and_not_shown_again(bob: Client):
    answer = bob.post("/notifications/chat/", {"url": "file:///etc/passwd", "label": "x"})
    assert answer.status_code == 422
    assert "Apprise URL" in answer.content.decode()
    assert "/etc/passwd" not in answer.content.decode()


def test_a_channel_is_tested_changed_and_removed_by_its_owner_alone(
    bob: Client, dora: Client, cast: Cast
):
    key = channels.add_chat(user=cast.bob, url="ntfys://topic", label="Phone")
    dora.post(f"/notifications/{key}/", {"verb": "remove"})
    assert Channel.objects.get(pk=key).removed_at is None
    bob.post(f"/notifications/{key}/", {"verb": "save", "urgent": "on"})
    kept = Channel.objects.get(pk=key)
    assert (kept.enabled, kept.urgent) == (False, True)
    bob.post(f"/notifications/{key}/", {"verb": "test"})
    assert Delivery.objects.filter(channel=key, notice__kind="test").count() == 1
    assert "Waiting" in bob.get("/notifications/").content.decode()
    bob.post(f"/notifications/{key}/", {"verb": "remove"})
    assert Channel.objects.get(pk=key).sealed is None


def test_mail_is_shown_before_it_has_a_row_and_has_one_once_it_is_changed(bob: Client, cast: Cast):
    page = bob.get("/notifications/").content
    form = form_to(page, "/notifications/mail/")
    assert not Channel.objects.exists()
    bob.post(form.action, form.values(verb="test"))
    bob.post(form.action, {"verb": "save", "urgent": "on"})
    bob.post(form.action, {"verb": "remove"})
    mail = Channel.objects.get(person=cast.bob.person)
    assert (mail.sort, mail.enabled, mail.urgent, mail.removed_at) == ("mail", False, True, None)
    assert Delivery.objects.filter(channel=mail, notice__kind="test").count() == 1


def test_a_number_leads_to_a_ticket_that_one_may_see_and_to_nothing_else(
    bob: Client, cast: Cast, signed_in: SignIn
):
    walk = a_ticket(cast).pending()
    number = walk.ticket.pk
    assert bob.get(f"/calls/{number}/")["Location"] == f"/tickets/{walk.uid}/"
    assert signed_in(cast.charlie).get(f"/calls/{number}/").status_code == 404
    assert bob.get(f"/calls/{number + 1}/").status_code == 404
    assert bob.get(f"/calls/{'9' * 30}/").status_code == 404
    walk.ticket.refresh_from_db()
    assert walk.ticket.version == 1


def test_rooms_and_deliveries_are_for_admins_and_for_auditors_to_read(
    bob: Client, dora: Client, cast: Cast, signed_in: SignIn
):
    cast.carol.person.is_auditor = True
    cast.carol.person.save()
    carol = signed_in(cast.carol)
    assert bob.get("/notices/").status_code == 403
    assert bob.get("/notices/on-call/reviewers/").status_code == 403
    assert carol.get("/notices/").status_code == 200
    for stranger in (bob, carol):
        assert a_room(stranger, cast).status_code == 403
        assert stranger.post("/notices/on-call/reviewers/", {}).status_code == 403
        assert (
            stranger.post("/notices/00000000-0000-7000-8000-000000000000/retry/").status_code == 403
        )
    assert dora.get("/notices/").status_code == 200


def test_a_webhooks_secret_is_shown_once_and_its_address_never(dora: Client, cast: Cast):
    answer = a_room(dora, cast)
    assert "no-store" in answer.headers["Cache-Control"]
    page = answer.content.decode()
    assert page.count("whsec_") == 1
    again = dora.get("/notices/").content.decode()
    assert "whsec_" not in again
    assert "secret-path" not in page + again
    assert "U+202E" in again


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://10.0.0.1/x"},
        {"url": "http://hooks.example/x"},
        {"kinds": []},
        {"kinds": ["asked"]},
        {"owner": "person:1"},
        {"sort": "mail"},
        {"sort": "chat", "url": "syslog://"},
    ],
)
def test_a_room_that_could_not_be_is_refused(dora: Client, cast: Cast, wrong: dict[str, object]):
    assert a_room(dora, cast, **wrong).status_code == 422
    assert not Channel.objects.filter(person=None).exists()


def turns(**changes: object) -> dict[str, object]:
    values = {
        "first_day": "2026-11-16",
        "hands_over": "09:00",
        "days": "7",
        "time_zone": "Europe/Berlin",
        "head_start_minutes": "10",
    }
    return values | changes


def test_turns_are_kept_shown_and_ended(dora: Client, cast: Cast):
    bob, carol = f"place_{cast.bob.person_id}", f"place_{cast.carol.person_id}"
    assert dora.post("/notices/on-call/reviewers/", turns(**{bob: 2, carol: 1})).status_code == 302
    placed = Rotation.objects.get().turns.order_by("place")
    assert [turn.person_id for turn in placed] == [cast.carol.person_id, cast.bob.person_id]
    assert "Now:" in dora.get("/notices/on-call/reviewers/").content.decode()
    assert dora.post("/notices/on-call/reviewers/", turns()).status_code == 302
    assert not Rotation.objects.exists()
    assert dora.post("/notices/on-call/reviewers/", turns(days="2")).status_code == 422
    assert dora.get("/notices/on-call/nobody/").status_code == 404


def test_a_failed_delivery_is_seen_and_tried_again(
    dora: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    watching.watch()
    channels.add_chat(user=cast.bob, url="ntfys://topic", label="Phone")

    def refuse(*args: object, **named: object) -> None:
        raise courier.Refused("the receiver refuses the message (status 403)")

    monkeypatch.setattr(courier.chat, "send", refuse)
    a_ticket(cast).pending()
    courier.look()
    courier.carry()
    page = dora.get("/notices/").content.decode()
    assert "the receiver refuses the message (status 403)" in page
    assert "People who cannot be reached" in page
    german = dora.get("/notices/", headers={"Accept-Language": "de"}).content.decode()
    assert "</bdi></b>, Chat- oder Bereitschaftsdienst:" in german
    failed = Delivery.objects.get(state="failed")
    dora.post(f"/notices/{failed.pk}/retry/")
    assert Delivery.objects.get(pk=failed.pk).state == "waiting"
    assert "It had not failed" in said(dora.post(f"/notices/{failed.pk}/retry/"))
    for show in ("waiting", "told", "dropped", "nonsense"):
        assert dora.get(f"/notices/?show={show}&before=nonsense").status_code == 200


def test_no_page_costs_more_with_more_rows(dora: Client, cast: Cast):
    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert dora.get(address).status_code == 200
        return len(queries)

    a_room(dora, cast)
    channels.add_chat(user=cast.dora, url="ntfys://topic", label="")
    a_ticket(cast, arguments=b'{"n":0}').pending()
    courier.look()
    addresses = ("/notices/?show=waiting", "/notifications/")
    few = [cost(address) for address in addresses]
    for number in range(3):
        a_room(dora, cast, url=f"https://hooks.example/{number}")
        channels.add_chat(user=cast.dora, url=f"ntfys://topic-{number}", label="")
        a_ticket(cast, arguments=b'{"m":%d}' % number).pending()
        group = ReviewerGroup.objects.create(slug=f"g{number}", name=f"Group {number}")
        group.memberships.create(person=cast.bob.person)
    courier.look()
    assert [cost(address) for address in addresses] == few


def test_the_service_worker_stands_at_the_root_and_needs_no_session(db: None):
    worker = Client().get("/push-worker.js")
    assert worker.status_code == 200
    assert worker["Content-Type"].startswith("text/javascript")
    manifest = Client().get("/manifest.webmanifest")
    assert manifest.json()["scope"] == "/"
