"""Celery's tasks are hints: they hand on and keep nothing."""

from __future__ import annotations

from uuid import uuid4

import pytest

from mcpbridge import tasks
from mcpbridge.catalog.catalog import CatalogUnreadable


class FakeEngine:
    """Notes what it is handed."""

    def __init__(self) -> None:
        self.executed = []
        self.aborted = []
        self.error: Exception | None = None

    def execute(self, uid) -> bool:
        self.executed.append(uid)
        return True

    def abort(self, uid) -> None:
        self.aborted.append(uid)

    def run(self, work, *, seconds: float) -> None:
        work.close()
        if self.error is not None:
            raise self.error


@pytest.fixture
def engine(monkeypatch) -> FakeEngine:
    found = FakeEngine()
    monkeypatch.setattr(tasks, "engine", lambda: found)
    return found


def test_a_hint_to_execute_hands_the_ticket_to_the_engine(engine: FakeEngine):
    uid = uuid4()
    tasks.execute_ticket(ticket_id=str(uid))
    assert engine.executed == [uid]


def test_a_hint_to_wind_up_aborts_and_marks(engine: FakeEngine, monkeypatch):
    uid, marked = uuid4(), []
    monkeypatch.setattr("mcpbridge.executor.patrol.ledger.wind_up", marked.append)
    tasks.wind_up_ticket(ticket_id=str(uid))
    assert engine.aborted == marked == [uid]


@pytest.mark.parametrize("error", [CatalogUnreadable("git", "gone"), TimeoutError()])
def test_a_tool_list_that_cannot_be_read_is_no_error_of_the_task(
    engine: FakeEngine, error: Exception
):
    engine.error = error
    tasks.refresh_catalog(str(uuid4()))


def test_no_task_is_retried_or_acknowledged_late():
    for task in (tasks.execute_ticket, tasks.wind_up_ticket, tasks.refresh_catalog):
        assert task.max_retries == 0
        assert task.acks_late is False
        assert task.ignore_result is True


def test_a_ticket_id_that_is_none_is_refused_before_anything_happens(engine: FakeEngine):
    with pytest.raises(ValueError, match="UUID"):
        tasks.execute_ticket(ticket_id="not a uuid")
    assert engine.executed == []
