"""Executing what was approved: claim and send. Called by executors only.

A claim is authority for a while; the send is committed before the first byte leaves, in a
transaction that saw the gate, the digest and the approval. How it ends stands in `settling`.
"""

from __future__ import annotations

import hmac
from uuid import UUID

from django.db import transaction

from approvals import conf, ports, transitions
from approvals.audit.binding import ticket_binding
from approvals.audit.sealing import PayloadPurged, SealBroken, seal, unseal
from approvals.domain.canonical import ticket_digest
from approvals.domain.errors import (
    ApprovalNotLive,
    AttemptsExhausted,
    AuthorityChanged,
    DigestMismatch,
    FenceLost,
    KillSwitchOn,
    LeaseLost,
    PolicyDenied,
    Refusal,
    StaleState,
)
from approvals.domain.policy import CallFacts
from approvals.domain.states import CancelReason, State
from approvals.domain.verdicts import Effect
from approvals.models import DatabaseNow, Gate, Ticket
from approvals.selectors.queues import executable_tickets
from approvals.services import actors
from approvals.services.contract import Claim
from approvals.services.policies import verdict_under


def executable(limit: int = 20) -> list[UUID]:
    """Approved tickets that somebody may claim now, oldest first; none while killed."""
    if Gate.objects.filter(pk=1, killed=True).exists():
        return []
    return list(executable_tickets().values_list("uid", flat=True)[:limit])


def claim(*, uid: UUID, worker: str) -> Claim | None:
    """Take the authority to execute a ticket; None when it is not to be had.

    Where authority changed since the ticket was judged, today's policy judges it again, and a
    ticket that it denies is cancelled. A ticket whose arguments are not what was approved fails.
    """
    actor = actors.worker(worker)
    with transaction.atomic(durable=True):
        gate = transitions.gate_for_share()
        ticket = Ticket.objects.select_for_update().filter(uid=uid).first()
        if gate.killed or ticket is None or ticket.state != State.APPROVED:
            return None
        if not _judged_again(ticket, gate, actor):
            return None
        lease = conf.lease_seconds()
        try:
            fence = transitions.claim(
                ticket_id=ticket.pk,
                worker=worker[:100],
                lease_seconds=lease,
                epoch=gate.epoch,
                actor=actor,
            )
        except StaleState:
            return None
        try:
            arguments = _approved_arguments(ticket)
        except DigestMismatch as refusal:
            transitions.fail_unsent(
                ticket_id=ticket.pk,
                fence=fence,
                reason_payload_id=seal("reason", refusal.message.encode()).pk,
                actor=actor,
            )
            return None
        fresh = Ticket.objects.get(pk=ticket.pk)
        if fresh.execution_expires_at is None:
            raise StaleState(ticket=ticket.pk)
        return Claim(
            uid=fresh.uid,
            number=fresh.pk,
            fence=fence,
            worker=worker,
            epoch=gate.epoch,
            arguments=arguments,
            upstream_id=fresh.upstream_id,
            upstream_name=fresh.upstream_name,
            upstream_digest=bytes(fresh.upstream_digest),
            tool_name=fresh.tool_name,
            tool_digest=bytes(fresh.tool_digest),
            digest=bytes(fresh.digest),
            agent_id=fresh.agent_id,
            agent_name=fresh.agent_name,
            person_id=fresh.person_id,
            team_id=fresh.team_id,
            execution_expires_at=fresh.execution_expires_at,
            trace_id=fresh.trace_id,
            lease_seconds=lease,
        )


def renew(claim: Claim) -> bool:
    """Keep the claim alive for another lease; False: it is lost."""
    try:
        with transaction.atomic(durable=True):
            transitions.renew_lease(
                ticket_id=claim.number, fence=claim.fence, lease_seconds=claim.lease_seconds
            )
    except StaleState:
        return False
    return True


def record_send(claim: Claim, *, tool_digest: bytes, upstream_digest: bytes, epoch: int) -> None:
    """Commit that the call leaves now; only after this returns may its first byte be written.

    `tool_digest` and `upstream_digest` are of what would really be sent, and where to, read after
    `epoch` was: at another epoch AuthorityChanged asks to read them again. Raises
    KillSwitchOn, PolicyDenied (today's policy denies it; cancelled), DigestMismatch (the tool or
    the upstream changed; cancelled), ApprovalNotLive, FenceLost, LeaseLost, AttemptsExhausted.
    """
    actor = actors.worker(claim.worker)
    with transaction.atomic(durable=True):
        refusal = _send(claim, tool_digest, upstream_digest, epoch, actor)
    if refusal is not None:
        raise refusal


