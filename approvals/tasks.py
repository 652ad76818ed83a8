"""The ledger's housekeeping: sealing checkpoints and purging what retention no longer allows.

Every worker keeps house in one thread of its own, so that neither a broker nor beat is needed;
several at once do no harm. The two Celery tasks do the same on demand.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from celery import shared_task
from celery.signals import worker_init, worker_shutdown
from django.db import close_old_connections, connections

from approvals import conf
from approvals.audit.checkpoints import seal_checkpoint
from approvals.audit.sealing import purge_older_than

logger = logging.getLogger(__name__)

PURGE_EVERY: Final = 3600.0  # seconds
PURGE_BATCHES: Final = 20  # in one go; the rest waits for the next hour
JOIN_SECONDS: Final = 5.0


@shared_task(ignore_result=True, acks_late=False, max_retries=0)
def seal() -> None:
    """Sign what no checkpoint covers yet."""
    seal_checkpoint()


@shared_task(ignore_result=True, acks_late=False, max_retries=0)
def purge() -> int:
    """Purge the payloads of ended tickets whose retention is over; how many."""
    total = 0
    for _ in range(PURGE_BATCHES):
        purged = purge_older_than(days=conf.retention_days())
        total += purged
        if not purged:
            break
    return total


class Chore:
    """Something to do now and then; a failure is logged once until it works again."""

    def __init__(self, name: str, act: Callable[[], object], every: float) -> None:
        self._name = name
        self._act = act
        self._every = every
        self._due_in = every
        self._failing = False

    def pass_time(self, seconds: float) -> None:
        """Let `seconds` pass, and do it when it is due."""
        self._due_in -= seconds
        if self._due_in > 0:
            return
        self._due_in = self._every
        try:
            self._act()
            self._failing = False
        except Exception:
            if not self._failing:
                logger.exception("Housekeeping could not %s; it tries again.", self._name)
            self._failing = True


class Housekeeper:
    """One thread that seals checkpoints every few seconds and purges every hour."""

    def __init__(self) -> None:
        self._pause = conf.checkpoint_seconds()
        self._stop = threading.Event()
        self._chores = (
            Chore("seal a checkpoint", seal_checkpoint, self._pause),
            Chore("purge old payloads", purge, PURGE_EVERY),
        )
        self._thread = threading.Thread(target=self._run, name="placet-housekeeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._stop.set()
        self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                close_old_connections()
                for chore in self._chores:
                    chore.pass_time(self._pause)
        finally:
            connections.close_all()


_lock = threading.Lock()
_housekeeper: Housekeeper | None = None


@worker_init.connect
def start_housekeeping(**kwargs: Any) -> None:
    """Celery sends this before it looks for its broker: a worker keeps house without one."""
    global _housekeeper  # noqa: PLW0603 (one per worker process)
    with _lock:
        if _housekeeper is None:
            _housekeeper = Housekeeper()
            _housekeeper.start()


@worker_shutdown.connect
def stop_housekeeping(**kwargs: Any) -> None:
    """The worker ends in good order."""
    global _housekeeper
    with _lock:
        housekeeper, _housekeeper = _housekeeper, None
    if housekeeper is not None:
        housekeeper.stop()
