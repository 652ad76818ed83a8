"""Celery's part: hints to look at one row, and the life of a worker process.

A task is never retried and holds no state: the rows have it, and every worker looks at them once
a second anyway. Losing every task costs a second of latency.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from celery.signals import worker_init, worker_shutdown

from mcpbridge import offload, records
from mcpbridge.catalog.catalog import CatalogUnreadable, refresh_upstream
from mcpbridge.executor.engine import engine
from mcpbridge.executor.engine import shutdown as stop_engine
from mcpbridge.executor.patrol import Patrol, wind_up

logger = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 60.0

_lock = threading.Lock()
_patrol: Patrol | None = None


@shared_task(ignore_result=True, acks_late=False, max_retries=0)
def execute_ticket(ticket_id: str) -> None:
    """Start executing an approved ticket, if there is room here; a look finds it else."""
    engine().execute(UUID(ticket_id))


@shared_task(ignore_result=True, acks_late=False, max_retries=0)
def wind_up_ticket(ticket_id: str) -> None:
    """Close what a rejected, expired or cancelled ticket left open."""
    wind_up(UUID(ticket_id), engine())


@shared_task(ignore_result=True, acks_late=False, max_retries=0)
def refresh_catalog(upstream_id: str) -> None:
    """Read the tool list of an upstream, for the admin who waits to see it."""
    try:
        engine().run(refresh_upstream(UUID(upstream_id)), seconds=REFRESH_SECONDS)
    except (CatalogUnreadable, TimeoutError) as error:
        logger.warning("A tool list could not be read: %s", error)


def start_worker() -> None:
    """Begin to look at the rows; a second call changes nothing."""
    global _patrol  # noqa: PLW0603 (one per worker process)
    with _lock:
        if _patrol is None:
            _patrol = Patrol(engine())
            _patrol.start()


def stop_worker() -> None:
    """Stop looking, let calls under way end, write what is left to write."""
    global _patrol
    with _lock:
        patrol, _patrol = _patrol, None
    if patrol is not None:
        patrol.stop()
    stop_engine()
    records.shutdown()
    offload.shutdown()


@worker_init.connect
def _on_worker_init(**kwargs: Any) -> None:
    """Celery sends this before it looks for its broker: a worker works without one."""
    start_worker()


@worker_shutdown.connect
def _on_worker_shutdown(**kwargs: Any) -> None:
    stop_worker()
