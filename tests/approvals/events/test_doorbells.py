"""Doorbells: rung after the commit, heard by everybody, missed by nobody for long."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.db import transaction
from uuid6 import uuid7

from approvals.events import (
    Bus,
    bus,
    gate_changed,
    listening,
    publisher,
    ticket_changed,
)
from approvals.events.publisher import Publisher
from approvals.events.wire import gate_message, parcel, ticket_message, unpacked
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually, eventually_async


@pytest.fixture
def channel_layer(valkey_server: ValkeyServer, settings):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                "hosts": [{"address": valkey_server.url, "socket_timeout": None}],
                "prefix": "doorbells",
            },
        }
    }
    return valkey_server


class Recorder:
    """A layer that keeps what is sent."""

    def __init__(self, fail: bool = False) -> None:
        self.sent: list[tuple[str, dict]] = []
        self.fail = fail

    async def group_send(self, group, message):
        if self.fail:
            raise ConnectionError("no broker")
        self.sent.append((group, message))

    @property
    def messages(self) -> list[Any]:
        """Everything sent, out of its parcels."""
        return [message for _, sent in self.sent for message in unpacked(sent)]


@pytest.fixture
def recorder(monkeypatch) -> Recorder:
    layer = Recorder()
    monkeypatch.setattr(publisher, "get_channel_layer", lambda: layer)
    return layer


def test_a_ticket_rings_with_identifiers_only(db, recorder, django_capture_on_commit_callbacks):
    uid, team = uuid7(), uuid7()
    with django_capture_on_commit_callbacks(execute=True):
        ticket_changed(uid, 3, "approved", team)
        gate_changed(7, True)
        assert recorder.sent == []
    eventually(lambda: len(recorder.messages) == 2, within=5)
    assert {group for group, _ in recorder.sent} == {"placet"}
    assert recorder.messages == [
        {"type": "placet.changed", "t": str(uid), "v": 3, "s": "approved", "m": str(team)},
        {"type": "placet.changed", "g": 7, "k": True},
    ]


def test_what_is_rolled_back_does_not_ring(db, recorder, django_capture_on_commit_callbacks):
    def ring_and_fail() -> None:
        with transaction.atomic():
            ticket_changed(uuid7(), 1, "pending", uuid7())
            raise ZeroDivisionError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError):
        ring_and_fail()
    with django_capture_on_commit_callbacks(execute=True):
        gate_changed(1, False)
    eventually(lambda: recorder.sent, within=5)
    assert [message.get("g") for message in recorder.messages] == [1]


def test_a_broker_that_is_away_raises_nothing_and_is_reported_once(monkeypatch, caplog):
    layer = Recorder(fail=True)
    monkeypatch.setattr(publisher, "get_channel_layer", lambda: layer)
    mine = Publisher()
    with caplog.at_level(logging.WARNING):
        for epoch in range(5):
            mine.put(gate_message(epoch=epoch, killed=False))
        eventually(mine._queue.empty, within=5)
        layer.fail = False
        mine.put(gate_message(epoch=9, killed=False))
        eventually(lambda: layer.sent, within=5)
    assert caplog.text.count("Doorbells are being lost") == 1


def test_a_queue_that_is_full_drops_the_newest_instead_of_waiting(monkeypatch, caplog):
    started, go_on = threading.Event(), threading.Event()

    class Stuck(Recorder):
        async def group_send(self, group, message):
            started.set()
            await asyncio.to_thread(go_on.wait, 10)
            await super().group_send(group, message)

    layer = Stuck()
    monkeypatch.setattr(publisher, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(publisher, "PATIENCE", 20)
    mine = Publisher(capacity=2)
    mine.put(gate_message(epoch=0, killed=False))
    assert started.wait(5)
    for epoch in range(1, 6):
        mine.put(gate_message(epoch=epoch, killed=False))
    go_on.set()
    eventually(lambda: len(layer.messages) == 3, within=5)
    assert [message["g"] for message in layer.messages] == [0, 1, 2]
    assert len(layer.sent) == 2  # what waited behind the first travelled together
    assert "queue is full" in caplog.text


def test_without_a_channel_layer_nothing_is_sent(monkeypatch):
    monkeypatch.setattr(publisher, "get_channel_layer", lambda: None)
    mine = Publisher()
    mine.put(gate_message(epoch=1, killed=False))
    eventually(mine._queue.empty, within=5)


async def test_everybody_on_the_bus_hears_what_any_process_rings(channel_layer):
    mine = bus()
    assert bus() is mine
    first: list[dict] = []
    second: list[dict] = []
    stop_first = mine.listen(first.append)
    mine.listen(second.append)
    await asyncio.wait_for(mine.subscribed(), 5)
    uid, team = uuid7(), uuid7()
    Publisher().put(ticket_message(uid=uid, version=2, state="rejected", team_id=team))
    await eventually_async(lambda: first and second, within=5)
    assert first == second == [{"t": str(uid), "v": 2, "s": "rejected", "m": str(team)}]
    stop_first()
    Publisher().put(gate_message(epoch=4, killed=True))
    await eventually_async(lambda: len(second) == 2, within=5)
    assert len(first) == 1
    await mine.close()


async def test_what_travelled_together_is_heard_one_by_one_and_the_malformed_ignored(
    channel_layer, caplog
):
    mine = Bus()
    heard: list[dict] = []
    mine.listen(heard.append)
    await asyncio.wait_for(mine.subscribed(), 5)
    good = [gate_message(epoch=epoch, killed=False) for epoch in (1, 2)]
    layer = get_channel_layer()
    await layer.group_send("placet", parcel([good[0], {"t": "no id"}, ["?"], good[1]]))  # type: ignore[list-item]  # somebody else writes it
    await eventually_async(lambda: len(heard) == 2, within=5)
    assert [message["g"] for message in heard] == [1, 2]
    assert caplog.text.count("nobody here writes") == 2
    await mine.close()


async def test_a_listener_that_fails_silences_nobody(channel_layer, caplog):
    mine = Bus()
    heard: list[dict] = []

    def broken(message):
        raise ZeroDivisionError

    mine.listen(broken)
    mine.listen(heard.append)
    await asyncio.wait_for(mine.subscribed(), 5)
    Publisher().put(gate_message(epoch=4, killed=True))
    await eventually_async(lambda: heard, within=5)
    assert "listener" in caplog.text
    await mine.close()


async def test_a_subscription_that_breaks_says_so_and_comes_back(monkeypatch, caplog):
    class Flaky:
        def __init__(self) -> None:
            self.subscriptions = 0
            self.messages: asyncio.Queue[dict] = asyncio.Queue()

        async def new_channel(self):
            return "channel"

        async def group_add(self, group, channel):
            self.subscriptions += 1
            if self.subscriptions < 3:
                raise ConnectionError("no broker")

        async def group_discard(self, group, channel):
            pass

        async def receive(self, channel):
            return await self.messages.get()

    layer = Flaky()
    monkeypatch.setattr(listening, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(listening, "RESUBSCRIBE_AFTER", 0.01)
    mine = Bus()
    heard: list[dict] = []
    mine.listen(heard.append)
    await asyncio.wait_for(mine.subscribed(), 5)
    layer.messages.put_nowait(gate_message(epoch=4, killed=True))
    await eventually_async(lambda: {"g": 4, "k": True} in heard, within=5)
    assert heard == [{"lost": True}, {"lost": True}, {"g": 4, "k": True}]
    assert caplog.text.count("subscribing again") == 1
    await mine.close()


async def test_a_bus_without_a_channel_layer_keeps_trying(monkeypatch):
    monkeypatch.setattr(listening, "get_channel_layer", lambda: None)
    mine = Bus()
    heard: list[dict] = []
    mine.listen(heard.append)
    await eventually_async(lambda: heard == [{"lost": True}], within=5)
    await mine.close()


async def test_a_broker_that_restarts_is_heard_again(channel_layer):
    mine = Bus()
    heard: list[dict] = []
    mine.listen(heard.append)
    await asyncio.wait_for(mine.subscribed(), 5)
    await asyncio.to_thread(channel_layer.stop)
    await asyncio.to_thread(channel_layer.start)
    ringing = Publisher()

    def heard_again() -> bool:
        ringing.put(gate_message(epoch=1, killed=False))
        return any(message.get("g") == 1 for message in heard)

    await eventually_async(heard_again, within=20)
    await mine.close()
