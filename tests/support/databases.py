"""Databases that really commit, one per test or stage: copies of a migrated template.

The audit tables refuse DELETE, so nothing can be emptied between tests; a fresh copy is cheaper
anyway. Threads and processes see the same database, through `url`.
"""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from django.db import connection, connections


@dataclass(frozen=True)
class RealDatabase:
    """A committing database; `url` is what another process takes as DATABASE_URL."""

    engine: str  # sqlite3 or postgresql
    name: str
    url: str


@contextmanager
def fresh_database(folder: Path, template: str) -> Iterator[RealDatabase]:
    """Switch Django to a new copy of `template`, for all threads, and back afterwards."""
    with copied(folder, template) as real, used(real):
        yield real


@contextmanager
def copied(folder: Path, template: str) -> Iterator[RealDatabase]:
    """A new copy of `template`, which nobody uses yet."""
    settings = connections.settings["default"]
    connections.close_all()
    if connection.vendor == "sqlite":
        yield _copy_sqlite(template, folder / "real.sqlite3")
        return
    real = _copy_postgres(settings, template)
    try:
        yield real
    finally:
        connections.close_all()
        _administer(settings, f'DROP DATABASE IF EXISTS "{real.name}" WITH (FORCE)')


@contextmanager
def used(real: RealDatabase) -> Iterator[None]:
    """Switch Django to `real`, for all threads, and back afterwards."""
    settings = connections.settings["default"]
    before = settings["NAME"]
    connections.close_all()
    settings["NAME"] = real.name
    connection.settings_dict["NAME"] = real.name
    try:
        yield
    finally:
        connections.close_all()
        settings["NAME"] = before
        connection.settings_dict["NAME"] = before


@contextmanager
def migrated_copy(migrated: str) -> Iterator[None]:
    """Make the test database a copy of one that was migrated before, and remove it in the end.

    Migrating takes seconds of a core, and each worker has a database of its own.
    """
    settings = connections.settings["default"]
    before, name = settings["NAME"], connection.creation._get_test_db_name()
    connections.close_all()
    if connection.vendor == "sqlite":
        _copy_sqlite(migrated, Path(name))
    else:
        _administer(settings, f'CREATE DATABASE "{name}" TEMPLATE "{migrated}"')
    settings["NAME"] = connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connections.close_all()
        settings["NAME"] = connection.settings_dict["NAME"] = before
        if connection.vendor == "sqlite":
            Path(name).unlink(missing_ok=True)
        else:
            _administer(settings, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def make_template(folder: Path) -> str:
    """A template from the migrated test database that pytest-django made; returns its name."""
    settings = connections.settings["default"]
    connections.close_all()
    if connection.vendor == "sqlite":
        return _copy_sqlite(settings["NAME"], folder / "template.sqlite3").name
    name = f"placet_template_{secrets.token_hex(4)}"
    _administer(settings, f'CREATE DATABASE "{name}" TEMPLATE "{settings["NAME"]}"')
    return name


def drop_template(name: str) -> None:
    """Remove a template on PostgreSQL; a SQLite one goes with its folder."""
    if connection.vendor == "postgresql":
        settings = connections.settings["default"]
        _administer(settings, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _copy_sqlite(source: str, target: Path) -> RealDatabase:
    with (
        sqlite3.connect(f"file:{quote(source)}?mode=ro", uri=True) as origin,
        sqlite3.connect(target) as copy,
    ):
        origin.backup(copy)
    origin.close()
    copy.close()
    return RealDatabase(engine="sqlite3", name=str(target), url=f"sqlite:///{target}")


def _copy_postgres(settings: dict[str, Any], template: str) -> RealDatabase:
    name = f"placet_real_{secrets.token_hex(6)}"
    _administer(settings, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    options = {k: v for k, v in settings["OPTIONS"].items() if k == "port"}
    query = "&".join(
        f"{key}={quote(str(value), safe='/')}"
        for key, value in {"host": settings["HOST"], **options}.items()
    )
    secret = f":{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else ""
    url = f"postgres://{settings['USER']}{secret}@/{name}?{query}"
    return RealDatabase(engine="postgresql", name=name, url=url)


def _administer(settings: dict[str, Any], statement: str) -> None:
    options = {k: v for k, v in settings["OPTIONS"].items() if k in {"port", "connect_timeout"}}
    if settings["PORT"]:
        options["port"] = settings["PORT"]
    with psycopg.connect(
        dbname="postgres",
        user=settings["USER"],
        password=settings["PASSWORD"] or None,
        host=settings["HOST"],
        autocommit=True,
        **options,
    ) as session:
        session.execute(statement)  # type: ignore[call-overload]
