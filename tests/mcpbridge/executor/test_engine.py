"""The loop thread of a worker: one execution per ticket, bounded, ended in good order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError

from mcpbridge import conf
from mcpbridge.executor import engine as module
from mcpbridge.executor.engine import Engine
from tests.support.waiting import eventually


class Runs:
    """Stands in for `run_ticket`: notes what was started, ends when told to."""

    def __init__(self) -> None:
        self.started: list[UUID] = []
        self.stopped: list[UUID] = []
        self.go_on = threading.Event()
        self.error: Exception | None = None

    async def run(self, uid: UUID, *, worker: str, stop: asyncio.Event) -> None:
        self.started.append(uid)
        if self.error is not None:
            raise self.error
        while not self.go_on.is_set():
            if stop.is_set():
                self.stopped.append(uid)
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def runs(monkeypatch) -> Runs:
    found = Runs()
    monkeypatch.setattr(module, "run_ticket", found.run)
    monkeypatch.setattr(module, "FINISH_SECONDS", 0.2)
    return found


@pytest.fixture
def running(runs: Runs) -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.stop()


def test_a_ticket_under_way_is_not_started_twice(running: Engine, runs: Runs):
    uid = uuid4()
    assert running.execute(uid)
    assert not running.execute(uid)
    eventually(lambda: runs.started == [uid])
    runs.go_on.set()
    eventually(lambda: running.execute(uid))
    eventually(lambda: runs.started == [uid, uid])


def test_there_is_room_for_so_many_and_no_more(running: Engine, runs: Runs, settings):
    settings.MCPBRIDGE_EXECUTIONS = 2
    assert running.free() == 2
    assert running.execute(uuid4())
    assert running.execute(uuid4())
    assert running.free() == 0
    assert not running.execute(uuid4())
    runs.go_on.set()
    eventually(lambda: running.free() == 2)


def test_a_ticket_that_breaks_does_not_break_the_engine(running: Engine, runs: Runs, caplog):
    runs.error = RuntimeError("planted")
    running.execute(uuid4())
    eventually(lambda: running.free() > 0 and "planted" in caplog.text)
    runs.error = None
    uid = uuid4()
    assert running.execute(uid)
    eventually(lambda: uid in runs.started)


def test_a_ticket_that_broke_is_left_to_others_for_a_while(running: Engine, runs: Runs):
    uid = uuid4()
    runs.error = RuntimeError("planted")
    running.execute(uid)
    eventually(lambda: running.resting() == 1 and running.free() > 0)
    runs.error = None
    assert not running.execute(uid)
    running._resting[uid] = 0.0
    assert running.resting() == 0
    assert running.execute(uid)


def test_a_database_that_was_away_does_not_make_a_ticket_rest(running: Engine, runs: Runs):
    uid = uuid4()
    runs.error = OperationalError("the database is away")
    running.execute(uid)
    eventually(lambda: runs.started == [uid] and running.free() == conf.executions())
    runs.error = None
    assert running.execute(uid)


def test_a_call_under_way_can_be_aborted_by_its_ticket(running: Engine, runs: Runs):
    first, second = uuid4(), uuid4()
    running.execute(first)
    running.execute(second)
    eventually(lambda: len(runs.started) == 2)
    running.abort(first)
    running.abort(uuid4())
    eventually(lambda: runs.stopped == [first])


def test_stopping_aborts_what_does_not_end_and_takes_nothing_new(runs: Runs):
    engine, uid = Engine(), uuid4()
    engine.execute(uid)
    eventually(lambda: runs.started == [uid])
    engine.stop()
    assert runs.stopped == [uid]
    assert not engine.execute(uuid4())
    assert engine.free() == 0
    engine.stop()


def test_work_that_takes_too_long_is_given_up(running: Engine):
    ended = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        running.run(forever(), seconds=0.1)
    assert ended.wait(5)


def test_a_process_has_one_engine_until_it_is_shut_down(runs: Runs):
    first = module.engine()
    assert module.engine() is first
    module.shutdown()
    second = module.engine()
    assert second is not first
    module.shutdown()
