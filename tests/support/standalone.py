"""Runs a module's `main` over a migrated database of its own, outside pytest.

`run(module, engine=…)` does it in a child process, because settings are read once per process; the
child hands back what `main(database, arguments)` returned, as JSON on its last line.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import setup_test_environment

from tests.support.databases import RealDatabase, copy_sqlite
from tests.support.postgres import PostgresServer
from tests.support.processes import ROOT

ENGINES = ("sqlite3", "postgresql")


class ChildFailed(Exception):
    """The child ended with an error, which it has printed."""


def run(module: str, *, engine: str, arguments: Sequence[str] = (), durable: bool = False) -> Any:
    """What `module.main` returned over a new database of that engine. Raises ChildFailed.

    `durable`: PostgreSQL waits for the disk at each commit, as SQLite does anyway.
    """
    with _a_database(engine, durable=durable) as url:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.standalone", engine, module, *arguments],
            env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            cwd=ROOT,
            check=False,
            stdout=subprocess.PIPE,
            text=True,
        )
    if done.returncode:
        raise ChildFailed(f"{module} on {engine} ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def _a_database(engine: str, *, durable: bool) -> Iterator[str]:
    if engine == "sqlite3":
        folder = Path(tempfile.mkdtemp(prefix="placet-d-"))
        migrated = Path(os.environ.get("MIGRATED_DATABASE", ""))
        if migrated.is_file():
            copy_sqlite(str(migrated), folder / "placet.sqlite3")
        try:
            yield f"sqlite:///{folder}/placet.sqlite3"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    server = PostgresServer(durable=durable)
    try:
        server.start()
        yield server.url(server.create_database())
    finally:
        server.remove()


def main(engine: str, module: str, *arguments: str) -> None:
    """The child's part."""
    django.setup()
    logging.disable(logging.WARNING)  # what goes wrong is told by the caller
    setup_test_environment()
    if "auth_group" not in connection.introspection.table_names():
        call_command("migrate", verbosity=0)
    name = str(settings.DATABASES["default"]["NAME"])
    database = RealDatabase(engine, name, os.environ["DATABASE_URL"])
    found = importlib.import_module(module).main(database, list(arguments))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
