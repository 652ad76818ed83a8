"""The ledger's ports: hints that never wait, and questions to the bridge's rows."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from mcpbridge import approvals_gateway as ledger
from mcpbridge import dispatch
from mcpbridge.models import CallCompletion, CallRecord, ToolPin, Upstream
from mcpbridge.records.rows import CallEnd, CallStart, insert_ends, insert_starts
from tests.support.bridge import Bridge, a_bridge
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_engines


@pytest.fixture
def quiet_bridge(parts: None) -> Bridge:
    return a_bridge("http://127.0.0.1:9/mcp")


def a_record(bridge: Bridge, *, verdict: str = "allow") -> CallRecord:
    start = CallStart(
        agent_id=bridge.agent.id,
        person_id=bridge.agent.owner_id,
        token_id=bridge.token.id,
        upstream_id=bridge.upstream.id,
        tool_name="echo",
        tool_digest=b"t" * 32,
        verdict=verdict,
        rule="reading is fine",
        policy_version=1,
        epoch=ledger.gate().epoch,
        arguments=b"{}",
    )
    insert_starts([start])
    return CallRecord.objects.get(pk=start.id)


def test_the_owner_of_an_agent_is_the_one_of_now(quiet_bridge: Bridge):
    agent = quiet_bridge.agent
    assert dispatch.owner_of_agent(agent.id) == quiet_bridge.cast.alice.person_id
    agent.owner = quiet_bridge.cast.bob.person
    agent.save()
    assert dispatch.owner_of_agent(agent.id) == quiet_bridge.cast.bob.person_id


def test_an_unknown_agent_has_no_owner(quiet_bridge: Bridge):
    assert dispatch.owner_of_agent(uuid4()) is None


@pytest.mark.parametrize(
    ("pin", "enabled", "allowed"),
    [
        ({"idempotent": True, "max_attempts": 3}, True, 3),
        ({"idempotent": False, "max_attempts": 3}, True, 1),
        ({"idempotent": True, "max_attempts": 3, "status": "quarantined"}, True, 1),
        ({"idempotent": True, "max_attempts": 3}, False, 1),
    ],
)
def test_a_call_is_sent_twice_only_where_an_admin_says_so_now(
    quiet_bridge: Bridge, pin: dict, enabled: bool, allowed: int
):
    upstream = quiet_bridge.upstream
    seen = {"status": "pinned", "definition": {"name": "echo"}, "digest": b"d" * 32}
    ToolPin.objects.create(upstream=upstream, name="echo", **{**seen, **pin})
    Upstream.objects.filter(pk=upstream.pk).update(enabled=enabled)
    assert dispatch.attempts_allowed(upstream_id=upstream.pk, tool_name="echo") == allowed
    assert dispatch.attempts_allowed(upstream_id=upstream.pk, tool_name="other") == 1


def test_calls_that_policy_decided_alone_are_counted_by_agent_hour_and_verdict(
    quiet_bridge: Bridge, django_assert_num_queries
):
    agent = a_record(quiet_bridge).agent_id
    with django_assert_num_queries(1):
        assert dispatch.calls_unasked(agent_id=agent, seconds=3600, most=5) == (1, 0)
    a_record(quiet_bridge)
    a_record(quiet_bridge, verdict="deny")
    assert dispatch.calls_unasked(agent_id=agent, seconds=3600, most=5) == (2, 1)
    assert sum(dispatch.calls_unasked(agent_id=agent, seconds=3600, most=2)) == 2
    assert dispatch.calls_unasked(agent_id=agent, seconds=0, most=5) == (0, 0)
    assert dispatch.calls_unasked(agent_id=uuid4(), seconds=3600, most=5) == (0, 0)


def test_a_leaf_covers_every_column_of_a_call_record(quiet_bridge: Bridge):
    row = a_record(quiet_bridge)
    [(key, leaf)] = dispatch.call_leaves()
    assert key == str(row.id)
    assert len(leaf) == 32
    for field in CallRecord._meta.concrete_fields:
        changed = CallRecord.objects.get(pk=row.pk)
        value = getattr(changed, field.attname)
        setattr(changed, field.attname, _other(value))
        assert dispatch._leaf("call", changed) != leaf, field.attname


def _other(value):
    match value:
        case None:
            return "something"
        case str():
            return value + "x"
        case int():
            return value + 1
        case bytes() | memoryview():
            return bytes(value) + b"x"
        case _ if hasattr(value, "year"):
            return value + timedelta(microseconds=1)
        case _:
            return uuid4()


def test_leaves_can_be_asked_for_by_key_and_by_time(quiet_bridge: Bridge):
    first, second = a_record(quiet_bridge), a_record(quiet_bridge)
    keys = [key for key, _ in dispatch.call_leaves()]
    assert set(keys) == {str(first.id), str(second.id)}
    assert [key for key, _ in dispatch.call_leaves(rows=[str(second.id)])] == [str(second.id)]
    later = timezone.now() + timedelta(hours=1)
    assert list(dispatch.call_leaves(since=later)) == []
    assert len(list(dispatch.call_leaves(since=first.started_at))) == 2


def test_completions_have_leaves_of_their_own(quiet_bridge: Bridge):
    row = a_record(quiet_bridge)
    insert_ends([CallEnd(call_id=row.id, status="ok")])
    [(key, leaf)] = dispatch.completion_leaves()
    assert key == str(CallCompletion.objects.get().pk)
    assert leaf != next(iter(dispatch.call_leaves()))[1]
    assert dispatch.call_leaves.source != dispatch.completion_leaves.source


def test_a_hint_without_a_broker_is_lost_in_silence_and_at_once(monkeypatch, caplog):
    tried = []

    def no_broker(**anything) -> None:
        tried.append(anything)
        raise ConnectionError("no broker")

    monkeypatch.setattr(dispatch.execute_ticket, "apply_async", no_broker)
    monkeypatch.setattr(dispatch.wind_up_ticket, "apply_async", no_broker)
    uid = uuid4()
    dispatch.approved(uid)
    dispatch.ended(uid)
    eventually(lambda: len(tried) == 2)
    assert tried[0] == {"kwargs": {"ticket_id": str(uid)}}


def test_hints_that_pile_up_are_dropped(monkeypatch):
    publisher = dispatch._Publisher.__new__(dispatch._Publisher)
    publisher._queue = dispatch.queue.Queue(1)
    publisher.put(dispatch.execute_ticket, uuid4())
    publisher.put(dispatch.execute_ticket, uuid4())
    assert publisher._queue.qsize() == 1
