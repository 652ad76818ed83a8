"""Holding one request open until its ticket is over, the limit is reached, or the agent leaves.

The order is: register, look at the row, wait, look again; so no change can fall between two
looks. Knows neither the wire nor what leaving means for the ticket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from django.db import DatabaseError

from mcpbridge.approvals_gateway import TicketView
from mcpbridge.server.exchange import Exchange
from mcpbridge.server.rendering import Held
from mcpbridge.server.waiting import Waiter, Waiters

logger = logging.getLogger(__name__)

type Report = Callable[[TicketView], Awaitable[None]]

_FOREVER: Final = 3600.0


class AgentLeft(Exception):
    """The agent closed its connection while its request was held."""


async def hold(
    waiters: Waiters,
    waiter: Waiter,
    exchange: Exchange,
    *,
    ticket: TicketView,
    style: Held,
    report: Report,
) -> TicketView:
    """The ticket when it is over, or as it stands at the hold limit. Raises AgentLeft."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + style.seconds
    next_report = loop.time() if style.report_every is not None else float("inf")
    stop_listening = exchange.on_gone(waiter.wake)
    try:
        view = await _look_again(waiters, waiter, ticket)
        while not view.is_over:
            if exchange.gone:
                raise AgentLeft
            now = loop.time()
            if now >= limit:
                return view
            if now >= next_report:
                await report(view)
                next_report = now + (style.report_every or _FOREVER)
            if await waiter.rings(min(limit, next_report) - loop.time()) and not exchange.gone:
                view = await _look(waiters, waiter, view)
        return view
    finally:
        stop_listening()


async def _look_again(waiters: Waiters, waiter: Waiter, ticket: TicketView) -> TicketView:
    """The row after registering; it is read whole only if it changed since `ticket` was read."""
    waiter.saw(ticket)
    if ticket.detached:
        return await _look(waiters, waiter, ticket)
    try:
        moved = await waiters.has_moved(waiter)
    except DatabaseError:
        moved = True
    return await _look(waiters, waiter, ticket) if moved else ticket


async def _look(waiters: Waiters, waiter: Waiter, last: TicketView) -> TicketView:
    """The row now; while the database is away, the row as it was seen last."""
    try:
        return await waiters.view(waiter)
    except DatabaseError as problem:
        logger.warning("Ticket %s cannot be looked at (%s).", waiter.uid, problem)
        waiter.version = -1  # so that the next look of all wakes it
        return last
