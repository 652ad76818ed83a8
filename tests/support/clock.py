"""The database's clock, put forward for this thread: deadlines pass without waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def later(seconds: float) -> Iterator[None]:
    """Everything that this thread asks the database's clock happens `seconds` later."""
    modifier = f"'now', '{seconds:+.3f} seconds'"
    moment = f"(CLOCK_TIMESTAMP() + INTERVAL '{seconds:.3f} seconds')"

    def shift(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        sql = sql.replace("CLOCK_TIMESTAMP()", moment) if "CLOCK_" in sql else sql
        return execute(sql.replace("'now'", modifier), params, many, context)

    with connection.execute_wrapper(shift):
        yield
