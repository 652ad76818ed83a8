"""Who still waits for a ticket: holders and their leases, handovers, withdrawals, deliveries.

A web process that holds requests open keeps one `Holder` lease alive. Everything an agent may
do to its own ticket stands here; another agent's ticket does not exist for it.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import batched
from typing import Final
from uuid import UUID

from django.db import transaction

from approvals import conf, ports, transitions
from approvals.domain.errors import NotVisible, StaleState
from approvals.domain.states import CANCELLABLE, TERMINAL, CancelReason, State, Waiting
from approvals.models import DatabaseNow, Holder, Ticket, after_seconds
from approvals.services import actors
from approvals.services.contract import TicketView
from approvals.services.tickets import locked, view_of

PER_QUERY: Final = 500  # identifiers in one IN (…)


def start_holder() -> UUID:
    """Begin to hold requests open; the lease must be renewed."""
    lease = after_seconds(conf.holder_lease_seconds())
    return Holder.objects.create(lease_expires_at=lease).pk


def renew_holder(holder_id: UUID) -> bool:
    """Say again that this process holds its requests.

    False: the lease had run out, so its tickets may count as left; revive it (or start a new
    holder) and attach again those that do.
    """
    lease = after_seconds(conf.holder_lease_seconds())
    living = Holder.objects.filter(pk=holder_id, lease_expires_at__gt=DatabaseNow())
    return living.update(lease_expires_at=lease) == 1


def revive_holder(holder_id: UUID) -> None:
    """Run a lease again that had run out. Tickets that were left meanwhile stay left."""
    lease = after_seconds(conf.holder_lease_seconds())
    Holder.objects.update_or_create(pk=holder_id, defaults={"lease_expires_at": lease})


def stop_holder(holder_id: UUID) -> None:
    """End the lease in good order: what it still holds counts as left from now on."""
    Holder.objects.filter(pk=holder_id).update(lease_expires_at=DatabaseNow())


def attach(
    *, uid: UUID, agent_id: UUID, waiting: Waiting, holder_id: UUID | None = None
) -> TicketView:
    """Wait for a ticket again; one that is over is simply shown. Raises NotVisible. Joins.

    A task stays a task: it outlives whoever waits beside it.
    """
    with transaction.atomic():
        ticket = _own(uid, agent_id)
        if ticket.state not in TERMINAL and not is_task(ticket):
            ticket = transitions.attach_waiter(
                ticket_id=ticket.pk,
                waiting=waiting,
                holder_id=holder_id,
                waits_seconds=waits_seconds(waiting),
                actor=actors.agent(agent_id),
            )
        return view_of(ticket)


def detach(*, uid: UUID, holder_id: UUID) -> None:
    """The request that this process held was broken off; the grace period begins.

    Nothing happens when somebody else waits for the ticket by now, or when it is over.
    """
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.filter(uid=uid).first()
        if ticket is not None:
            _detach(ticket, holder_id)


def hand_over(
    *, uid: UUID, holder_id: UUID | None = None, seconds: float | None = None
) -> TicketView:
    """The agent is told to come back with the ticket's id; the ticket waits for that a while.

    `seconds`: how long, if not as long as for any handover. Raises NotVisible; a ticket that is
    over, or a task, is simply shown.
    """
    with transaction.atomic(durable=True):
        ticket = locked(uid)
        if ticket.state not in TERMINAL and not is_task(ticket):
            ticket = transitions.hand_over(
                ticket_id=ticket.pk,
                holder_id=holder_id,
                waits_seconds=conf.handover_seconds() if seconds is None else seconds,
                actor=actors.GATEWAY,
            )
        return view_of(ticket)


def withdraw(
    *,
    uid: UUID,
    agent_id: UUID,
    holder_id: UUID | None = None,
    requests: int | None = None,
    may_return: bool = False,
) -> TicketView:
    """The agent takes its call back: cancelled if nothing left yet, else asked to abort.

    With `holder_id`, only while that process is the one that holds it, and with `requests`, only
    while the ticket stands for so many requests: nothing is taken back that another request
    waits for. `may_return`: the agent may only have lost patience, so what has not left yet gets
    the grace period. A ticket that is over stays as it is. Raises NotVisible.
    """
    actor = actors.agent(agent_id)
    with transaction.atomic(durable=True):
        ticket = _own(uid, agent_id)
        if holder_id is not None and ticket.holder_id != holder_id:
            return view_of(ticket)
        if requests is not None and ticket.requests != requests:
            return view_of(ticket)
        if ticket.state in CANCELLABLE and may_return and holder_id is not None:
            ticket = _detach(ticket, holder_id)
        elif ticket.state in CANCELLABLE:
            ticket = transitions.cancel(
                ticket_id=ticket.pk, reason=CancelReason.WITHDRAWN, actor=actor
            )
            transaction.on_commit(lambda: ports.ended(uid))
        elif ticket.state == State.SENT and ticket.abort_requested_at is None:
            ticket = transitions.request_abort(ticket_id=ticket.pk, actor=actor)
        return view_of(ticket)


def view(*, uid: UUID, agent_id: UUID) -> TicketView:
    """What this agent may be told about its ticket. Raises NotVisible."""
    tickets = Ticket.objects.select_related("result", "reason")
    ticket = tickets.filter(uid=uid, agent_id=agent_id).first()
    if ticket is None:
        raise NotVisible(uid=str(uid))
    return view_of(ticket)


def states(uids: Collection[UUID]) -> dict[UUID, tuple[State, int]]:
    """State and version of each of these tickets that exists."""
    found: dict[UUID, tuple[State, int]] = {}
    for some in batched(uids, PER_QUERY):
        rows = Ticket.objects.filter(uid__in=some).values_list("uid", "state", "version")
        found.update({uid: (State(state), version) for uid, state, version in rows})
    return found


def mark_delivered(uid: UUID) -> bool:
    """An answer with the outcome was written out; False when one had been before."""
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.filter(uid=uid).first()
        if ticket is None or ticket.delivered_at is not None or ticket.state not in TERMINAL:
            return False
        try:
            transitions.mark_delivered(ticket_id=ticket.pk, actor=actors.GATEWAY)
        except StaleState:
            return False
        return True


def waits_seconds(waiting: Waiting) -> float | None:
    """How long a ticket waits for a waiter of this kind; None: until its deadlines."""
    return conf.handover_seconds() if waiting is Waiting.HANDED_OVER else None


def is_task(ticket: Ticket) -> bool:
    """Whether the agent got a handle that it may come back to at any time."""
    return ticket.waiting == Waiting.TASK


def _detach(ticket: Ticket, holder_id: UUID) -> Ticket:
    if ticket.holder_id != holder_id or ticket.detached_at is not None:
        return ticket
    try:
        return transitions.detach(ticket_id=ticket.pk, holder_id=holder_id, actor=actors.GATEWAY)
    except StaleState:
        return ticket


def _own(uid: UUID, agent_id: UUID) -> Ticket:
    ticket = locked(uid)
    if ticket.agent_id != agent_id:
        raise NotVisible(uid=str(uid))
    return ticket
