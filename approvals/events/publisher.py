"""Publishing doorbells after the commit, from one thread per process, never in the caller's way.

The queue is bounded: when the channel layer is away or slow, the newest messages are dropped,
because every listener also looks at the rows. Nothing here raises into a use case.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import threading
from functools import partial
from typing import Final
from uuid import UUID

from channels.layers import get_channel_layer
from django.db import transaction

from approvals.events.wire import GROUP, Message, gate_message, parcel, ticket_message

logger = logging.getLogger(__name__)

CAPACITY: Final = 10_000  # messages
TOGETHER: Final = 100  # messages in one parcel
PATIENCE: Final = 2.0  # seconds for one parcel


def ticket_changed(uid: UUID, version: int, state: str, team_id: UUID) -> None:
    """Ring for a ticket once the caller's transaction has been committed."""
    _after_commit(ticket_message(uid=uid, version=version, state=state, team_id=team_id))


def gate_changed(epoch: int, killed: bool) -> None:  # noqa: FBT001 (the event's own fields)
    """Ring for the gate once the caller's transaction has been committed."""
    _after_commit(gate_message(epoch=epoch, killed=killed))


def _after_commit(message: Message) -> None:
    transaction.on_commit(partial(_publisher.put, message), robust=True)


class Publisher:
    """A bounded queue and the one thread that empties it into the channel layer."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._pid = 0
        self._thread: threading.Thread | None = None
        self._queue: queue.Queue[Message] = queue.Queue(capacity)
        self._failing = False

    def put(self, message: Message) -> None:
        """Queue a message; drop it when the queue is full."""
        self._start()
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._failed("the queue is full")

    def _start(self) -> None:
        if self._thread is not None and self._pid == os.getpid() and self._thread.is_alive():
            return
        with self._lock:
            if self._pid != os.getpid():  # a forked child inherits no threads
                self._queue = queue.Queue(self._capacity)
                self._thread = None
            if self._thread is None or not self._thread.is_alive():
                self._pid = os.getpid()
                self._thread = threading.Thread(
                    target=self._run, name="placet-doorbells", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        messages = self._queue
        with asyncio.Runner() as runner:
            while True:
                several = _next(messages)
                try:
                    runner.run(_send(parcel(several)))
                    self._failing = False
                except Exception as problem:  # noqa: BLE001 (a doorbell may be lost, its thread not)
                    self._failed(f"{type(problem).__name__}: {problem}")

    def _failed(self, why: str) -> None:
        if not self._failing:
            self._failing = True
            logger.warning("Doorbells are being lost (%s); everybody polls meanwhile.", why)


def _next(messages: queue.Queue[Message]) -> list[Message]:
    """Wait for a message, and take those along that have come meanwhile."""
    several = [messages.get()]
    with contextlib.suppress(queue.Empty):
        while len(several) < TOGETHER:
            several.append(messages.get_nowait())
    return several


async def _send(message: Message) -> None:
    layer = get_channel_layer()
    if layer is not None:
        async with asyncio.timeout(PATIENCE):
            await layer.group_send(GROUP, message)


_publisher = Publisher()
