"""The browsers' doorbell: who may connect, what they hear, and when it ends."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from channels.db import database_sync_to_async as in_thread
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from approvals.consumers import hub as hubs
from approvals.consumers import socket as sockets
from approvals.events import bus
from approvals.events.wire import GROUP, gate_message, ticket_message
from approvals.models import Person, TeamMembership, User
from approvals.selectors import sights
from approvals.selectors.sights import standing_sights
from placet.dispatch import build_application
from tests.support.builders import Cast, a_cast, a_ticket, killed
from tests.support.databases import RealDatabase

type Connect = Callable[..., Awaitable[WebsocketCommunicator]]


async def no_pages(scope: object, receive: object, send: object) -> None:
    raise AssertionError("a socket is no page")


@pytest.fixture
async def cast(real_db: RealDatabase) -> Cast:
    return await in_thread(a_cast)()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    opened: list[WebsocketCommunicator] = []

    async def connect(
        user: User | None, *, origin: str | None = None, token: str = "", query: str = ""
    ) -> WebsocketCommunicator:
        headers = [(b"origin", (settings.ENV.origins[0] if origin is None else origin).encode())]
        if token:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        if user is not None:
            headers.append((b"cookie", await in_thread(_cookie)(user)))
        path = f"/ws/doorbell/{query}"
        socket = WebsocketCommunicator(build_application(no_pages), path, headers)
        opened.append(socket)
        return socket

    yield connect
    for socket in opened:
        await socket.disconnect()
    await bus().close()


def _cookie(user: User) -> bytes:
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}".encode()


async def open_socket(connect: Connect, user: User, query: str = "") -> WebsocketCommunicator:
    socket = await connect(user, query=query)
    connected, _ = await socket.connect()
    assert connected
    await bus().subscribed()
    return socket


async def ring(message: dict[str, object]) -> None:
    layer = get_channel_layer()
    assert layer is not None
    await layer.group_send(GROUP, message)


async def heard(socket: WebsocketCommunicator) -> dict[str, object]:
    return json.loads(await socket.receive_from(timeout=5))


async def ring_about(walk_uid: UUID, team: UUID, version: int = 3) -> None:
    await ring(ticket_message(uid=walk_uid, version=version, state="pending", team_id=team))


async def test_whoever_is_not_signed_in_is_turned_away(cast: Cast, connect: Connect):
    socket = await connect(None)

    connected, _ = await socket.connect()

    assert not connected


async def test_another_origin_is_turned_away(cast: Cast, connect: Connect):
    ours = urlsplit(settings.ENV.origins[0])
    for origin in (
        "https://evil.example",
        "null",
        "",
        f"{ours.scheme}://{ours.hostname}:1",
        f"wss://{ours.netloc}",
        f"{'http' if ours.scheme == 'https' else 'https'}://{ours.netloc}",
        f"{ours.scheme}://{ours.netloc}.evil.example",
        f"{ours.scheme}://evil.example#{ours.netloc}",
        f"{ours.geturl()}/",
    ):
        socket = await connect(cast.bob, origin=origin)
        connected, _ = await socket.connect()
        assert not connected


async def test_a_closed_account_is_turned_away(cast: Cast, connect: Connect):
    socket = await connect(cast.bob)
    await in_thread(User.objects.filter(pk=cast.bob.pk).update)(is_active=False)

    connected, _ = await socket.connect()

    assert not connected


async def test_the_team_hears_only_which_ticket_changed(cast: Cast, connect: Connect):
    walk = await in_thread(a_ticket(cast).pending)()
    socket = await open_socket(connect, cast.alice)

    await ring_about(walk.uid, cast.team_id)

    assert await heard(socket) == {"ticket": str(walk.uid), "version": 3}


async def test_changes_of_one_moment_are_heard_as_the_last_of_them(cast: Cast, connect: Connect):
    walk = await in_thread(a_ticket(cast).pending)()
    socket = await open_socket(connect, cast.alice)

    for version in (2, 4, 3):
        message = ticket_message(
            uid=walk.uid, version=version, state="pending", team_id=cast.team_id
        )
        hubs.hub().heard(message)
    hubs.hub().heard({"g": 1, "k": False})

    assert await heard(socket) == {"ticket": str(walk.uid), "version": 4}
    assert await heard(socket) == {"gate": 1}


async def test_who_connects_first_hears_what_changed_since_their_page_was_made(
    cast: Cast, connect: Connect
):
    walk = await in_thread(a_ticket(cast).pending)()
    made = f"?since={time.time_ns() // 1_000_000}"
    mate = await open_socket(connect, cast.alice, made)
    stranger = await open_socket(connect, cast.charlie, made)
    others = [await open_socket(connect, cast.alice, f"?since={bent}") for bent in ("", "-1", "x")]

    await ring(gate_message(epoch=7, killed=False))

    assert await heard(mate) == {"ticket": str(walk.uid), "version": 1}
    for socket in (mate, stranger, *others):
        assert await heard(socket) == {"gate": 7}


async def test_who_missed_much_or_the_kill_switch_is_told_to_look_at_everything(
    cast: Cast, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    await in_thread(a_ticket(cast).pending)()
    made = f"?since={time.time_ns() // 1_000_000}"
    monkeypatch.setattr(sights, "MOST_EVENTS", 0)
    assert await heard(await open_socket(connect, cast.charlie, made)) == {"lost": True}
    monkeypatch.undo()
    await in_thread(killed)(cast)
    assert await heard(await open_socket(connect, cast.charlie, made)) == {"lost": True}

    async def unreadable(moment: object) -> None:
        raise DatabaseError("gone away")

    monkeypatch.setattr(hubs, "_changed_since", unreadable)
    assert await heard(await open_socket(connect, cast.charlie, made)) == {"lost": True}


async def test_other_teams_hear_nothing(cast: Cast, connect: Connect):
    walk = await in_thread(a_ticket(cast).pending)()
    socket = await open_socket(connect, cast.charlie)

    await ring_about(walk.uid, cast.team_id)
    await ring(gate_message(epoch=7, killed=False))  # what everybody hears, after it

    assert await heard(socket) == {"gate": 7}


async def test_a_group_that_is_asked_hears_of_other_teams_tickets(cast: Cast, connect: Connect):
    walk = await in_thread(a_ticket(cast).pending)()
    await in_thread(TeamMembership.objects.filter(person=cast.carol.person_id).delete)()
    socket = await open_socket(connect, cast.carol)

    await ring_about(walk.uid, cast.team_id)

    assert (await heard(socket))["ticket"] == str(walk.uid)


async def test_the_owner_hears_of_their_agents_tickets(cast: Cast, connect: Connect):
    walk = await in_thread(a_ticket(cast).pending)()
    await in_thread(TeamMembership.objects.filter(person=cast.alice.person_id).delete)()
    socket = await open_socket(connect, cast.alice)

    await ring_about(walk.uid, cast.team_id)

    assert (await heard(socket))["ticket"] == str(walk.uid)


async def test_admins_and_auditors_hear_everything(cast: Cast, connect: Connect):
    await in_thread(Person.objects.filter(pk=cast.charlie.person_id).update)(is_auditor=True)
    sockets = [await open_socket(connect, user) for user in (cast.charlie, cast.dora)]
    uid = uuid4()

    await ring_about(uid, uuid4())

    for socket in sockets:
        assert (await heard(socket))["ticket"] == str(uid)


async def test_a_ticket_that_nobody_knows_rings_for_no_stranger(cast: Cast, connect: Connect):
    socket = await open_socket(connect, cast.bob)

    await ring_about(uuid4(), uuid4())
    await ring(gate_message(epoch=8, killed=True))

    assert await heard(socket) == {"gate": 8}


@pytest.mark.parametrize(
    "message",
    [
        {"t": "no uuid", "v": 1, "m": str(uuid4())},
        {"t": 7, "v": 1, "m": str(uuid4())},
        {"t": str(uuid4()), "v": 1},
        {"t": str(uuid4()), "v": "1e999", "m": str(uuid4())},
        {"g": "many"},
        {"g": None},
    ],
    ids=["t", "t-type", "m", "v", "g", "g-type"],
)
async def test_a_message_that_nobody_here_writes_is_ignored_and_closes_no_socket(
    cast: Cast, connect: Connect, caplog: pytest.LogCaptureFixture, message: dict[str, object]
):
    socket = await open_socket(connect, cast.bob)

    await ring({"type": "placet.changed", **message})
    await ring(gate_message(epoch=8, killed=True))

    assert await heard(socket) == {"gate": 8}
    assert "was ignored" in caplog.text


async def test_a_person_who_leaves_the_team_stops_hearing_of_it(
    cast: Cast, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hubs, "RECHECK_SECONDS", 0.05)
    looked = asyncio.Event()
    walk = await in_thread(a_ticket(cast, person_id=cast.bob.person_id).pending)()
    socket = await open_socket(connect, cast.alice)
    await in_thread(TeamMembership.objects.filter(person=cast.alice.person_id).delete)()
    look = hubs.Hub._look_again

    async def look_and_say(self: hubs.Hub) -> None:
        await look(self)
        looked.set()

    monkeypatch.setattr(hubs.Hub, "_look_again", look_and_say)
    async with asyncio.timeout(5):
        await looked.wait()
        looked.clear()
        await looked.wait()

    await ring_about(walk.uid, cast.team_id)
    await ring(gate_message(epoch=9, killed=False))

    assert await heard(socket) == {"gate": 9}


async def test_the_socket_ends_with_its_session(
    cast: Cast, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hubs, "RECHECK_SECONDS", 0.05)
    socket = await open_socket(connect, cast.bob)

    def change_password() -> None:
        cast.bob.set_password("another-long-password")
        cast.bob.save()

    await in_thread(change_password)()

    closed = await socket.receive_output(timeout=5)
    assert closed == {"type": "websocket.close", "code": sockets.SESSION_OVER}


async def test_the_socket_ends_with_a_sign_out(
    cast: Cast, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hubs, "RECHECK_SECONDS", 0.05)
    socket = await open_socket(connect, cast.bob)

    await in_thread(Session.objects.all().delete)()

    closed = await socket.receive_output(timeout=5)
    assert closed == {"type": "websocket.close", "code": sockets.SESSION_OVER}


async def test_a_session_of_a_way_to_sign_in_that_is_gone_is_turned_away(
    cast: Cast, connect: Connect, settings: Settings
):
    socket = await connect(cast.bob)
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]

    connected, _ = await socket.connect()

    assert not connected


async def test_an_agents_token_opens_no_socket(cast: Cast, connect: Connect):
    socket = await connect(None, token="plc_" + "a" * 43)

    connected, _ = await socket.connect()

    assert not connected


@pytest.mark.parametrize(
    "said",
    [{"text_data": '{"verdict": "approve"}'}, {"bytes_data": b"\0"}],
    ids=["text", "bytes"],
)
async def test_whatever_a_browser_says_ends_the_connection(
    cast: Cast, connect: Connect, said: dict[str, Any]
):
    socket = await open_socket(connect, cast.bob)

    await socket.send_to(**said)

    closed = await socket.receive_output(timeout=5)
    assert closed == {"type": "websocket.close", "code": sockets.NOT_LISTENING}


async def test_missed_messages_become_one_word_to_look_at_everything(
    cast: Cast, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sockets, "WAITING_MESSAGES", 1)
    socket = await open_socket(connect, cast.dora)
    [listener] = hubs.hub()._listeners

    for version in range(5):  # without giving the socket a turn in between
        listener.tell(f"{version}")

    assert await heard(socket) == {"lost": True}


async def test_more_messages_than_can_wait_make_everybody_look(
    cast: Cast, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hubs, "BACKLOG", 2)
    socket = await open_socket(connect, cast.dora)

    for epoch in range(5):
        hubs.hub().heard({"g": epoch, "k": False})

    assert await heard(socket) == {"lost": True}


async def test_a_broken_broker_is_said_once_in_a_while(cast: Cast, connect: Connect):
    socket = await open_socket(connect, cast.dora)

    for _ in range(3):
        hubs.hub().heard({"lost": True})
    hubs.hub().heard({"g": 1, "k": False})

    assert [await heard(socket), await heard(socket)] == [{"lost": True}, {"gate": 1}]


async def test_a_ticket_that_cannot_be_read_makes_everybody_look(
    cast: Cast, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    socket = await open_socket(connect, cast.charlie)

    async def unreadable(uid: UUID) -> None:
        raise DatabaseError("gone away")

    monkeypatch.setattr(hubs, "_concerned", unreadable)

    await ring_about(uuid4(), cast.team_id)

    assert await heard(socket) == {"lost": True}


async def test_sockets_end_when_nobody_can_say_whether_their_sessions_stand(
    cast: Cast, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hubs, "RECHECK_SECONDS", 0.05)
    socket = await open_socket(connect, cast.bob)

    async def unreadable(keys: set[str]) -> dict[str, object]:
        raise DatabaseError("gone away")

    monkeypatch.setattr(hubs, "standing", unreadable)

    closed = await socket.receive_output(timeout=5)
    assert closed == {"type": "websocket.close", "code": sockets.BROKEN}


@pytest.mark.parametrize("listeners", [1, 12])
async def test_an_event_and_a_look_at_the_sessions_cost_the_same_for_any_number_of_sockets(
    cast: Cast, connect: Connect, listeners: int, monkeypatch: pytest.MonkeyPatch
):
    walk = await in_thread(a_ticket(cast).pending)()
    await in_thread(TeamMembership.objects.filter(person=cast.carol.person_id).delete)()
    sockets = [await open_socket(connect, cast.carol) for _ in range(listeners)]
    reads: list[object] = []
    read = hubs._concerned

    async def counted(uid: UUID) -> object:
        reads.append(uid)
        return await read(uid)

    monkeypatch.setattr(hubs, "_concerned", counted)

    await ring_about(walk.uid, cast.team_id)

    for socket in sockets:
        assert (await heard(socket))["ticket"] == str(walk.uid)
    assert len(reads) == 1
    keys = [listener.session_key for listener in hubs.hub()._listeners]
    assert len(keys) == listeners
    with_queries = in_thread(_queries_of)
    assert await with_queries(lambda: standing_sights(keys)) == 4


def _queries_of(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as queries:
        work()
    return len(queries)


async def test_a_socket_that_is_gone_listens_no_more(cast: Cast, connect: Connect):
    socket = await open_socket(connect, cast.bob)
    assert len(bus()._listeners) == len(hubs.hub()) == 1

    await socket.disconnect()

    assert not bus()._listeners
    assert len(hubs.hub()) == 0
