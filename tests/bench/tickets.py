"""The ticket engine alone: tickets a second from submission to settlement, every step committed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from django.db import connection
from django.test import override_settings

from tests.bench.figures import Row, milliseconds
from tests.support.builders import Cast, a_cast, a_ticket
from tests.support.databases import RealDatabase

THREADS = (1, 8)


def main(database: RealDatabase, arguments: list[str]) -> list[Row]:
    """A row for one thread and for eight; PostgreSQL runs with fsync here."""
    count = 60 if "quick" in arguments else 400
    with override_settings(APPROVALS_PORTS={}):
        cast = a_cast()
        _walk(cast, 0)
        return [_measured(cast, threads, count) for threads in THREADS]


def _measured(cast: Cast, threads: int, count: int) -> Row:
    took: list[float] = []
    lock = threading.Lock()

    def share(first: int) -> None:
        connection.settings_dict["CONN_MAX_AGE"] = None
        try:
            for number in range(first, count, threads):
                began = time.perf_counter()
                _walk(cast, number + 1)
                with lock:
                    took.append(time.perf_counter() - began)
        finally:
            connection.close()

    used, began = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(share, range(threads)))
    seconds = time.perf_counter() - began
    return {
        "threads": threads,
        "tickets/s": round(count / seconds),
        **milliseconds(took),
        "CPU ms/ticket": round((time.process_time() - used) / count * 1000, 2),
    }


def _walk(cast: Cast, number: int) -> None:
    arguments = f'{{"path":"/tmp/{threading.get_ident()}-{number}-{time.time_ns()}"}}'
    a_ticket(cast, arguments=arguments.encode(), max_open_tickets=1000).approved_by(
        cast.bob
    ).claimed().sent().succeeded()
