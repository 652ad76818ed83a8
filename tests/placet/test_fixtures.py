"""The suite's own ground: databases that commit, servers that run, waits that end."""

import threading

import pytest
from django.db import connection

from tests.support.databases import RealDatabase
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually


def table_count() -> int:
    with connection.cursor() as cursor:
        return len(connection.introspection.table_names(cursor))


@pytest.mark.both_engines
def test_a_real_database_is_migrated_and_seen_by_other_threads(real_db: RealDatabase) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(table_count())
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(10)
    assert seen == [table_count()]
    assert seen[0] > 5
    assert connection.settings_dict["NAME"] == real_db.name


def test_valkey_comes_back_under_the_same_address(valkey_server: ValkeyServer) -> None:
    assert valkey_server.answers()
    valkey_server.stop()
    assert not valkey_server.answers()
    valkey_server.start()
    assert valkey_server.answers()


def test_a_bounded_wait_fails_with_what_it_saw() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s: the moon; last seen: 0"):
        eventually(lambda: 0, within=0.05, why="the moon")
