"""The ports of the ledger: what it rings on commit, and what it asks the bridge.

Ringing never waits and never fails: a thread of its own publishes to the broker, and what it
cannot publish is lost, because the workers look at the rows anyway.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from celery import Task
from django.db.models import Count, Model, Q, QuerySet
from django.utils import timezone

from mcpbridge import approvals_gateway as ledger
from mcpbridge.models import Agent, CallCompletion, CallRecord, ToolPin
from mcpbridge.tasks import execute_ticket, wind_up_ticket

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 10_000
COARSEST: Final = timedelta(milliseconds=1)  # SQLite's clock; asking for more harms nobody


class _Publisher:
    """Publishes hints to the broker from a thread of its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._queue: queue.Queue[tuple[Task[Any, Any], str]] = queue.Queue(MAX_WAITING)
        self._failing = False
        threading.Thread(target=self._run, name="hints", daemon=True).start()

    def put(self, task: Task[Any, Any], uid: UUID) -> None:
        """Publish soon, or not at all."""
        try:
            self._queue.put_nowait((task, str(uid)))
        except queue.Full:
            logger.debug("A hint was dropped: too many wait for the broker.")

    def _run(self) -> None:
        while True:
            task, uid = self._queue.get()
            try:
                task.apply_async(kwargs={"ticket_id": uid})
                self._failing = False
            except Exception as error:  # noqa: BLE001 (a broker may fail in any way)
                if not self._failing:
                    logger.warning(
                        "The broker takes no hints (%s); workers look themselves.", error
                    )
                self._failing = True


_lock = threading.Lock()
_publisher: _Publisher | None = None


def _publish(task: Task[Any, Any], uid: UUID) -> None:
    global _publisher  # noqa: PLW0603 (one per process, made at first use and after a fork)
    with _lock:
        if _publisher is None or _publisher.pid != os.getpid():
            _publisher = _Publisher()
        publisher = _publisher
    publisher.put(task, uid)


def approved(uid: UUID) -> None:
    """A ticket may be executed: tell some worker."""
    _publish(execute_ticket, uid)


def ended(uid: UUID) -> None:
    """A ticket ended without execution: let some worker wind it up."""
    _publish(wind_up_ticket, uid)


def owner_of_agent(agent_id: UUID) -> UUID | None:
    """The person who owns the agent now."""
    return Agent.objects.filter(pk=agent_id).values_list("owner_id", flat=True).first()


def attempts_allowed(*, upstream_id: UUID, tool_name: str) -> int:
    """How often a call of this tool may be sent: more than once only where an admin says so now."""
    pin = ToolPin.objects.filter(
        upstream_id=upstream_id,
        upstream__enabled=True,
        name=tool_name,
        status=ToolPin.Status.PINNED,
        idempotent=True,
    )
    return pin.values_list("max_attempts", flat=True).first() or 1


def calls_unasked(*, agent_id: UUID, seconds: int, most: int) -> tuple[int, int]:
    """How many of the agent's newest calls policy allowed, and how many it denied; one query."""
    since = timezone.now() - timedelta(seconds=seconds)
    recent = CallRecord.objects.filter(agent_id=agent_id, started_at__gt=since)
    counted = recent.order_by("-started_at")[:most].aggregate(
        allowed=Count("pk", filter=Q(verdict="allow")), denied=Count("pk", filter=Q(verdict="deny"))
    )
    return counted["allowed"], counted["denied"]


def call_leaves(
    *, since: datetime | None = None, rows: Sequence[str] | None = None
) -> Iterable[tuple[str, bytes]]:
    """Leaves over the starts of calls: those since a time, those named, or all; oldest first."""
    found = CallRecord.objects.order_by("started_at", "id")
    if since is not None:
        found = found.filter(started_at__gte=since - COARSEST)
    return _leaves("call", found, rows)


def completion_leaves(
    *, since: datetime | None = None, rows: Sequence[str] | None = None
) -> Iterable[tuple[str, bytes]]:
    """Leaves over the completions of calls, as `call_leaves` has them over the starts."""
    found = CallCompletion.objects.order_by("ended_at", "call_id")
    if since is not None:
        found = found.filter(ended_at__gte=since - COARSEST)
    return _leaves("completion", found, rows)


call_leaves.source = "call"  # type: ignore[attr-defined]  # the ledger names sources by this
completion_leaves.source = "completion"  # type: ignore[attr-defined]  # likewise


def _leaves[M: Model](
    domain: str, found: QuerySet[M], rows: Sequence[str] | None
) -> Iterator[tuple[str, bytes]]:
    if rows is not None:
        found = found.filter(pk__in=[UUID(row) for row in rows])
    for row in found.iterator():
        yield str(row.pk), _leaf(domain, row)


def _leaf(domain: str, row: Model) -> bytes:
    """A digest (32 bytes) over all columns."""
    columns = {
        field.attname: _plain(getattr(row, field.attname)) for field in row._meta.concrete_fields
    }
    return ledger.digest(f"leaf.{domain}", columns)


def _plain(value: Any) -> ledger.JSON:
    """A column's value as JSON, the same on both databases."""
    match value:
        case None | bool() | int() | str():
            return value
        case bytes() | memoryview():
            return bytes(value).hex()
        case datetime():
            return value.isoformat(timespec="microseconds")
        case UUID():
            return str(value)
        case _:
            raise TypeError(f"a leaf cannot hold a {type(value).__name__}")
