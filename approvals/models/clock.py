"""The database's clock, as an expression for guards and as a value.

`clock_timestamp()` moves while a statement waits on a row lock; `now()` and
`statement_timestamp()` stand still, so that a decision that waited past its deadline would
still count. On SQLite a writer gets its turn before the statement starts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

# Percent signs are halved twice: by the template, then by the placeholders of the statement.
_SQLITE_FORM = "%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f"  # milliseconds; "000" makes them micro


class DatabaseNow(models.Func):
    """The database's clock at the moment the row is looked at."""

    template = "CLOCK_TIMESTAMP()"
    arity = 0
    output_field = models.DateTimeField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, Any]:
        """Spell the time as Django stores it, so that text compares as time does."""
        return self.as_sql(
            compiler,
            connection,
            template=f"(STRFTIME('{_SQLITE_FORM}', 'now') || '000')",
            **extra,
        )


class AfterSeconds(models.Func):
    """The database's clock plus a number of seconds (an expression or a value)."""

    template = "(CLOCK_TIMESTAMP() + MAKE_INTERVAL(secs => %(expressions)s))"
    arity = 1
    output_field = models.DateTimeField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, Any]:
        """Spell the time as Django stores it."""
        return self.as_sql(
            compiler,
            connection,
            template=(
                f"(STRFTIME('{_SQLITE_FORM}', 'now', (%(expressions)s) || ' seconds') || '000')"
            ),
            **extra,
        )


def after_seconds(seconds: float | str) -> AfterSeconds:
    """The database's clock plus `seconds`: a number, or the name of a column that holds one."""
    if isinstance(seconds, str):
        return AfterSeconds(models.F(seconds))
    return AfterSeconds(models.Value(float(seconds), output_field=models.FloatField()))


def now_sql(vendor: str) -> str:
    """The database's clock as plain SQL for a statement with values; text where it is SQLite's."""
    return (
        "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now')" if vendor == "sqlite" else "CLOCK_TIMESTAMP()"
    )


def database_now() -> datetime:
    """The time by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {now_sql(connection.vendor)}", [])
        (found,) = cursor.fetchone()
    return datetime.fromisoformat(f"{found}+00:00") if isinstance(found, str) else found
