"""What becomes of tickets by themselves or all at once: deadlines, sweeps, cancellations.

Every worker sweeps; a sweep looks at queues without a lock and then acts on one ticket after
the other, each in a transaction of its own whose UPDATE decides by the database's clock. Two
sweepers at the same ticket are therefore one act and one refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from approvals import ports, transitions
from approvals.domain.errors import KillSwitchOn, StaleState
from approvals.domain.states import CancelReason, UnknownReason
from approvals.models import Gate, Ticket
from approvals.selectors import queues
from approvals.services import actors
from approvals.services.contract import Swept
from approvals.services.escalation import escalate_due

BATCH: Final = 100  # tickets in one transaction of a mass cancellation
ABORTING: Final = frozenset({CancelReason.KILL_SWITCH, CancelReason.TOKEN_REVOKED})

type Act = Callable[[Ticket], object]


def sweep(limit: int = 200) -> Swept:
    """Do what is due, at most `limit` tickets of each kind; what is now to be dispatched.

    `ended` also names tickets that ended earlier and were not wound up: their hint was lost.
    """
    if Gate.objects.filter(pk=1, killed=True).exists():
        cancel_all(reason=CancelReason.KILL_SWITCH, actor=actors.SWEEPER, limit=limit)
    escalate_due(limit)
    _each(queues.left_by_dead_holders()[:limit], _leave)
    ended = _each(queues.overdue()[:limit], _expire)
    ended += _each(queues.abandoned()[:limit], _give_up)
    approved = _each(queues.claimed_by_the_dead()[:limit], _release)
    approved += _each(queues.sent_by_the_dead()[:limit], _settle)
    ended += queues.not_wound_up().values_list("uid", flat=True)[:limit]
    return Swept(approved=tuple(approved), ended=tuple(dict.fromkeys(ended)))


def cancel_tickets(
    *,
    reason: CancelReason,
    actor: str,
    uid: UUID | None = None,
    token_id: UUID | None = None,
    agent_id: UUID | None = None,
    upstream_id: UUID | None = None,
    tool_name: str | None = None,
    abort_sent: bool = False,
) -> int:
    """Cancel what was not sent of one ticket, token, agent, upstream or tool; how many. Joins.

    With `abort_sent`, the kill switch or a revoked token, what was sent is asked to abort.
    """
    scope: dict[str, object] = {
        name: value
        for name, value in (
            ("uid", uid),
            ("token_id", token_id),
            ("agent_id", agent_id),
            ("upstream_id", upstream_id),
            ("tool_name", tool_name),
        )
        if value is not None
    }
    if not scope:
        raise ValueError("say which tickets: one, or a token's, agent's, upstream's or tool's")
    with transaction.atomic():
        if abort_sent or reason in ABORTING:
            _abort(queues.in_flight().filter(**scope), actor)
        return _cancel(queues.unsent().filter(**scope), reason, actor)


def cancel_all(
    *, reason: CancelReason, actor: str, joins: bool = False, limit: int | None = None
) -> int:
    """Stop every open ticket, in batches: cancel what was not sent, ask the rest to abort."""
    total = 0
    while limit is None or total < limit:
        with transaction.atomic(durable=not joins):
            moved = _abort(queues.in_flight()[:BATCH], actor) if reason in ABORTING else 0
            moved += _cancel(queues.unsent()[:BATCH], reason, actor)
        total += moved
        if not moved:
            return total
    return total


def _cancel(tickets: QuerySet[Ticket], reason: CancelReason, actor: str) -> int:
    moved = 0
    for pk, uid in list(tickets.values_list("pk", "uid")):
        try:
            transitions.cancel(ticket_id=pk, reason=reason, actor=actor)
        except StaleState:
            continue
        moved += 1
        transaction.on_commit(partial(ports.ended, uid))
    return moved


def _abort(tickets: QuerySet[Ticket], actor: str) -> int:
    moved = 0
    for pk in list(tickets.values_list("pk", flat=True)):
        try:
            transitions.request_abort(ticket_id=pk, actor=actor)
        except StaleState:
            continue
        moved += 1
    return moved


def _each(tickets: Iterable[Ticket], act: Act) -> list[UUID]:
    """Act on each in a transaction of its own; the uids of those to dispatch now."""
    due: list[UUID] = []
    for ticket in tickets:
        try:
            with transaction.atomic(durable=True):
                if act(ticket) is True:
                    due.append(ticket.uid)
        except StaleState:
            continue  # another sweeper, executor or person was first
    return due


def _leave(ticket: Ticket) -> None:
    transitions.detach(ticket_id=ticket.pk, holder_id=None, actor=actors.SWEEPER)


def _expire(ticket: Ticket) -> bool:
    transitions.expire(ticket_id=ticket.pk, actor=actors.SWEEPER)
    return True


def _give_up(ticket: Ticket) -> bool:
    """Cancel what nobody waits for, unless somebody came back while we looked."""
    Ticket.objects.select_for_update().get(pk=ticket.pk)
    if not queues.abandoned().filter(pk=ticket.pk).exists():
        return False
    transitions.cancel(ticket_id=ticket.pk, reason=CancelReason.AGENT_GONE, actor=actors.SWEEPER)
    return True


def _release(ticket: Ticket) -> bool:
    transitions.release(ticket_id=ticket.pk, actor=actors.SWEEPER)
    return True


def _settle(ticket: Ticket) -> bool:
    """Run again what an admin calls idempotent now; of anything else the outcome is unknown."""
    transitions.gate_for_share()  # taking the mark back waits for this, or is seen
    try:
        transitions.retry_sent(
            ticket_id=ticket.pk,
            attempts_allowed=ports.attempts_allowed(
                upstream_id=ticket.upstream_id, tool_name=ticket.tool_name
            ),
            actor=actors.SWEEPER,
        )
    except (StaleState, KillSwitchOn):
        aborted = ticket.abort_requested_at is not None
        transitions.unknown(
            ticket_id=ticket.pk,
            fence=None,
            reason=UnknownReason.ABORTED if aborted else UnknownReason.LEASE_LOST,
            actor=actors.SWEEPER,
        )
        return False
    return True
