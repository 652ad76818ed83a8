"""The event loop of a worker process, in a thread of its own, and the tickets it executes.

Any thread may hand it a ticket; a ticket that is under way here is not started twice. All
sessions with upstreams live in this loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import threading
import time
from collections.abc import Coroutine
from typing import Any, Final
from uuid import UUID

from django.db import Error as DatabaseError

from mcpbridge import conf
from mcpbridge.catalog import catalog
from mcpbridge.executor.tickets import run_ticket

logger = logging.getLogger(__name__)

FINISH_SECONDS: Final = 4.0  # for calls under way when the worker stops
ABORT_SECONDS: Final = 3.0  # for recording those that did not finish
START_SECONDS: Final = 10.0
REST_SECONDS: Final = 30.0  # for a ticket whose execution broke off unexpectedly


def worker_name() -> str:
    """This process by host name and process id."""
    return f"{platform.node()}:{os.getpid()}"[:100]


class Engine:
    """One loop thread and what runs in it."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.name = worker_name()
        self._lock = threading.Lock()
        self._running: dict[UUID, asyncio.Event | None] = {}
        self._resting: dict[UUID, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="executor", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def free(self) -> int:
        """How many more tickets may be started now."""
        with self._lock:
            return max(0, conf.executions() - len(self._running)) if self._accepting else 0

    def resting(self) -> int:
        """How many tickets are not tried again yet, because something broke at them here."""
        with self._lock:
            now = time.monotonic()
            self._resting = {uid: at for uid, at in self._resting.items() if at > now}
            return len(self._resting)

    def execute(self, uid: UUID) -> bool:
        """Start executing a ticket; False when it is under way or rests here, or without room."""
        with self._lock:
            full = len(self._running) >= conf.executions()
            rests = self._resting.get(uid, 0.0) > time.monotonic()
            if not self._accepting or full or rests or uid in self._running:
                return False
            self._running[uid] = None
        self._loop.call_soon_threadsafe(self._begin, uid)
        return True

    def abort(self, uid: UUID) -> None:
        """End a call that is under way here; its outcome is recorded as unknown (aborted)."""
        with self._lock:
            stop = self._running.get(uid)
        if stop is not None:
            self._loop.call_soon_threadsafe(stop.set)

    def run[T](self, work: Coroutine[Any, Any, T], *, seconds: float) -> T:
        """Run a coroutine in the loop and wait for it, at most `seconds`."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise

    def stop(self) -> None:
        """Let calls finish for a moment, abort the rest, close what is open, end the thread."""
        with self._lock:
            if not self._accepting:
                return
            self._accepting = False
        if self.pid != os.getpid() or not self._thread.is_alive():
            return
        try:
            self.run(self._close(), seconds=FINISH_SECONDS + ABORT_SECONDS + START_SECONDS)
        except TimeoutError:
            logger.exception("The executor did not end in time.")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)

    def _begin(self, uid: UUID) -> None:
        task = self._loop.create_task(self._execute(uid))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _execute(self, uid: UUID) -> None:
        stop = asyncio.Event()
        with self._lock:
            self._running[uid] = stop
        try:
            await run_ticket(uid, worker=self.name, stop=stop)
        except DatabaseError:
            logger.warning("The database is away.", extra={"ticket": uid}, exc_info=True)
        except Exception:
            logger.exception("A ticket could not be executed.", extra={"ticket": uid})
            with self._lock:
                self._resting[uid] = time.monotonic() + REST_SECONDS
        finally:
            with self._lock:
                self._running.pop(uid, None)

    async def _close(self) -> None:
        await self._idle_within(FINISH_SECONDS)
        with self._lock:
            left = [stop for stop in self._running.values() if stop is not None]
        for stop in left:
            stop.set()
        await self._idle_within(ABORT_SECONDS)
        await catalog.close()

    async def _idle_within(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)


_lock = threading.Lock()
_engine: Engine | None = None


def engine() -> Engine:
    """This process's engine; made at first use and anew after a fork."""
    global _engine  # noqa: PLW0603 (one per process)
    with _lock:
        if _engine is None or _engine.pid != os.getpid():
            _engine = Engine()
        return _engine


def shutdown() -> None:
    """Stop this process's engine; the next use starts another."""
    global _engine
    with _lock:
        found, _engine = _engine, None
    if found is not None:
        found.stop()
