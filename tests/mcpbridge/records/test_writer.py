"""Group commit of call records: acknowledged after the commit, one bad item harms no other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError
from uuid6 import uuid7

from mcpbridge import approvals_gateway as ledger
from mcpbridge import records
from mcpbridge.approvals_gateway import AuthorityChanged, KillSwitchOn
from mcpbridge.models import CallCompletion, CallRecord
from mcpbridge.offload import in_database
from mcpbridge.records import CallEnd, CallStart, RecordRefused, writer
from tests.support.bridge import Bridge, a_bridge
from tests.support.waiting import eventually_async

pytestmark = [pytest.mark.usefixtures("loop_parts"), pytest.mark.both_engines]


@pytest.fixture
def quiet_bridge(parts: None) -> Bridge:
    return a_bridge("http://127.0.0.1:9/mcp")


def a_start(bridge: Bridge, epoch: int, **changes: Any) -> CallStart:
    values: dict[str, Any] = {
        "agent_id": bridge.agent.id,
        "person_id": bridge.agent.owner_id,
        "token_id": bridge.token.id,
        "upstream_id": bridge.upstream.id,
        "tool_name": "echo",
        "tool_digest": b"t" * 32,
        "verdict": "allow",
        "rule": "reading is fine",
        "policy_version": None,
        "epoch": epoch,
        "arguments": b'{"text":"hi"}',
    }
    return CallStart(**{**values, **changes})


async def epoch_now() -> int:
    return (await in_database(ledger.gate)).epoch


async def ids() -> set[Any]:
    return await in_database(lambda: set(CallRecord.objects.values_list("id", flat=True)))


async def test_a_start_is_acknowledged_when_it_is_committed(quiet_bridge: Bridge):
    start = a_start(quiet_bridge, await epoch_now())
    await records.start(start)
    assert await ids() == {start.id}


async def test_many_starts_share_transactions_and_each_is_recorded(
    quiet_bridge: Bridge, monkeypatch
):
    commits = []
    commit = writer._commit

    def counted(wanted, ends) -> None:
        commits.append(len(wanted))
        commit(wanted, ends)

    monkeypatch.setattr(writer, "_commit", counted)
    epoch = await epoch_now()
    starts = [a_start(quiet_bridge, epoch) for _ in range(100)]
    await asyncio.gather(*(records.start(start) for start in starts))
    assert await ids() == {start.id for start in starts}
    assert len(commits) < 50


async def test_a_start_judged_at_an_older_epoch_is_refused_alone(quiet_bridge: Bridge):
    epoch = await epoch_now()
    good, stale = a_start(quiet_bridge, epoch), a_start(quiet_bridge, epoch - 1)
    results = await asyncio.gather(
        records.start(stale), records.start(good), return_exceptions=True
    )
    assert isinstance(results[0], AuthorityChanged)
    assert results[1] is None
    assert await ids() == {good.id}


async def test_no_allowed_call_starts_while_the_kill_switch_is_on(quiet_bridge: Bridge):
    def kill() -> None:
        person = quiet_bridge.cast.carol.person
        person.is_admin = True
        person.save()
        ledger.kill(user=quiet_bridge.cast.carol)

    await in_database(kill)
    epoch = await epoch_now()
    with pytest.raises(KillSwitchOn):
        await records.start(a_start(quiet_bridge, epoch))
    await records.start(a_start(quiet_bridge, epoch, verdict="deny"))
    assert len(await ids()) == 1


async def test_an_item_that_fails_is_refused_alone(quiet_bridge: Bridge):
    epoch = await epoch_now()
    starts = [a_start(quiet_bridge, epoch) for _ in range(10)]
    starts[3] = replace(starts[3], agent_id=uuid4())  # no such agent: its row is refused
    results = await asyncio.gather(
        *(records.start(start) for start in starts), return_exceptions=True
    )
    assert isinstance(results[3], RecordRefused)
    assert isinstance(results[3].__cause__, IntegrityError)
    assert [r for n, r in enumerate(results) if n != 3] == [None] * 9
    assert await ids() == {start.id for n, start in enumerate(starts) if n != 3}


async def test_a_database_that_is_away_refuses_every_start_at_once(
    quiet_bridge: Bridge, monkeypatch
):
    epoch = await epoch_now()
    tries = []

    def away(wanted, ends) -> None:
        tries.append(len(wanted))
        raise OperationalError("the database is away")

    monkeypatch.setattr(writer, "_commit", away)
    results = await asyncio.gather(
        *(records.start(a_start(quiet_bridge, epoch)) for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(result, RecordRefused) for result in results)
    assert len(tries) <= 10


async def test_a_connection_that_died_is_replaced(quiet_bridge: Bridge, monkeypatch):
    commit, failures = writer._commit, iter([True, False, False])

    def dies_once(wanted, ends) -> None:
        if next(failures):
            raise OperationalError("server closed the connection unexpectedly")
        commit(wanted, ends)

    monkeypatch.setattr(writer, "_commit", dies_once)
    start = a_start(quiet_bridge, await epoch_now())
    await records.start(start)
    assert await ids() == {start.id}


async def test_a_backlog_beyond_measure_refuses_new_calls(quiet_bridge: Bridge, monkeypatch):
    monkeypatch.setattr(writer, "MAX_WAITING", 0)
    with pytest.raises(RecordRefused, match="too many"):
        await records.start(a_start(quiet_bridge, await epoch_now()))


async def test_a_completion_follows_its_start(quiet_bridge: Bridge):
    start = a_start(quiet_bridge, await epoch_now())
    await records.start(start)
    records.ended(CallEnd(call_id=start.id, status="ok", result_bytes=12, milliseconds=3))

    def look() -> CallCompletion | None:
        return CallCompletion.objects.filter(pk=start.id).first()

    row = await eventually_async(lambda: in_database(look))
    assert (row.status, row.result_bytes, row.milliseconds) == ("ok", 12, 3)


async def test_a_lost_completion_harms_nobody(quiet_bridge: Bridge, caplog):
    epoch = await epoch_now()
    start = a_start(quiet_bridge, epoch)
    await records.start(start)
    records.ended(CallEnd(call_id=uuid7(), status="ok"))
    records.ended(CallEnd(call_id=start.id, status="error"))
    await records.start(a_start(quiet_bridge, epoch))
    await in_database(records.shutdown)
    stored = await in_database(lambda: list(CallCompletion.objects.values_list("pk", flat=True)))
    assert stored == [start.id]
    assert "completions were not recorded" in caplog.text


async def test_what_waits_is_written_when_the_process_stops(quiet_bridge: Bridge):
    start = a_start(quiet_bridge, await epoch_now())
    await records.start(start)
    records.ended(CallEnd(call_id=start.id, status="ok"))
    await in_database(records.shutdown)
    assert await in_database(CallCompletion.objects.count) == 1
