"""Database work for asyncio code: a bounded pool of threads, one connection per thread.

Waiting costs neither: a coroutine that waits for anything but the database holds no thread and
no connection. What thousands may want at once stands in a queue of its own, so that nobody else
stands behind it. Knows nothing of what the functions do.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.db import close_old_connections, connections

from mcpbridge import conf

CROWD_THREADS: Final = 2  # SQLite has one writer, and Python one running thread


class _Pool:
    """Some threads of this process; made at first use, made anew after a fork."""

    def __init__(self, name: str, threads: Callable[[], int]) -> None:
        self._name = name
        self._threads = threads
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._size = 0
        self._pid = 0

    def executor(self) -> ThreadPoolExecutor:
        """The running executor."""
        with self._lock:
            if self._executor is None or self._pid != os.getpid():
                self._pid, self._size = os.getpid(), self._threads()
                self._executor = ThreadPoolExecutor(self._size, thread_name_prefix=self._name)
            return self._executor

    def stop(self) -> None:
        """End the threads after their work, and with them their connections."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is None or self._pid != os.getpid():
            return
        together = threading.Barrier(self._size)
        for _ in range(self._size):
            executor.submit(_close_connections, together)
        executor.shutdown(wait=True)


def _close_connections(together: threading.Barrier) -> None:
    """Close this thread's connections; the barrier makes sure that every thread does."""
    try:
        together.wait(timeout=10)
    except threading.BrokenBarrierError:
        pass
    finally:
        connections.close_all()


_pool = _Pool("database", conf.database_threads)
_crowd = _Pool("database-crowd", lambda: CROWD_THREADS)


async def in_database[**P, T](function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous function that uses the database; log context goes along.

    A cancelled caller stops waiting, but the function runs to its end: whatever it commits is
    committed.
    """
    return await _in(_pool, function, *args, **kwargs)


async def in_crowd[**P, T](function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """As `in_database`, for what thousands of requests may want at the same moment."""
    return await _in(_crowd, function, *args, **kwargs)


async def _in[**P, T](
    pool: _Pool, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    work = functools.partial(function, *args, **kwargs)
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool.executor(), context.run, _run, work)


def _run[T](work: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


def shutdown() -> None:
    """End the threads and close their connections; the next use starts them again."""
    _pool.stop()
    _crowd.stop()
