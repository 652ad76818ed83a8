"""The suite's own ground: databases that commit, servers that run, waits that end."""

import os
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest
from django.apps import apps
from django.db import connection
from pytest_django import DjangoDbBlocker

from approvals.audit.verification import verify
from tests.support.builders import a_cast, a_ticket
from tests.support.databases import RealDatabase, fresh_database
from tests.support.installation import survivors
from tests.support.nursery import ADDRESS, Child, Nursery, NurseryGone, shared
from tests.support.processes import ROOT, Running
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


@pytest.mark.postgres
def test_a_database_is_handed_on_as_it_was_made(
    database_template: str, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> None:
    def wholly() -> dict[str, list[object]]:
        return {model._meta.db_table: list(model.objects.values()) for model in apps.get_models()}

    def fresh() -> AbstractContextManager[RealDatabase]:
        return fresh_database(tmp_path, database_template)

    with django_db_blocker.unblock():
        with fresh() as first:
            before = wholly()
            ticket = a_ticket(a_cast()).succeeded()
            assert wholly() != before
            last = ticket.ticket.pk
        with fresh() as second:
            assert second.name != first.name
            assert wholly() == before
            assert a_ticket(a_cast()).succeeded().ticket.pk == last
            assert verify() == []
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE approvals_auditevent DISABLE TRIGGER USER")
                cursor.execute("SELECT oid FROM pg_database WHERE datname = %s", [second.name])
                changed = cursor.fetchone()
        with fresh() as third, connection.cursor() as cursor:
            cursor.execute("SELECT oid FROM pg_database WHERE datname = %s", [third.name])
            assert cursor.fetchone() != changed
            assert wholly() == before


def test_valkey_comes_back_under_the_same_address(valkey_server: ValkeyServer) -> None:
    assert valkey_server.answers()
    valkey_server.stop()
    assert not valkey_server.answers()
    valkey_server.start()
    assert valkey_server.answers()


def test_a_bounded_wait_fails_with_what_it_saw() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s: the moon; last seen: 0"):
        eventually(lambda: 0, within=0.05, why="the moon")


def test_a_wait_that_failed_tells_what_is_known_then() -> None:
    said = ["nothing yet"]

    def look() -> bool:
        said[0] = "it ended with 7"
        return False

    with pytest.raises(AssertionError, match="it ended with 7; last seen: False"):
        eventually(look, within=0.05, why=lambda: said[0])


def test_a_child_of_the_nursery_is_the_program_that_was_asked_for(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import os, sys, __main__\n"
        "assert __name__ == '__main__' and 'approvals' not in sys.modules\n"
        "print(sys.argv[1:], os.environ['WORD'], os.getcwd(), os.getsid(0) == os.getpid())\n"
        "print(os.read(int(sys.argv[1]), 10), file=sys.stderr)\n"
        "sys.exit(7)\n"
    )
    reading, writing = os.pipe()
    os.write(writing, b"handed on")
    child = Running(
        [sys.executable, str(script), str(reading)],
        log=tmp_path / "log",
        env={"WORD": "hello"},
        pass_fds=[reading],
        cwd=tmp_path,
    )
    assert child.process.wait(20) == 7
    assert child.output() == f"['{reading}'] hello {tmp_path} True\nb'handed on'\n"
    os.close(reading)
    os.close(writing)


def test_a_child_of_the_nursery_ends_by_a_signal_like_any_other(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    child = Running([sys.executable, str(script)], log=tmp_path / "log")
    child.says("here")
    assert child.alive()
    child.kill()
    assert (child.process.returncode, child.alive()) == (-9, False)


A_SUITE = (
    "import sys\n"
    "from tests.support.nursery import shared\n"
    "with shared(libraries=()):\n"
    "    print('here', flush=True)\n"
    "    sys.stdin.read()\n"
)


def test_a_killed_suite_leaves_no_mother_process_behind(tmp_path: Path) -> None:
    suite = subprocess.Popen(
        [sys.executable, "-c", A_SUITE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert suite.stdin is not None
    assert suite.stdout is not None
    with suite, suite.stdin, suite.stdout:
        assert suite.stdout.readline() == b"here\n"
        mothers = psutil.Process(suite.pid).children()
        assert len(mothers) == 1
        suite.kill()
    eventually(lambda: survivors(mothers) == [], why="the mother is gone")


def test_a_nursery_that_died_is_named_with_what_it_wrote(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def bear(nursery: Nursery) -> Child:
        with (tmp_path / "log").open("ab") as output:
            argv = [sys.executable, "-m", "this"]
            return nursery.bear(argv, env=None, cwd=tmp_path, output=output.fileno(), pass_fds=())

    before = set(psutil.Process().children())
    with shared(libraries=()) as found:
        monkeypatch.setenv(ADDRESS, found[ADDRESS])
        nursery = Nursery()
        assert bear(nursery).wait(30) == 0
        nursery._socket.send(b"no request")
        with pytest.raises(NurseryGone, match=r"(?s)nursery\.log: .*JSONDecodeError"):
            bear(nursery)
        nursery.close()
        (mother,) = set(psutil.Process().children()) - before
        mother.kill()
        mother.wait(10)
        with pytest.raises(NurseryGone, match="it could be reached at"):
            Nursery()
