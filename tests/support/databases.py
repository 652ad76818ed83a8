"""Databases that really commit, one per test or stage: copies of a migrated template.

Threads and processes see the same database, through `url`. On PostgreSQL, where a copy is dear, a
database that is given back as it was made serves the next test too.
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

from tests.support.handed_on import AsMade, as_made, restored


@dataclass(frozen=True)
class RealDatabase:
    """A committing database; `url` is what another process takes as DATABASE_URL."""

    engine: str  # sqlite3 or postgresql
    name: str
    url: str


@dataclass(frozen=True)
class Spare:
    """A copy that no test uses now, and what it held when it was made."""

    name: str
    contents: AsMade


_spare: dict[str, Spare] = {}
"""By the name of their template."""


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
        yield copy_sqlite(template, folder / "real.sqlite3")
        return
    made = _spare.pop(template, None)
    name = f"placet_real_{secrets.token_hex(6)}"
    if made is None:
        _administer(settings, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        with _session(settings, name) as session:
            made = Spare(name, as_made(session))
    else:
        _administer(settings, f'ALTER DATABASE "{made.name}" RENAME TO "{name}"')
    try:
        yield _real_postgres(settings, name)
    finally:
        connections.close_all()
        with _session(settings, name) as session:
            good = restored(session, made.contents)
        if good and template not in _spare:
            _spare[template] = Spare(name, made.contents)
        else:
            _administer(settings, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


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
        copy_sqlite(migrated, Path(name))
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
        return copy_sqlite(settings["NAME"], folder / "template.sqlite3").name
    name = f"placet_template_{secrets.token_hex(4)}"
    _administer(settings, f'CREATE DATABASE "{name}" TEMPLATE "{settings["NAME"]}"')
    return name


def drop_template(name: str) -> None:
    """Remove a template on PostgreSQL, and its copy; a SQLite one goes with its folder."""
    if connection.vendor == "postgresql":
        settings = connections.settings["default"]
        spare = _spare.pop(name, None)
        for database in (name, spare.name) if spare else (name,):
            _administer(settings, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def copy_sqlite(source: str, target: Path) -> RealDatabase:
    """Copy a database file that others may be reading."""
    with (
        sqlite3.connect(f"file:{quote(source)}?mode=ro", uri=True) as origin,
        sqlite3.connect(target) as copy,
    ):
        origin.backup(copy)
    origin.close()
    copy.close()
    return RealDatabase(engine="sqlite3", name=str(target), url=f"sqlite:///{target}")


def _real_postgres(settings: dict[str, Any], name: str) -> RealDatabase:
    options = {k: v for k, v in settings["OPTIONS"].items() if k == "port"}
    query = "&".join(
        f"{key}={quote(str(value), safe='/')}"
        for key, value in {"host": settings["HOST"], **options}.items()
    )
    secret = f":{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else ""
    url = f"postgres://{settings['USER']}{secret}@/{name}?{query}"
    return RealDatabase(engine="postgresql", name=name, url=url)


def _administer(settings: dict[str, Any], statement: str) -> None:
    with _session(settings, "postgres") as session:
        session.execute(statement)  # type: ignore[call-overload]


def _session(settings: dict[str, Any], database: str) -> psycopg.Connection[Any]:
    options = {k: v for k, v in settings["OPTIONS"].items() if k in {"port", "connect_timeout"}}
    if settings["PORT"]:
        options["port"] = settings["PORT"]
    return psycopg.connect(
        dbname=database,
        user=settings["USER"],
        password=settings["PASSWORD"] or None,
        host=settings["HOST"],
        autocommit=True,
        **options,
    )
