"""One view of the database for many queries, whatever others write meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let every query inside read the database as it stood at the first of them; read only.

    Rows are compared with rows that other queries brought. In a ledger that is written to, each
    query alone would be right and the comparison wrong. It holds back no writer. Within a
    transaction it changes nothing: that transaction's isolation is what there is.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with _sqlite_snapshot():
            yield
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield


@contextmanager
def _sqlite_snapshot() -> Iterator[None]:
    """By hand: Django's own transactions begin as a writer's, and would hold back all others."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
