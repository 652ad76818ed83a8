"""The ledger's part in a worker: telling, sealing checkpoints, purging, verifying the record.

Every worker does so in threads of its own, so that neither a broker nor beat is needed; several
at once do no harm. The Celery tasks do the same on demand. What waits for somebody else's server
has threads apart, so that nothing else waits with it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from celery import shared_task
from celery.signals import worker_init, worker_shutdown
from django.db import close_old_connections, connections

from approvals import conf, courier
from approvals.audit.checkpoints import seal_checkpoint
from approvals.audit.sealing import purge_older_than
from approvals.services.deliveries import forget_older_than
from approvals.services.verifying import RENEW_EVERY, renew, verify_if_asked

logger = logging.getLogger(__name__)

PURGE_EVERY: Final = 3600.0  # seconds
PURGE_BATCHES: Final = 20  # in one go; the rest waits for the next hour
JOIN_SECONDS: Final = 5.0
COURIERS: Final = 2  # a receiver that does not answer holds up one of them for a while


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


def forget_notices() -> int:
    """Forget notices whose retention is over; how many."""
    return forget_older_than(days=conf.retention_days())


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
    """One thread that does its chores in turn, looking every `pause` seconds what is due."""

    def __init__(self, name: str, pause: float, *chores: Chore) -> None:
        self._pause = pause
        self._stop = threading.Event()
        self._chores = chores
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the end of what is under way, for a while."""
        self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                close_old_connections()
                for chore in self._chores:
                    chore.pass_time(self._pause)
        finally:
            connections.close_all()


def _housekeepers() -> list[Housekeeper]:
    sealing, sweep = conf.checkpoint_seconds(), conf.sweep_seconds()
    return [
        Housekeeper(
            "placet-housekeeper",
            sealing,
            Chore("seal a checkpoint", seal_checkpoint, sealing),
            Chore("purge old payloads", purge, PURGE_EVERY),
            Chore("forget old notices", forget_notices, PURGE_EVERY),
        ),
        Housekeeper(
            "placet-lookout",
            sweep,
            Chore("notice what is new", courier.look, sweep),
            Chore("say that a verification still runs", renew, RENEW_EVERY),
        ),
        # For minutes at a time, hence apart.
        Housekeeper("placet-verifier", sweep, Chore("verify the record", verify_if_asked, sweep)),
        *(
            Housekeeper(
                f"placet-courier-{number}", sweep, Chore("carry messages", courier.carry, sweep)
            )
            for number in range(COURIERS)
        ),
    ]


_lock = threading.Lock()
_running: list[Housekeeper] = []


@worker_init.connect
def start_housekeeping(**kwargs: Any) -> None:
    """Celery sends this before it looks for its broker: a worker keeps house without one."""
    with _lock:
        if not _running:
            _running.extend(_housekeepers())
            for housekeeper in _running:
                housekeeper.start()


@worker_shutdown.connect
def stop_housekeeping(**kwargs: Any) -> None:
    """The worker ends in good order."""
    with _lock:
        stopping = list(_running)
        _running.clear()
    for housekeeper in stopping:
        housekeeper.stop()
    for housekeeper in stopping:
        housekeeper.join()
