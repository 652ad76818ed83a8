"""Listening to doorbells: one channel-layer subscription per process, fanned out in memory.

A listener is a plain function that is called in the event loop with each message and must not
block. Knows nothing of what the messages are about.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from approvals.events.wire import GROUP, unpacked, well_formed

logger = logging.getLogger(__name__)

RESUBSCRIBE_AFTER: Final = 1.0  # seconds

type Listener = Callable[[dict[str, Any]], object]


class Bus:
    """The doorbells as one event loop hears them; starts with its first listener."""

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}
        self._task: asyncio.Task[None] | None = None  # a lost reference would end it silently
        self._subscribed = asyncio.Event()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every message from now on; returns how to stop that."""
        key = object()
        self._listeners[key] = listener
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="placet-bus")

        def unsubscribe() -> None:
            self._listeners.pop(key, None)

        return unsubscribe

    async def subscribed(self) -> None:
        """Wait until messages arrive; without a listener that is never."""
        await self._subscribed.wait()

    async def close(self) -> None:
        """End the subscription and forget every listener."""
        self._listeners.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        failing = False
        while True:
            try:
                await self._receive()
            except Exception as problem:  # noqa: BLE001 (whatever broke, subscribe again)
                self._subscribed.clear()
                if not failing:
                    logger.warning(
                        "The doorbell subscription broke (%s: %s); subscribing again.",
                        type(problem).__name__,
                        problem,
                    )
                failing = True
                self._deliver({"lost": True})
                await asyncio.sleep(RESUBSCRIBE_AFTER)

    async def _receive(self) -> None:
        layer = get_channel_layer()
        if layer is None:
            raise RuntimeError("no channel layer is configured (CHANNEL_LAYERS)")
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        self._subscribed.set()
        try:
            while True:
                for message in unpacked(await layer.receive(channel)):
                    if well_formed(message):
                        self._deliver({key: message[key] for key in message if key != "type"})
                    else:
                        logger.warning("A doorbell message that nobody here writes was ignored.")
        finally:
            await layer.group_discard(GROUP, channel)

    def _deliver(self, message: dict[str, Any]) -> None:
        for listener in tuple(self._listeners.values()):
            try:
                listener(message)
            except Exception:
                logger.exception("A listener of the doorbells failed.")


_buses: WeakKeyDictionary[asyncio.AbstractEventLoop, Bus] = WeakKeyDictionary()


def bus() -> Bus:
    """The bus of the running event loop: the same one for everybody in it."""
    loop = asyncio.get_running_loop()
    found = _buses.get(loop)
    if found is None:
        found = _buses[loop] = Bus()
    return found
