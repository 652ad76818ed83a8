"""Writers of one process take turns, first come, first served."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

import pytest
from django.db import connection, connections, transaction
from django.db.utils import OperationalError

from placet.engines.turns import Turns, TurnTimeout, turns_of
from tests.support.databases import RealDatabase
from tests.support.waiting import eventually


def waiting(turns: Turns, number: int) -> None:
    eventually(lambda: len(turns._queue) == number)


def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    turns, order = Turns(), []
    turns.take(within=1)

    def write(name: int) -> None:
        turns.take(within=10)
        order.append(name)
        turns.give_back()

    threads = []
    for name in range(4):
        threads.append(threading.Thread(target=write, args=(name,)))
        threads[-1].start()
        waiting(turns, name + 1)
    turns.give_back()
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3]


def test_whoever_waits_too_long_is_told_and_stands_in_nobodys_way() -> None:
    turns = Turns()
    turns.take(within=1)
    with pytest.raises(TurnTimeout):
        turns.take(within=0.01)
    turns.give_back()
    turns.take(within=1)


@pytest.fixture
def turns(real_db: RealDatabase) -> Turns:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has many writers")
    return turns_of(str(connection.settings_dict["NAME"]))


def test_a_busy_writer_lets_another_in_after_each_of_its_transactions(turns: Turns) -> None:
    """Without turns a writer that begins anew at once kept others waiting by chance."""
    done = threading.Event()
    order: list[str] = []

    def other() -> None:
        try:
            with transaction.atomic():
                order.append("other")
        finally:
            connections.close_all()
            done.set()

    with transaction.atomic():
        order.append("busy")
        thread = threading.Thread(target=other)
        thread.start()
        waiting(turns, 1)
    with transaction.atomic():  # at once, and yet behind
        order.append("busy again")
    assert done.wait(5)
    thread.join(5)
    assert order == ["busy", "other", "busy again"]


@pytest.mark.parametrize("end", [lambda: None, lambda: 1 / 0, connection.close])
def test_a_turn_is_given_back_however_its_transaction_ends(
    turns: Turns, end: Callable[[], object]
) -> None:
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        assert turns._taken
        end()
    assert not turns._taken


def test_a_turn_is_given_back_when_its_transaction_cannot_begin(turns: Turns) -> None:
    with closing(sqlite3.connect(str(connection.settings_dict["NAME"]))) as other:
        other.execute("BEGIN IMMEDIATE")  # as another process does
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 1")
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            pass
        assert not turns._taken
    connection.close()


def test_a_writer_whose_turn_does_not_come_is_told_that_the_database_is_locked(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.01)
    turns.take(within=1)
    try:
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            pass
    finally:
        turns.give_back()
