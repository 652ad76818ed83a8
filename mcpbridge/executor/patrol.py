"""A worker's own look at the rows, once a second: what to sweep, to execute, to wind up, to forget.

Needs no broker. Losing the database is told once and survived: the next look tries again.
"""

from __future__ import annotations

import logging
import threading
from typing import Final
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from mcpbridge import approvals_gateway as ledger
from mcpbridge import conf, records
from mcpbridge.executor.engine import Engine

logger = logging.getLogger(__name__)

JOIN_SECONDS: Final = 10.0
BEAT_SECONDS: Final = 3.0
FORGET_SECONDS: Final = 60.0


class Patrol:
    """The thread that looks. `beat` leaves a sign of life."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stop = threading.Event()
        self._failing = False
        self._since_beat = BEAT_SECONDS
        self._since_forgetting = 0.0
        self._thread = threading.Thread(target=self._run, name="patrol", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when the thread has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        try:
            while True:
                self._look_safely()
                if self._stop.wait(conf.sweep_seconds()):
                    return
        finally:
            connections.close_all()

    def _look_safely(self) -> None:
        try:
            close_old_connections()
            self.look()
            if self._failing:
                logger.info("The rows can be read again.")
            self._failing = False
        except Exception as error:  # the patrol outlives everything, or tickets would lie still
            if not self._failing or not isinstance(error, DatabaseError):
                logger.exception("The rows could not be looked at; trying again.")
            self._failing = isinstance(error, DatabaseError)
            connections.close_all()

    def look(self) -> None:
        """One round."""
        self._since_beat += conf.sweep_seconds()
        if self._since_beat >= BEAT_SECONDS:
            self._since_beat = 0.0
            ledger.heartbeat("worker", self._engine.name)
        self._since_forgetting += conf.sweep_seconds()
        if self._since_forgetting >= FORGET_SECONDS:
            self._since_forgetting = 0.0
            records.forget_redeemed()
        swept = ledger.sweep()
        for uid in swept.ended:
            wind_up(uid, self._engine)
        free = self._engine.free()
        if free:
            # Those that rest here stand first in the queue and must not hide the others.
            for uid in ledger.executable(limit=free + self._engine.resting()):
                self._engine.execute(uid)


def wind_up(uid: UUID, engine: Engine) -> None:
    """Close what a ticket that will not be executed left open, and mark it as wound up."""
    engine.abort(uid)
    ledger.wind_up(uid)
