"""What holds for every address of the reviewers' pages, whatever it is for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from uuid6 import uuid7

from approvals import api
from approvals.domain.pins import Terms
from approvals.domain.telling import Kind
from approvals.models import Channel, Delivery, Notice, PushKey, ReviewerGroup, database_now
from approvals.services import channels
from approvals.services.decisions import decide
from approvals.services.delegation import declare_absence
from approvals.services.grants import Wanted
from approvals.web.urls import urlpatterns
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, TicketWalk, a_ticket

HUSH = "hush-hush"  # in everything that a stranger may not read
OPEN_TO_ALL = {"push-worker", "manifest"}  # files of ours, the same for everybody
MADE_WHEN_LOOKED_AT = (Channel, PushKey)  # a person's mail and the house's key, once each

type World = tuple[TicketWalk, dict[str, Any]]


@pytest.fixture
def world(cast: Cast) -> World:
    """A pending ticket, and one of everything else that an address can name."""
    call: dict[str, Any] = {
        "agent_name": HUSH,
        "upstream_name": HUSH,
        "tool_name": HUSH,
        "agent_says": HUSH,
    }
    first = a_ticket(cast, arguments=b'{"path":"/hush-hush/1"}', **call).pending()
    decided = decide(
        uid=first.uid,
        user=cast.bob,
        verdict=api.Answer.APPROVE,
        seen_digest=bytes(first.ticket.digest),
        reason=HUSH,
        nonce="grant",
        grant=Wanted(terms=Terms(session_only=False, free=(), max_uses=2, seconds=600)),
    )
    walk = a_ticket(cast, arguments=b'{"path":"/hush-hush/2"}', **call).pending()
    absence = declare_absence(
        user=cast.bob,
        starts_at=None,
        ends_at=database_now() + timedelta(days=1),
        delegate_id=cast.carol.person_id,
        group_ids=[cast.group_id],
    )
    channel = channels.add_chat(user=cast.bob, url="ntfys://hush-hush", label=HUSH)
    notice = Notice.objects.create(kind=Kind.TEST, key=f"test:{uuid7()}")
    delivery = Delivery.objects.create(
        notice=notice,
        channel_id=channel,
        due_at=database_now(),
        ended_at=database_now(),
        state=Delivery.State.FAILED,
    )
    keys = {
        "uid": walk.uid,
        "agent_id": cast.robo,
        "grant_id": decided.grant,
        "absence_id": absence.pk,
        "channel_id": channel,
        "delivery_id": delivery.pk,
        "number": walk.ticket.pk,
        "slug": ReviewerGroup.objects.get(pk=cast.group_id).slug,
    }
    return walk, keys


def addresses(keys: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Every address: its name, itself, and whether it names something."""
    for pattern in urlpatterns:
        named = pattern.pattern.converters
        given = {name: keys[name] for name in named}
        yield pattern.name, reverse(f"approvals:{pattern.name}", kwargs=given), bool(named)


def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows of the ledger."""
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for model in apps.get_app_config("approvals").get_models()
        if model not in MADE_WHEN_LOOKED_AT
    }


def tempting(walk: TicketWalk) -> dict[str, str]:
    """What the forms carry, for verbs of all kinds."""
    return {
        "verdict": "approve",
        "verb": "reject",
        "step": "confirm",
        "kind": "comment",
        "words": "hello",
        "until": "quarter_hour",
        "ran": "yes",
        "evidence": "seen",
        "raw": '{"path":"/other"}',
        "reason": "none",
        "ticket": str(walk.uid),
        f"digest-{walk.uid}": bytes(walk.ticket.digest).hex(),
        "seen_digest": bytes(walk.ticket.digest).hex(),
        "nonce": "a-nonce",
        "uses": "3",
        "seconds": "600",
    }


def test_looking_changes_nothing_anywhere(cast: Cast, signed_in: SignIn, world: World):
    walk, keys = world
    before = everything()
    for user in (cast.dora, cast.carol):
        client = signed_in(user)
        for name, address, _ in addresses(keys):
            for look in (client.get, client.head):
                answer = look(address, tempting(walk))
                assert answer.status_code in {200, 302, 403, 405, 422}, name
    assert everything() == before


def test_no_page_is_shown_in_a_frame(cast: Cast, signed_in: SignIn, world: World):
    client = signed_in(cast.bob)
    shown = 0
    for name, address, _ in addresses(world[1]):
        answer = client.get(address)
        if answer.status_code != 200:
            continue
        shown += 1
        assert answer["X-Frame-Options"] == "DENY", name
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], name
    assert shown > 15


def test_no_post_without_the_page_s_own_protection_gets_anywhere(cast: Cast, world: World):
    walk, keys = world
    before = everything()
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.dora)
    for name, address, _ in addresses(keys):
        assert client.post(address, tempting(walk)).status_code == 403, name
    assert everything() == before


def test_whoever_is_not_signed_in_is_led_to_the_door_from_everywhere(cast: Cast, world: World):
    walk, keys = world
    before = everything()
    for name, address, _ in addresses(keys):
        if name in OPEN_TO_ALL:
            continue
        for ask in (Client().get, Client().post):
            answer = ask(address, tempting(walk))
            assert answer.status_code in {302, 405}, name
            assert answer.get("Location", "/accounts/login/").startswith("/accounts/login/"), name
    assert everything() == before


def test_a_stranger_learns_nothing_anywhere(cast: Cast, signed_in: SignIn, world: World):
    client = signed_in(cast.charlie)
    for name, address, _ in addresses(world[1]):
        answer = client.get(address)
        assert answer.status_code in {200, 302, 403, 404, 405}, name
        assert HUSH.encode() not in answer.getvalue(), name


def test_a_stranger_changes_nothing_that_an_address_names(
    cast: Cast, signed_in: SignIn, world: World
):
    walk, keys = world
    before = everything()
    client = signed_in(cast.charlie)
    for name, address, names_something in addresses(keys):
        if not names_something and name != "batch":
            continue
        answer = client.post(address, tempting(walk), follow=True)
        assert answer.status_code in {200, 403, 404, 405, 422}, name
        assert HUSH.encode() not in answer.getvalue(), name
    assert everything() == before
