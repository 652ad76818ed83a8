"""Tickets as the tasks of their agent: looked up for it alone, told, watched and taken back.

A task is a ticket whose agent got a handle, for as long as its outcome is kept. Foreign tasks,
unknown ones and tickets that are none look the same. Knows no method and no wire.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from mcpbridge import approvals_gateway as ledger
from mcpbridge import conf
from mcpbridge.approvals_gateway import NotVisible, TicketView, Waiting
from mcpbridge.calls.outcome import outcome_of
from mcpbridge.calls.tasks import detailed_task, expires_at, task_fields
from mcpbridge.offload import in_database
from mcpbridge.server.presenters import too_large_for_an_event
from mcpbridge.server.waiting import Waiter, Waiters

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
MOST_WATCHED = 100  # by one stream


class UnknownTask(Exception):
    """There is no such task for this agent at this endpoint."""


def created_task(ticket: TicketView) -> dict[str, Any]:
    """What an agent is told whose call became a task."""
    outcome = outcome_of(ticket, public_url=conf.public_url())
    return dict(task_fields(ticket, outcome, kept=conf.kept()))


def task_now(ticket: TicketView, *, as_event: bool = False) -> dict[str, Any]:
    """The whole task as it stands; `as_event`: with a result that an event can carry."""
    outcome = outcome_of(ticket, public_url=conf.public_url())
    task: dict[str, Any] = dict(detailed_task(ticket, outcome, kept=conf.kept()))
    result = task.get("result")
    if as_event and isinstance(result, Mapping):
        task["result"] = too_large_for_an_event(result) or result
    return task


async def find_task(task_id: object, *, agent_id: UUID, upstream: str | None) -> TicketView:
    """The ticket behind the id, if it is a task of this agent there. Raises UnknownTask."""
    uid = _uid(task_id)
    try:
        ticket = await in_database(ledger.view, uid=uid, agent_id=agent_id)
    except NotVisible:
        raise UnknownTask from None
    if not _is_task(ticket, upstream):
        raise UnknownTask
    return ticket


async def cancel_task(ticket: TicketView) -> None:
    """The agent takes its task back; what was sent already is asked to abort."""
    await in_database(ledger.withdraw, uid=ticket.uid, agent_id=ticket.agent_id)


class WatchedTasks:
    """Some tasks of one agent, of which each change is told as it happens."""

    def __init__(self, waiters: Waiters, *, agent_id: UUID, upstream: str | None) -> None:
        self._waiters = waiters
        self._agent_id = agent_id
        self._upstream = upstream
        self._changed = asyncio.Event()
        self._watched: dict[UUID, Waiter] = {}

    async def watch(self, task_ids: Collection[object]) -> list[str]:
        """Watch those of the ids that are tasks of this agent; which ones that are, as given.

        Of more than MOST_WATCHED the rest is not looked at: each costs a visit to the database.
        """
        found: list[str] = []
        for task_id in islice(task_ids, MOST_WATCHED):
            try:
                ticket = await find_task(task_id, agent_id=self._agent_id, upstream=self._upstream)
            except UnknownTask:
                continue
            found.append(str(task_id))
            if ticket.uid not in self._watched:
                waiter = self._waiters.join(ticket.uid, self._agent_id, event=self._changed)
                self._watched[ticket.uid] = waiter
        self._changed.set()  # what happened before we listened is told first
        return found

    async def changes(self) -> AsyncIterator[dict[str, Any]]:
        """Each change of a watched task, as the params of `notifications/tasks`.

        The state of each comes first. Ends when all of them are over; never while the database
        is away.
        """
        while self._watched:
            await self._changed.wait()
            self._changed.clear()
            for uid, waiter in list(self._watched.items()):
                ticket = await self._moved(waiter)
                if ticket is None:
                    continue
                if ticket.is_over:
                    self._waiters.leave(waiter)
                    del self._watched[uid]
                yield task_now(ticket, as_event=True)

    def stop(self) -> None:
        """Watch nothing any more."""
        for waiter in self._watched.values():
            self._waiters.leave(waiter)
        self._watched.clear()
        self._changed.set()

    async def _moved(self, waiter: Waiter) -> TicketView | None:
        """The ticket, if it changed since it was last told."""
        try:
            if not await self._waiters.has_moved(waiter):
                return None
            return await self._waiters.view(waiter)
        except (DatabaseError, NotVisible) as problem:
            logger.warning("Task %s cannot be looked at (%s).", waiter.uid, problem)
            waiter.version = -1
            await asyncio.sleep(RETRY_SECONDS)
            return None


def _is_task(ticket: TicketView, upstream: str | None) -> bool:
    return (
        ticket.waiting is Waiting.TASK
        and upstream in (None, ticket.upstream_name)
        and expires_at(ticket, kept=conf.kept()) > datetime.now(UTC)
    )


def _uid(task_id: object) -> UUID:
    """The id in the one spelling that we give out. Raises UnknownTask."""
    try:
        uid = UUID(str(task_id))
    except ValueError:
        raise UnknownTask from None
    if str(uid) != task_id:
        raise UnknownTask
    return uid
