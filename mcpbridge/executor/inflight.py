"""The allowed calls that are under way in this process, so that they can be ended early.

The kill switch ends them all; disabling an agent or revoking its token ends theirs. While there
are any, the gate's row is looked at every second, and the agents and tokens behind them once
per call and whenever its epoch moved: no message has to arrive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseError

from mcpbridge import approvals_gateway as ledger
from mcpbridge import records
from mcpbridge.catalog.catalog import catalog
from mcpbridge.offload import in_database

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0


class InFlight:
    """The calls of one event loop."""

    def __init__(self) -> None:
        self._aborts: dict[UUID, asyncio.Event] = {}
        self._looked_at: set[UUID] = set()
        self._watcher: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._aborts)

    @contextmanager
    def enter(self, call_id: UUID, abort: asyncio.Event) -> Iterator[None]:
        """Count a call as under way; `abort` is set when what allowed it is taken back."""
        self._aborts[call_id] = abort
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            del self._aborts[call_id]

    def abort_all(self) -> None:
        """Abort every call that is under way."""
        for abort in self._aborts.values():
            abort.set()

    async def _watch(self) -> None:
        epoch: int | None = None
        while self._aborts:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                gate = await in_database(ledger.gate)
            except DatabaseError:
                logger.warning("The gate cannot be read while calls are under way.")
                continue
            if gate.killed and self._aborts:
                logger.warning("The kill switch is on: %d calls are aborted.", len(self._aborts))
                self.abort_all()
            if epoch is not None and gate.epoch != epoch:
                catalog().forget()
            if gate.epoch != epoch:
                self._looked_at.clear()
            epoch = gate.epoch
            await self._abort_orphans()

    async def _abort_orphans(self) -> None:
        """Abort the calls whose agent or token is gone, among those not looked at this epoch.

        A call may have been recorded just before a revocation and be entered just after a look.
        """
        new = [call_id for call_id in self._aborts if call_id not in self._looked_at]
        if not new:
            return
        try:
            orphans = await in_database(records.without_authority, new)
        except DatabaseError:
            logger.warning("Agents and tokens cannot be read while calls are under way.")
            return  # the next look asks again
        self._looked_at = (self._looked_at | set(new)) & self._aborts.keys()
        for call_id in orphans & self._aborts.keys():
            logger.warning("Call %s is aborted: its agent or token is no longer good.", call_id)
            self._aborts[call_id].set()


_in_flight: WeakKeyDictionary[asyncio.AbstractEventLoop, InFlight] = WeakKeyDictionary()


def in_flight() -> InFlight:
    """The calls of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _in_flight.get(loop)
    if found is None:
        found = _in_flight[loop] = InFlight()
    return found
