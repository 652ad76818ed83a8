"""A worker's own look at the rows survives everything."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.db import OperationalError

from mcpbridge.approvals_gateway import Swept
from mcpbridge.executor import patrol as module
from mcpbridge.executor.patrol import Patrol
from tests.support.waiting import eventually


class FakeEngine:
    """Notes what it is handed; has room for `room`."""

    name = "test:1"

    def __init__(self, room: int = 4) -> None:
        self.room = room
        self.rests = 0
        self.executed: list[UUID] = []
        self.aborted: list[UUID] = []

    def free(self) -> int:
        return self.room

    def resting(self) -> int:
        return self.rests

    def execute(self, uid: UUID) -> bool:
        self.executed.append(uid)
        return True

    def abort(self, uid: UUID) -> None:
        self.aborted.append(uid)


class FakeLedger:
    """Notes what it is asked; fails when told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.approved = [uuid4(), uuid4()]
        self.ended = [uuid4()]
        self.looks = 0
        self.wound_up: list[UUID] = []
        self.beats: list[tuple[str, str]] = []
        self.limits: list[int] = []

    def sweep(self) -> Swept:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return Swept(ended=tuple(self.ended))

    def executable(self, limit: int) -> list[UUID]:
        self.limits.append(limit)
        return self.approved[:limit]

    def wind_up(self, uid: UUID) -> bool:
        self.wound_up.append(uid)
        return True

    def heartbeat(self, kind: str, name: str) -> None:
        self.beats.append((kind, name))


@pytest.fixture
def ledger(monkeypatch, settings) -> FakeLedger:
    settings.APPROVALS_SWEEP_SECONDS = 0.02
    found = FakeLedger()
    monkeypatch.setattr(module, "ledger", found)
    monkeypatch.setattr(module.connections, "close_all", lambda: None)
    monkeypatch.setattr(module, "close_old_connections", lambda: None)
    return found


def test_one_look_sweeps_executes_winds_up_and_leaves_a_sign_of_life(ledger: FakeLedger):
    engine = FakeEngine(room=1)
    Patrol(engine).look()
    assert engine.executed == ledger.approved[:1]
    assert ledger.limits == [1]
    assert engine.aborted == ledger.wound_up == ledger.ended
    assert ledger.beats == [("worker", "test:1")]


def test_a_full_engine_asks_for_no_more_work(ledger: FakeLedger):
    Patrol(FakeEngine(room=0)).look()
    assert ledger.limits == []
    assert ledger.looks == 1


def test_tickets_that_rest_do_not_hide_the_others(ledger: FakeLedger):
    engine = FakeEngine(room=2)
    engine.rests = 3
    Patrol(engine).look()
    assert ledger.limits == [5]


def test_a_database_that_is_away_is_told_once_and_survived(ledger: FakeLedger, caplog):
    ledger.error = OperationalError("the database is away")
    patrol = Patrol(FakeEngine())
    patrol.start()
    eventually(lambda: ledger.looks > 5)
    assert caplog.text.count("could not be looked at") == 1
    ledger.error = None
    eventually(lambda: ledger.limits)
    patrol.stop()


def test_a_bug_in_one_look_does_not_end_the_patrol(ledger: FakeLedger):
    ledger.error = RuntimeError("planted")
    patrol = Patrol(FakeEngine())
    patrol.start()
    eventually(lambda: ledger.looks > 3)
    patrol.stop()


def test_a_stopped_patrol_looks_no_more(ledger: FakeLedger):
    patrol = Patrol(FakeEngine())
    patrol.start()
    eventually(lambda: ledger.looks > 1)
    patrol.stop()
    looks = ledger.looks
    assert not patrol._thread.is_alive()
    assert ledger.looks == looks
