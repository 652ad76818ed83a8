"""Shared reads of the gate's epoch: nobody gets a value from before its own question."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import DatabaseError

from mcpbridge import offload
from mcpbridge.server.epochs import Epochs
from tests.support.waiting import eventually_async


class Row:
    """A row that is read slowly."""

    def __init__(self) -> None:
        self.epoch = 1
        self.reads = 0
        self.may_end = threading.Event()

    def read(self) -> int:
        found = self.epoch
        self.reads += 1
        self.may_end.wait(10)
        return found


@pytest.fixture(autouse=True)
def threads_end():
    yield
    offload.shutdown()


async def test_who_asks_during_a_read_gets_a_later_one_and_shares_it():
    row = Row()
    epochs = Epochs(row.read)
    first = asyncio.create_task(epochs.current())
    await eventually_async(lambda: row.reads == 1)
    row.epoch = 2  # the first read has seen the row before this change
    later = [asyncio.create_task(epochs.current()) for _ in range(20)]
    row.may_end.set()
    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 20
    assert row.reads == 2


async def test_who_gives_up_takes_nothing_from_the_others():
    row = Row()
    epochs = Epochs(row.read)
    gone, stays = (asyncio.create_task(epochs.current()) for _ in range(2))
    await eventually_async(lambda: row.reads == 1)
    gone.cancel()
    row.may_end.set()
    assert await stays == 1
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_database_that_is_away_is_told_to_all_and_asked_again_next_time():
    answers = iter([DatabaseError("away"), 7])

    def read() -> int:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    epochs = Epochs(read)
    told = await asyncio.gather(epochs.current(), epochs.current(), return_exceptions=True)
    assert [type(found) for found in told] == [DatabaseError] * 2
    assert await epochs.current() == 7