def abort_wanted(uid: UUID) -> bool:
    """Whether a sent call is to be broken off: somebody asked, or the kill switch is on."""
    if Gate.objects.filter(pk=1, killed=True).exists():
        return True
    return Ticket.objects.filter(uid=uid, abort_requested_at__isnull=False).exists()


def _judged_again(ticket: Ticket, gate: Gate, actor: str) -> bool:
    """Whether the ticket stands under the authority of now; judged again if it moved."""
    if ticket.gate_epoch == gate.epoch:
        return True
    facts = CallFacts(upstream=ticket.upstream_name, tool=ticket.tool_name, agent=ticket.agent_name)
    if verdict_under(gate.policy, facts).effect is Effect.DENY:
        transitions.cancel(ticket_id=ticket.pk, reason=CancelReason.POLICY_DENIES, actor=actor)
        transaction.on_commit(lambda: ports.ended(ticket.uid))
        return False
    transitions.touch_epoch(
        ticket_id=ticket.pk,
        epoch=gate.epoch,
        actor=actor,
        detail={"policy": gate.policy_id},
    )
    return True


def _approved_arguments(ticket: Ticket) -> bytes:
    """The exact bytes that were shown and approved; raises DigestMismatch for anything else."""
    try:
        arguments = unseal(ticket.arguments)
    except (PayloadPurged, SealBroken) as problem:
        raise DigestMismatch(str(problem)) from None
    if not hmac.compare_digest(
        ticket_digest(ticket_binding(ticket, arguments)), bytes(ticket.digest)
    ):
        raise DigestMismatch
    return arguments


def _send(
    claim: Claim, tool_digest: bytes, upstream_digest: bytes, epoch: int, actor: str
) -> Refusal | None:
    gate = transitions.gate_for_share()
    ticket = Ticket.objects.select_for_update().get(pk=claim.number)
    if ticket.state != State.CLAIMED or ticket.fence != claim.fence:
        return FenceLost(state=ticket.state)
    if gate.killed:
        return KillSwitchOn()
    if gate.epoch != epoch:
        return AuthorityChanged(epoch=gate.epoch)
    if not _judged_again(ticket, gate, actor):
        return PolicyDenied()
    drifted = (tool_digest, upstream_digest) != (claim.tool_digest, claim.upstream_digest)
    if drifted or bytes(ticket.digest) != claim.digest:
        transitions.cancel(ticket_id=ticket.pk, reason=CancelReason.DRIFT, actor=actor)
        transaction.on_commit(lambda: ports.ended(claim.uid))
        return DigestMismatch()
    allowed = 1
    if ticket.attempts:
        allowed = ports.attempts_allowed(upstream_id=ticket.upstream_id, tool_name=ticket.tool_name)
        if ticket.attempts >= min(allowed, ticket.max_attempts):
            transitions.cancel(ticket_id=ticket.pk, reason=CancelReason.DRIFT, actor=actor)
            transaction.on_commit(lambda: ports.ended(claim.uid))
            return AttemptsExhausted()
    try:
        transitions.send(
            ticket_id=ticket.pk,
            fence=claim.fence,
            digest=claim.digest,
            tool_digest=tool_digest,
            upstream_digest=upstream_digest,
            epoch=gate.epoch,
            attempts_allowed=allowed,
            actor=actor,
        )
    except (KillSwitchOn, AuthorityChanged) as refusal:
        return refusal
    except StaleState:
        return _why_not_sent(claim)
    return None


def _why_not_sent(claim: Claim) -> Refusal:
    ticket = Ticket.objects.filter(pk=claim.number)
    if ticket.filter(lease_expires_at__lte=DatabaseNow()).exists():
        return LeaseLost()
    if not ticket.filter(revoked_at=None, execution_expires_at__gt=DatabaseNow()).exists():
        return ApprovalNotLive()
    return AttemptsExhausted()
