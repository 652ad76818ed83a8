"""The row of a new ticket, bound to everything that an approval of it will be bound to.

Inserts nothing: whoever opens a ticket says how it begins.
"""

from __future__ import annotations

import secrets
from typing import Final

from uuid6 import uuid7

from approvals import conf
from approvals.audit.binding import ticket_binding
from approvals.audit.sealing import seal_several
from approvals.domain.canonical import JSON, ordered_bytes, ticket_digest
from approvals.domain.inspection import Finding, argument_rows
from approvals.domain.obligations import Obligations
from approvals.domain.risk import risk_of
from approvals.domain.states import State, Waiting
from approvals.models import Ticket, after_seconds
from approvals.services.contract import Judgement, Submission
from approvals.services.repeats import RepeatKeys

NONCE_BYTES: Final = 32

type Findings = tuple[Finding, ...]


def ticket_of(
    call: Submission,
    judgement: Judgement,
    keys: RepeatKeys,
    obligations: Obligations,
    findings: Findings,
) -> Ticket:
    """The row as it will be inserted, bound to everything an approval is bound to."""
    texts = {"arguments": call.arguments}
    if call.tool_definition is not None:
        texts["tool_definition"] = ordered_bytes(call.tool_definition)
    if call.agent_says:
        texts["agent_says"] = call.agent_says.encode()
    sealed = dict(zip(texts, seal_several(*texts.items()), strict=True))
    ticket = Ticket(
        uid=uuid7(),
        team_id=call.team_id,
        agent_id=call.agent_id,
        agent_name=call.agent_name[:120],
        token_id=call.token_id,
        person_id=call.person_id,
        session_label=call.session_label[:200],
        trace_id=call.trace_id[:32],
        upstream_id=call.upstream_id,
        upstream_name=call.upstream_name,
        upstream_digest=call.upstream_digest,
        tool_name=call.tool_name,
        tool_digest=call.tool_digest,
        arguments=sealed["arguments"],
        tool_definition=sealed.get("tool_definition"),
        agent_says=sealed.get("agent_says"),
        nonce=secrets.token_bytes(NONCE_BYTES),
        policy_id=judgement.policy_version,
        verdict=judgement.verdict.to_dict(),
        obligations=obligations.to_dict(),
        risk=_risk(call, obligations, findings),
        repeat_key=keys.call,
        explicit_key=call.idempotency_key is not None,
        arguments_key=keys.arguments,
        retry_of=_retried(call),
        approval_expires_at=after_seconds(obligations.approval_seconds),
        waiting=call.waiting,
        holder_id=call.holder_id,
        grace_seconds=call.grace_seconds,
        gate_epoch=judgement.epoch,
        max_attempts=call.max_attempts,
    )
    if call.waiting is Waiting.HANDED_OVER:
        ticket.waits_until = after_seconds(conf.handover_seconds())
    ticket.digest = ticket_digest(ticket_binding(ticket, call.arguments))
    return ticket


def _retried(call: Submission) -> Ticket | None:
    """The ticket that this one runs again: the same agent's, its outcome unknown."""
    if call.retry_of is None:
        return None
    return Ticket.objects.get(
        uid=call.retry_of, agent_id=call.agent_id, state=State.OUTCOME_UNKNOWN
    )


def findings_in(call: Submission) -> Findings:
    """What is misleading in the arguments."""
    definition: dict[str, JSON] = call.tool_definition or {}
    return argument_rows(call.arguments, definition.get("inputSchema")).findings


def _risk(call: Submission, obligations: Obligations, findings: Findings) -> str:
    definition: dict[str, JSON] = call.tool_definition or {}
    annotations = definition.get("annotations")
    return risk_of(
        annotations=annotations if isinstance(annotations, dict) else None,
        annotations_trusted=call.annotations_trusted,
        findings=findings,
        obligations=obligations,
    ).level


def opening_detail(ticket: Ticket, session: str = "") -> dict[str, JSON]:
    """What the first link of a ticket's chain says of it beside its digest."""
    return {
        **({"session": session} if session else {}),
        "digest": bytes(ticket.digest).hex(),
        "policy": ticket.policy_id,
        "epoch": ticket.gate_epoch,
        "agent": str(ticket.agent_id),
        "token": str(ticket.token_id) if ticket.token_id else None,
        "repeat_of": ticket.possible_repeat_of_id,
        "retry_of": ticket.retry_of_id,
    }
