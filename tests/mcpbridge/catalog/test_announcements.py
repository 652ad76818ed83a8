"""What upstreams announce, with sessions that end, refuse and flood as told."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from mcpbridge.catalog import channel
from mcpbridge.catalog.announcements import Announcements
from mcpbridge.catalog.channel import Announcement, Subscription
from mcpbridge.catalog.snapshot import Source
from mcpbridge.upstream.client import NoStream
from mcpbridge.upstream.errors import RequestFailed, UpstreamUnavailable
from mcpbridge.upstream.notifications import UPDATED, Wanted
from mcpbridge.upstream.replies import Message, ToolResult
from tests.support.waiting import PATIENCE, eventually_async

LIBRARY = Source(
    id=uuid4(),
    name="library",
    digest=b"1",
    team_ids=frozenset(),
    trusts_annotations=False,
    spec=None,
)
PROMPTS = Wanted(frozenset({"prompts"}))


class Session:
    """A session that listens until it is told to end."""

    is_shared_process = False

    def __init__(self, era: str = "modern") -> None:
        self.era = era
        self.spec = SimpleNamespace(name="library")
        self.wanted: list[Wanted] = []
        self.open = 0
        self.sent: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self.end = asyncio.Event()

    async def listen(self, wanted: Wanted, *, opened: asyncio.Event) -> None:
        self.wanted.append(wanted)
        if self.failure is not None:
            raise self.failure
        self.open += 1
        try:
            opened.set()
            await self.end.wait()
        finally:
            self.open -= 1

    async def request(self, method: str, params: dict[str, Any]) -> ToolResult:
        self.sent.append((method, params["uri"]))
        return ToolResult({}, 2)


class Hub:
    """The announcements over one session, and what was heard."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.opened = 0
        self.away: Exception | None = None
        self.reread = 0
        self.heard: list[Announcement] = []
        self.hub = Announcements(self._open, lambda source, agent_id: "shared", self._reread)

    async def _open(self, source: Source, agent_id: UUID | None) -> Any:
        self.opened += 1
        if self.away is not None:
            raise self.away
        return self.session

    async def _reread(self, source: Source, agent_id: UUID | None) -> None:
        self.reread += 1

    def listen(self, wanted: Wanted) -> Subscription:
        return self.hub.listen(LIBRARY, agent_id=uuid4(), wanted=wanted, listener=self.heard.append)

    def say(self, method: str, **params: Any) -> None:
        body = {"jsonrpc": "2.0", "method": method, "params": params}
        self.hub.heard(LIBRARY.id, "shared", Message(kind="notification", body=body, size=1))


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(channel, "FIRST_PAUSE", 0.01)
    made = Hub(Session())
    yield made
    await made.hub.close()
    assert made.session.open == 0


async def test_one_stream_serves_all_who_listen_and_goes_with_the_last(hub: Hub) -> None:
    one, two = hub.listen(PROMPTS), hub.listen(PROMPTS)
    await one.stands()
    assert hub.session.open == 1
    one.close()
    assert hub.session.open == 1
    two.close()
    two.close()
    await eventually_async(lambda: hub.session.open == 0)
    assert len(hub.hub) == 0


async def test_a_stream_for_more_stands_before_the_old_one_ends(hub: Hub) -> None:
    one = hub.listen(PROMPTS)
    await one.stands()
    two = hub.listen(Wanted(frozenset({"tools"}), frozenset({"book://moby"})))
    await two.stands()
    assert hub.session.wanted[-1] == PROMPTS | two.wanted
    await eventually_async(lambda: hub.session.open == 1)


async def test_an_older_session_is_subscribed_and_unsubscribed(hub: Hub) -> None:
    hub.session.era = "legacy"
    one = hub.listen(PROMPTS)
    two = hub.listen(Wanted(uris=frozenset({"book://moby"})))
    await two.stands()
    assert ("resources/subscribe", "book://moby") in hub.session.sent
    two.close()
    await eventually_async(lambda: ("resources/unsubscribe", "book://moby") in hub.session.sent)
    one.close()
    assert len(hub.session.wanted) == 1  # one stream all the time


async def test_a_server_that_others_use_too_is_not_unsubscribed(hub: Hub) -> None:
    hub.session.era = "legacy"
    hub.session.is_shared_process = True
    one = hub.listen(Wanted(uris=frozenset({"book://moby"})))
    await one.stands()
    one.close()
    await eventually_async(lambda: hub.session.open == 0)
    assert hub.session.sent == [("resources/subscribe", "book://moby")]


@pytest.mark.parametrize("failure", [RequestFailed("it broke"), UpstreamUnavailable("away")])
async def test_a_stream_that_ends_is_opened_anew(hub: Hub, failure: Exception) -> None:
    hub.away = failure
    hub.listen(PROMPTS)
    await eventually_async(lambda: hub.opened > 2)
    hub.away = None
    await eventually_async(lambda: hub.session.open == 1)
    hub.session.end.set()
    await eventually_async(lambda: len(hub.session.wanted) > 1)


async def test_a_server_without_a_stream_is_left_alone_for_a_while(hub: Hub) -> None:
    hub.session.failure = NoStream("405")
    subscription = hub.listen(PROMPTS)
    async with asyncio.timeout(PATIENCE):
        await subscription.stands()  # nobody waits for what does not come
    assert hub.opened == 1


async def test_only_what_is_wanted_is_passed_on_and_parts_of_it(hub: Hub) -> None:
    await hub.listen(Wanted(frozenset({"prompts"}), frozenset({"file:///a"}))).stands()
    hub.say("notifications/resources/list_changed")
    hub.say("notifications/prompts/list_changed")
    hub.say(UPDATED, uri="file:///a/b")
    hub.say(UPDATED, uri="file:///ab")
    hub.say(UPDATED, uri=7)
    hub.say(UPDATED, uri="file:///a/" + "x" * 10_000)
    assert [(one.kind, one.uri) for one in hub.heard] == [
        ("prompts", ""),
        ("updated", "file:///a/b"),
    ]


async def test_tools_are_read_before_anybody_is_told_and_once_at_a_time(hub: Hub) -> None:
    await hub.listen(Wanted(frozenset({"tools"}))).stands()
    for _ in range(1000):
        hub.say("notifications/tools/list_changed")
    await eventually_async(lambda: hub.heard)
    assert hub.reread == 1
    assert [one.kind for one in hub.heard] == ["tools"]
    hub.say("notifications/tools/list_changed")  # while it rests from reading
    assert hub.reread == 1
    await eventually_async(lambda: hub.reread == 2)


async def test_a_listener_that_fails_takes_nothing_from_the_others(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Announcement) -> None:
        raise ValueError

    hub.hub.listen(LIBRARY, agent_id=uuid4(), wanted=PROMPTS, listener=broken)
    await hub.listen(PROMPTS).stands()
    hub.say("notifications/prompts/list_changed")
    assert len(hub.heard) == 1
    assert "A listener to library failed." in caplog.text
