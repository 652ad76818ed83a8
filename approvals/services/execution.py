"""Executing what was approved: claim, send, settle. Called by executors only.

A claim is authority for a while; the send is committed before the first byte leaves, in a
transaction that saw the gate, the digest and the approval. Every answer that comes too late is
kept as evidence and changes nothing.
"""

from __future__ import annotations

import hmac
from typing import Final
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
from approvals.domain.states import TERMINAL, CancelReason, State, UnknownReason
from approvals.domain.verdicts import Effect
from approvals.models import DatabaseNow, Gate, Ticket
from approvals.selectors.queues import executable_tickets
from approvals.services import actors
from approvals.services.contract import Claim
from approvals.services.policies import verdict_under

ENDED_UNSENT: Final = (State.REJECTED, State.EXPIRED, State.CANCELLED)


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
            _fail_unsent(ticket.pk, fence, refusal.message, actor)
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


def settle_succeeded(claim: Claim, result: bytes) -> None:
    """The upstream answered with a result (its exact JSON). Raises StaleState when too late."""
    _settle_sent(claim, State.SUCCEEDED, result)


def settle_failed(claim: Claim, error: bytes) -> None:
    """The upstream answered with an error (its exact JSON). Raises StaleState when too late."""
    _settle_sent(claim, State.FAILED, error)


def settle_unknown(claim: Claim, reason: UnknownReason) -> None:
    """Bytes may have left and no proof of the outcome came back. Raises StaleState."""
    with transaction.atomic(durable=True):
        transitions.unknown(
            ticket_id=claim.number,
            fence=claim.fence,
            reason=reason,
            actor=actors.worker(claim.worker),
        )


def fail_unsent(claim: Claim, why: str) -> None:
    """It certainly did not run: nothing was sent, or provably no byte left. Raises StaleState."""
    actor = actors.worker(claim.worker)
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.select_for_update().get(pk=claim.number)
        if ticket.state == State.SENT:
            transitions.fail_sent(
                ticket_id=claim.number,
                fence=claim.fence,
                result_payload_id=None,
                reason_payload_id=seal("reason", why.encode()).pk,
                actor=actor,
            )
        else:
            _fail_unsent(claim.number, claim.fence, why, actor)


def late_answer(*, uid: UUID, evidence: bytes) -> None:
    """Keep an answer that came after the ticket had ended; does nothing while it has not."""
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.select_for_update().filter(uid=uid).first()
        if ticket is not None and ticket.state in TERMINAL:
            transitions.late_answer(
                ticket_id=ticket.pk,
                payload_id=seal("late_answer", evidence).pk,
                actor=actors.GATEWAY,
            )


def abort_wanted(uid: UUID) -> bool:
    """Whether a sent call is to be broken off: somebody asked, or the kill switch is on."""
    if Gate.objects.filter(pk=1, killed=True).exists():
        return True
    return Ticket.objects.filter(uid=uid, abort_requested_at__isnull=False).exists()


def wind_up(uid: UUID) -> bool:
    """Note that a worker closed what a ticket without execution left open; False: was done."""
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.filter(uid=uid).first()
        if ticket is None or ticket.state not in ENDED_UNSENT or ticket.wound_up_at is not None:
            return False
        try:
            transitions.wound_up(ticket_id=ticket.pk, actor=actors.GATEWAY)
        except StaleState:
            return False
        return True


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
    try:
        transitions.send(
            ticket_id=ticket.pk,
            fence=claim.fence,
            digest=claim.digest,
            tool_digest=tool_digest,
            upstream_digest=upstream_digest,
            epoch=gate.epoch,
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


def _settle_sent(claim: Claim, target: State, answer: bytes) -> None:
    actor = actors.worker(claim.worker)
    refusal: StaleState | None = None
    with transaction.atomic(durable=True):
        ticket = Ticket.objects.select_for_update().get(pk=claim.number)
        payload = seal("result" if ticket.state == State.SENT else "late_answer", answer)
        settle = transitions.succeed if target is State.SUCCEEDED else transitions.fail_sent
        try:
            settle(
                ticket_id=claim.number,
                fence=claim.fence,
                result_payload_id=payload.pk,
                actor=actor,
            )
        except StaleState as stale:
            refusal = stale
            if ticket.state in TERMINAL:
                transitions.late_answer(ticket_id=ticket.pk, payload_id=payload.pk, actor=actor)
    if refusal is not None:
        raise refusal


def _fail_unsent(ticket_id: int, fence: int, why: str, actor: str) -> None:
    transitions.fail_unsent(
        ticket_id=ticket_id,
        fence=fence,
        reason_payload_id=seal("reason", why.encode()).pk,
        actor=actor,
    )
