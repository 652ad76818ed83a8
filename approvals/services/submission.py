"""Opening tickets: from a judged call to a durable row.

Order matters. Whoever asks was judged at the epoch of now. A repeat finds its ticket first, because
that starts nothing; only a new ticket needs the kill switch off, a live grant or a place among the
agent's open tickets.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from approvals import ports, transitions
from approvals.domain.errors import (
    AgentPaused,
    AuthorityChanged,
    KillSwitchOn,
    PolicyDenied,
    StaleState,
    TooManyOpenTickets,
)
from approvals.domain.obligations import Obligations
from approvals.domain.states import Waiting
from approvals.domain.verdicts import Effect
from approvals.domain.wording import say
from approvals.models import Ticket, plain
from approvals.services import actors
from approvals.services.contract import Judgement, Submission, Submitted
from approvals.services.escalation import note_due
from approvals.services.grants import matching_grants
from approvals.services.naming import note_names
from approvals.services.new_ticket import Findings, findings_in, opening_detail, ticket_of
from approvals.services.repeats import (
    RepeatKeys,
    grants_disabled,
    is_undelivered,
    keys_of,
    newest_like,
    require_same_arguments,
)
from approvals.services.reviewers import require_reachable, who_decides
from approvals.services.tickets import view_of
from approvals.services.waiting import is_task, waits_seconds

RETRY_SECONDS: Final = 30  # people take their time; asking more often helps nobody


def submit(*, call: Submission, judgement: Judgement) -> Submitted:
    """Pause a call: attach it to its open ticket, hand it its outcome, or open a ticket for it.

    Raises IdempotencyKeyReused, PolicyDenied, KillSwitchOn, AuthorityChanged (judge again),
    AgentPaused, TooManyOpenTickets, PolicyInvalid or QuorumUnreachable (nobody could approve it).
    """
    if judgement.verdict.effect is Effect.DENY:
        raise PolicyDenied(rule=judgement.verdict.rule)
    if judgement.verdict.effect is Effect.ALLOW:
        raise ValueError("a call that policy allows is no ticket")
    if (call.waiting is Waiting.HELD) != (call.holder_id is not None):
        raise ValueError("a held call names the process that holds it, and no other call does")
    keys = keys_of(call)
    findings = findings_in(call)  # megabytes take a while: before any lock is held
    try:
        return _submitted(call, judgement, keys, findings)
    except IntegrityError:
        # Somebody opened the same call between our look and our insert: now we see it.
        return _submitted(call, judgement, keys, findings)


def _submitted(
    call: Submission, judgement: Judgement, keys: RepeatKeys, findings: Findings
) -> Submitted:
    with transaction.atomic(durable=True):
        killed, epoch, _policy = transitions.gate_facts_for_share()
        if epoch != judgement.epoch:
            raise AuthorityChanged(epoch=epoch)
        _one_at_a_time(call)
        require_same_arguments(call, keys)
        before = newest_like(keys)
        found = _repeat(call, before)
        if found is not None:
            return found
        if killed:
            raise KillSwitchOn
        return _open(call, judgement, keys, before, findings)


def _one_at_a_time(call: Submission) -> None:
    """Let one submission of this agent in at a time, so that its open tickets can be counted."""
    if connection.vendor == "postgresql":  # SQLite has one writer at a time anyway
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"agent:{call.agent_id}"]
            )


def _repeat(call: Submission, before: Ticket | None) -> Submitted | None:
    """What a repeat finds: its open ticket, or an outcome that nobody has got yet."""
    if before is None:
        return None
    actor = actors.agent(call.agent_id)
    if before.ended_at is None:
        ticket = transitions.count_request(ticket_id=before.pk, actor=actor)
        if not is_task(ticket):
            ticket = transitions.attach_waiter(
                ticket_id=before.pk,
                waiting=call.waiting,
                holder_id=call.holder_id,
                waits_seconds=waits_seconds(call.waiting),
                actor=actor,
            )
        return Submitted(ticket=view_of(ticket), kind="attached")
    if call.retry_of is not None or not is_undelivered(before):
        return None
    try:
        ticket = transitions.mark_delivered(ticket_id=before.pk, actor=actor)
    except StaleState:
        return None  # another repeat got it
    return Submitted(ticket=view_of(ticket), kind="delivered")


def _open(
    call: Submission,
    judgement: Judgement,
    keys: RepeatKeys,
    before: Ticket | None,
    findings: Findings,
) -> Submitted:
    _require_room(call)
    groups, obligations = who_decides(call, judgement.verdict.obligations)
    ticket = ticket_of(call, judgement, keys, obligations, findings)
    ticket.possible_repeat_of = before
    group_ids = [group.pk for group in groups]
    note_names(ticket, groups=group_ids)
    grants = matching_grants(ticket, call.arguments, session=call.session)
    if grants and not grants_disabled(keys):
        for grant_id in grants:
            opened = _open_by_grant(ticket, group_ids, grant_id, obligations)
            if opened is not None:
                return opened
    require_reachable(ticket, groups, obligations)
    stored = transitions.open_pending(
        ticket=ticket,
        group_ids=group_ids,
        actor=actors.agent(call.agent_id),
        detail=opening_detail(ticket, call.session),
    )
    note_due(stored, obligations)
    names = [group.name for group in groups]
    return Submitted(ticket=view_of(stored, new_for=names), kind="opened")


def _require_room(call: Submission) -> None:
    """Raise AgentPaused, or TooManyOpenTickets where the agent has as many open as it may."""
    paused = "SELECT 1 FROM approvals_agentpause WHERE agent_id = %s AND resumed_at IS NULL"
    open_now = (
        "SELECT 1 FROM approvals_ticket WHERE agent_id = %s AND ended_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM approvals_canary"
        " WHERE approvals_canary.ticket_id = approvals_ticket.id)"
    )
    last = max(0, call.max_open_tickets - 1)  # the database counts, and no further
    found = plain.one(
        f"SELECT EXISTS({paused}), EXISTS({open_now} LIMIT 1 OFFSET %s)",
        call.agent_id,
        call.agent_id,
        last,
    )
    is_paused, is_full = found if found is not None else (True, True)
    if is_paused:
        raise AgentPaused
    if is_full or call.max_open_tickets <= 0:
        raise TooManyOpenTickets(
            say(
                "{number} calls of this agent are waiting already, as many as it may have; wait"
                " until some of them are decided",
                number=call.max_open_tickets,
            ),
            limit=call.max_open_tickets,
            retry_after=RETRY_SECONDS,
        )


def _open_by_grant(
    ticket: Ticket, group_ids: list[UUID], grant_id: UUID, obligations: Obligations
) -> Submitted | None:
    try:
        with transaction.atomic():
            stored = transitions.open_by_grant(
                ticket=ticket,
                group_ids=group_ids,
                grant_id=grant_id,
                execution_seconds=obligations.execution_seconds,
                actor=actors.agent(ticket.agent_id),
                detail=opening_detail(ticket),
            )
    except StaleState:
        ticket.pk = None  # what was inserted is undone
        ticket.execution_expires_at = None
        return None  # its last use went to somebody else, or it was revoked
    transaction.on_commit(lambda: ports.approved(stored.uid))
    return Submitted(ticket=view_of(stored), kind="by_grant")
