"""The broker is only a doorbell: emptied or gone, it costs seconds and nothing else."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.house import NOTE, House, told
from tests.support.valkey import ValkeyServer

pytestmark = pytest.mark.timeout(240)

# Seconds from a person's click to the word at the agent: the promise without any doorbell, and
# with an execution by a worker that has to find the approval by itself. A machine that stands still
# for a while makes one of two late, and not both.
DECIDED, EXECUTED = 3.0, 6.0


async def test_waiting_calls_survive_a_broker_that_is_emptied_stopped_and_started(
    house: House, valkey_server: ValkeyServer
) -> None:
    await house.furnish()
    house.placet.start()
    house.placet.start_worker()
    _, second = await asyncio.to_thread(house.placet.start_second_web)
    rounds = ("emptied", "stopped", "back")
    async with (
        house.agent("modern") as one,
        house.agent("legacy", url=second) as two,
        house.person("bob") as bob,
    ):
        calls = {}
        for number, agent in enumerate((one, two)):
            for name in rounds:
                for end in ("approve", "reject"):
                    note = f"{name} {end} {number}"
                    calls[note] = asyncio.create_task(agent.call_tool(NOTE, {"note": note}))
        tickets = {note: await house.ticket(note=note, calling=calls[note]) for note in calls}

        async def decides(round_: str) -> None:
            for end, words, within in (
                ("reject", "Rejected", DECIDED),
                ("approve", "executed once", EXECUTED),
            ):
                took = []
                for number in (0, 1):
                    note = f"{round_} {end} {number}"
                    await bob.decide(tickets[note].uid, end)
                    decided = time.monotonic()
                    assert words in await told(calls[note])
                    took.append(time.monotonic() - decided)
                print(f"{round_} {end}: {took} s")
                assert min(took) < within, (round_, end, took)

        await asyncio.to_thread(valkey_server.flush)
        await decides("emptied")
        await asyncio.to_thread(valkey_server.stop)
        await decides("stopped")
        await asyncio.to_thread(valkey_server.start)
        await decides("back")
    wanted = [note for note in calls if "approve" in note]
    assert sorted(house.notes()) == sorted(wanted)
