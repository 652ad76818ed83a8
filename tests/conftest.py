"""Fixtures of the whole suite. Ordinary tests take `db` (rolled back); tests with threads, other
processes or the event loop take `real_db` (a committing database of their own)."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from tests.support.databases import (
    RealDatabase,
    drop_template,
    fresh_database,
    make_template,
    migrated_copy,
)
from tests.support.live import LivePlacet
from tests.support.order import long_first
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer


def pytest_configure(config: pytest.Config) -> None:
    """Little of what is imported and collected becomes garbage: the collector waits."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported and collected lives to the end: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each pass runs what it can judge; the command `manage.py test` makes both passes.

    Each of several workers begins with some of the longest tests.
    """
    on_postgres = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    kept, left = [], []
    for item in items:
        wants_postgres = item.get_closest_marker("postgres") is not None
        both = item.get_closest_marker("both_engines") is not None
        right = (wants_postgres or both) if on_postgres else not wants_postgres
        (kept if right else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = long_first(items, workers=workers)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests measured (`record_property("figure", …)`)."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    figures = [
        f"{value}  {report.nodeid.rpartition('/')[2]}"
        for report in reports
        if report.when == "call"
        for name, value in report.user_properties
        if name == "figure"
    ]
    if figures:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join([*figures, ""]))


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """The migrated test database, made whether or not a collected test names `db`.

    The whole suite migrates one and says where it is; otherwise it is migrated here.
    """
    migrated = os.environ.get("MIGRATED_DATABASE")
    if migrated:
        with django_db_blocker.unblock(), migrated_copy(migrated):
            yield
        return
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"})
    yield
    with django_db_blocker.unblock():
        connections.close_all()
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this session."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def valkey_server() -> Iterator[ValkeyServer]:
    """A running Valkey server of this test; it may be flushed, stopped and started."""
    server = ValkeyServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def database_template(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The migrated, otherwise empty database that others are copied from."""
    with django_db_blocker.unblock():
        name = make_template(tmp_path_factory.mktemp("template"))
    yield name
    with django_db_blocker.unblock():
        drop_template(name)


@pytest.fixture
def starting_point(database_template: str) -> str:
    """The database that this test's `real_db` copies; a folder may have furnished one."""
    return database_template


@pytest.fixture
def real_db(
    starting_point: str, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[RealDatabase]:
    """A database of this test that really commits, seen by all threads and processes."""
    with django_db_blocker.unblock(), fresh_database(tmp_path, starting_point) as real:
        assert connection.settings_dict["NAME"] == real.name
        yield real


@pytest.fixture
def live_placet(
    real_db: RealDatabase, valkey_server: ValkeyServer, tmp_path: Path
) -> Iterator[LivePlacet]:
    """A whole installation as real processes over `real_db`; start what the test needs."""
    placet = LivePlacet(database=real_db, broker=valkey_server, folder=tmp_path)
    try:
        yield placet
    finally:
        placet.stop()
