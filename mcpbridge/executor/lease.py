"""Keeping a claimed ticket's lease alive, and hearing that its call is to be aborted.

Both are questions to the row; no message has to arrive.
"""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Final, Self

from django.db import Error as DatabaseError

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import Claim
from mcpbridge.offload import in_database

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0


class LeaseKeeper:
    """Renews a claim's lease until left; `abort` is set when the call is to end early."""

    def __init__(self, claim: Claim) -> None:
        self.abort = asyncio.Event()
        self._claim = claim
        self._sent = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def sent(self) -> None:
        """From here on the call may have an effect: a lost lease no longer stops it."""
        self._sent = True

    async def _keep(self) -> None:
        every = self._claim.lease_seconds / 3
        loop = asyncio.get_running_loop()
        due = loop.time() + every
        while not self.abort.is_set():
            await asyncio.sleep(min(LOOK_SECONDS, every))
            try:
                if self._sent and await in_database(ledger.abort_wanted, self._claim.uid):
                    self.abort.set()
                if loop.time() >= due:
                    due = loop.time() + every
                    if not await in_database(ledger.renew, self._claim) and not self._sent:
                        self.abort.set()
            except DatabaseError:
                logger.warning(
                    "The lease cannot be renewed now.", extra={"ticket": self._claim.uid}
                )
