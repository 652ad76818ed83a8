"""Held calls of one process: woken by doorbells, sure of the rows, cheap."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from django.db import OperationalError
from uuid6 import uuid7

from mcpbridge.approvals_gateway import NotVisible, State
from mcpbridge.offload import in_database
from mcpbridge.server.waiting import Waiters, settled
from tests.mcpbridge.server.support import MemoryLedger, a_ticket
from tests.support.waiting import PATIENCE, eventually_async

NEVER = 3600.0


@pytest.fixture
async def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
async def waiters(ledger: MemoryLedger) -> AsyncIterator[Waiters]:
    made = Waiters(look_seconds=NEVER, heartbeat_seconds=NEVER, ledger=ledger)
    await made.start()
    yield made
    await made.close()


async def test_one_lease_and_one_subscription_serve_all_requests(
    waiters: Waiters, ledger: MemoryLedger
) -> None:
    holders = await asyncio.gather(*(waiters.start() for _ in range(20)))
    assert set(holders) == {waiters.holder}
    assert ledger.calls.count("start_holder") == 1
    assert len(ledger.memory_bus.listeners) == 1


async def test_a_doorbell_wakes_the_waiters_of_its_ticket_and_no_other(
    waiters: Waiters, ledger: MemoryLedger
) -> None:
    agent = uuid7()
    mine, other = (ledger.add(a_ticket(agent), waiters.holder) for _ in range(2))
    first, second = waiters.join(mine.uid, agent), waiters.join(mine.uid, agent)
    stranger = waiters.join(other.uid, agent)
    ledger.memory_bus.ring({"t": str(mine.uid), "v": 2, "s": "approved"})
    assert await first.rings(1)
    assert await second.rings(1)
    assert not await stranger.rings(0)


@pytest.mark.parametrize("message", [{}, {"t": "no id"}, {"g": 5, "k": True}, {"t": None}])
async def test_a_doorbell_that_names_no_ticket_is_ignored(
    waiters: Waiters, ledger: MemoryLedger, message: dict[str, object]
) -> None:
    ticket = ledger.add(a_ticket(uuid7()), waiters.holder)
    waiter = waiters.join(ticket.uid, ticket.agent_id)
    ledger.memory_bus.ring(message)
    assert not await waiter.rings(0)


async def test_lost_doorbells_make_everybody_look(waiters: Waiters, ledger: MemoryLedger) -> None:
    tickets = [ledger.add(a_ticket(uuid7()), waiters.holder) for _ in range(3)]
    here = [waiters.join(ticket.uid, ticket.agent_id) for ticket in tickets]
    ledger.memory_bus.ring({"lost": True})
    assert all([await waiter.rings(1) for waiter in here])


async def test_a_change_without_a_doorbell_is_found_by_one_look_for_all(
    ledger: MemoryLedger,
) -> None:
    waiters = Waiters(look_seconds=0.02, heartbeat_seconds=NEVER, ledger=ledger)
    await waiters.start()
    try:
        tickets = [ledger.add(a_ticket(uuid7()), waiters.holder) for _ in range(200)]
        here = [waiters.join(ticket.uid, ticket.agent_id) for ticket in tickets]
        for waiter in here:
            await waiters.view(waiter)
        for waiter in here:
            await waiter.rings(0)  # a look that came before the view
        ledger.end(tickets[7].uid, State.REJECTED)
        looks = ledger.calls.count("states")
        assert await here[7].rings(5)
        assert ledger.calls.count("states") - looks <= 3
        assert not await here[8].rings(0)
    finally:
        await waiters.close()


async def test_a_thousand_waiters_cost_neither_threads_nor_looks_each(
    waiters: Waiters, ledger: MemoryLedger
) -> None:
    tickets = [ledger.add(a_ticket(uuid7()), waiters.holder) for _ in range(1000)]
    here = [waiters.join(ticket.uid, ticket.agent_id) for ticket in tickets]
    waiting = [asyncio.create_task(waiter.rings(30)) for waiter in here]
    await asyncio.sleep(0)
    asked = len(ledger.calls)
    for ticket in tickets:
        ledger.memory_bus.ring({"t": str(ticket.uid), "v": 2, "s": "approved"})
    assert all(await asyncio.gather(*waiting))
    assert len(ledger.calls) == asked
    assert len(ledger.threads) <= 4


async def test_the_last_to_leave_is_told_so(waiters: Waiters) -> None:
    uid, agent = uuid7(), uuid7()
    first, second = waiters.join(uid, agent), waiters.join(uid, agent)
    assert not waiters.leave(first)
    assert not waiters.leave(first)
    assert waiters.leave(second)
    assert len(waiters) == 0


async def test_a_ticket_that_lost_its_holder_is_held_again_by_who_waits_for_it(
    waiters: Waiters, ledger: MemoryLedger
) -> None:
    ticket = ledger.add(a_ticket(uuid7(), detached=True), None)
    view = await waiters.view(waiters.join(ticket.uid, ticket.agent_id))
    assert not view.detached
    assert ledger.holders[ticket.uid] == waiters.holder


async def test_another_agents_ticket_cannot_be_attached_to(
    waiters: Waiters, ledger: MemoryLedger
) -> None:
    ticket = ledger.add(a_ticket(uuid7()), None)
    with pytest.raises(NotVisible):
        await waiters.attach(waiters.join(ticket.uid, uuid7()))


async def test_a_lease_that_ran_out_runs_again_and_what_was_left_is_held_again(
    ledger: MemoryLedger,
) -> None:
    waiters = Waiters(look_seconds=0.02, heartbeat_seconds=0.02, ledger=ledger)
    holder = await waiters.start()
    try:
        left, held = (ledger.add(a_ticket(uuid7()), holder) for _ in range(2))
        mine, other = (waiters.join(ticket.uid, ticket.agent_id) for ticket in (left, held))
        for waiter in (mine, other):
            await waiters.view(waiter)
        for waiter in (mine, other):
            await waiter.rings(0)  # a look that came before the view
        ledger.alive.clear()
        ledger.holders[left.uid] = None
        ledger.change(left.uid, detached=True)  # as the sweeper does
        await eventually_async(lambda: ledger.alive == {holder})
        assert await mine.rings(5)
        await waiters.view(mine)
        assert ledger.holders[left.uid] == holder
        assert waiters.holder == holder
        assert not await other.rings(0)
    finally:
        await waiters.close()


async def test_the_heartbeat_does_not_queue_behind_the_calls(ledger: MemoryLedger) -> None:
    waiters = Waiters(look_seconds=NEVER, heartbeat_seconds=0.02, ledger=ledger)
    await waiters.start()
    release = threading.Event()
    busy = [asyncio.create_task(in_database(release.wait, 20)) for _ in range(50)]
    try:
        beats = ledger.calls.count("renew_holder")
        await eventually_async(lambda: ledger.calls.count("renew_holder") > beats + 2)
    finally:
        release.set()
        await asyncio.gather(*busy)
        await waiters.close()


async def test_a_database_that_is_away_does_not_end_the_looking(ledger: MemoryLedger) -> None:
    waiters = Waiters(look_seconds=0.02, heartbeat_seconds=NEVER, ledger=ledger)
    await waiters.start()
    try:
        ticket = ledger.add(a_ticket(uuid7()), waiters.holder)
        waiter = waiters.join(ticket.uid, ticket.agent_id)
        await waiters.view(waiter)
        ledger.broken = OperationalError("away")
        looked = ledger.calls.count("states")
        await eventually_async(lambda: ledger.calls.count("states") > looked + 1)
        ledger.broken = None
        ledger.end(ticket.uid, State.EXPIRED)
        assert await waiter.rings(5)
    finally:
        await waiters.close()


async def test_closing_gives_the_lease_back(ledger: MemoryLedger) -> None:
    waiters = Waiters(look_seconds=NEVER, heartbeat_seconds=NEVER, ledger=ledger)
    await waiters.start()
    await waiters.close()
    assert ledger.alive == set()
    assert ledger.memory_bus.listeners == []


async def test_work_of_a_cancelled_request_is_finished_and_told() -> None:
    release, told = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def work() -> int:
        await release.wait()
        return 7

    request = asyncio.create_task(settled(work(), otherwise=told.set_result))
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    release.set()
    assert (await asyncio.wait_for(told, PATIENCE)).result() == 7
