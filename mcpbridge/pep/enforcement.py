"""Enforcing policy on one call: allow it, deny it, or pause it, and have that on record first.

What this process remembers (rows, verdicts, who the agent is) is good for one epoch of the gate.
The transaction that records the call checks that epoch; when it moved, everything is read anew
and judged again. Fails closed: whatever cannot be read or written, the call is not made.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import ceil
from typing import Final
from uuid import UUID

from django.db import Error as DatabaseError

from mcpbridge import approvals_gateway as ledger
from mcpbridge import records
from mcpbridge.approvals_gateway import (
    AgentNotLive,
    AgentPaused,
    AuthorityChanged,
    Effect,
    IdempotencyKeyReused,
    Judgement,
    KillSwitchOn,
    Refusal,
    Submission,
    TooManyOpenTickets,
    Waiting,
)
from mcpbridge.calls import outcome as outcomes
from mcpbridge.calls.principal import Principal
from mcpbridge.calls.tool_call import ToolCall
from mcpbridge.catalog.catalog import CatalogTool, CatalogUnreadable, catalog, may_use
from mcpbridge.catalog.listing import facts_of
from mcpbridge.catalog.snapshot import Snapshot
from mcpbridge.executor.allowed import Allowed
from mcpbridge.offload import in_crowd, in_database
from mcpbridge.pep.answers import Answer, Denied, Paused, Unavailable
from mcpbridge.pep.liveness import recheck
from mcpbridge.records import CallStart, RecordRefused

logger = logging.getLogger(__name__)

ROUNDS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiter:
    """Who waits for the outcome, should the call be paused."""

    waiting: Waiting
    holder_id: UUID | None
    session_label: str
    session: str


class Stale(Exception):
    """What was remembered is of an older epoch."""


async def enforce(
    principal: Principal,
    call: ToolCall,
    *,
    waiting: Waiting,
    holder_id: UUID | None = None,
    session_label: str = "",
    session: str = "",
) -> Answer:
    """Decide about the call; whatever is not Allowed must not be made.

    `session` is the id of the session it came in, where its revision has sessions.
    Raises AgentNotLive when the agent or its token is no longer valid.
    """
    waiter = _Waiter(
        waiting=waiting, holder_id=holder_id, session_label=session_label, session=session
    )
    try:
        for _ in range(ROUNDS):
            try:
                principal, current = await same_epoch(principal)
                return await _enforce(principal, call, waiter, current)
            except (Stale, AuthorityChanged):
                await catalog().reload()
        return _unavailable("authority kept changing while the call was judged", "unsettled")
    except CatalogUnreadable as error:
        return _unavailable(str(error), "upstream_unavailable", retry_after=error.retry_after)
    except (RecordRefused, DatabaseError):
        logger.warning("A call was refused: the ledger cannot be reached.", exc_info=True)
        return _unavailable("the gateway cannot record the call now", "ledger_unavailable")


async def same_epoch(principal: Principal) -> tuple[Principal, Snapshot]:
    """Principal and rows as of one epoch; raises Stale when the gate moved in between."""
    current = await catalog().snapshot(newer_than=principal.gate_epoch - 1)
    if principal.gate_epoch != current.epoch:
        principal = await in_database(recheck, principal)
    if principal.gate_epoch != current.epoch:
        raise Stale
    return principal, current


async def _enforce(
    principal: Principal, call: ToolCall, waiter: _Waiter, current: Snapshot
) -> Answer:
    tool = current.tools.get((call.upstream, call.tool))
    if tool is None or not may_use(principal, tool.source):
        await _read_first(principal, call, current)
        await confirm(current)
        return _unavailable("there is no such tool for this agent", "unknown_tool", retry=False)
    found = catalog()
    judgement = await found.verdicts.judge(facts_of(principal, tool), epoch=current.epoch)
    if judgement.epoch != current.epoch:
        raise Stale
    if judgement.killed:
        await confirm(current)
        return Denied(outcome=outcomes.KillSwitchOn())
    effect = judgement.verdict.effect
    if effect is Effect.DENY:
        return await _deny(principal, call, tool, judgement)
    if await found.ensure_fresh(tool.source, agent_id=principal.agent_id):
        raise Stale
    try:
        if effect is Effect.ALLOW:
            return await _allow(principal, call, tool, judgement)
        return await _pause(principal, call, tool, judgement, waiter)
    except KillSwitchOn:
        return Denied(outcome=outcomes.KillSwitchOn())


async def _read_first(principal: Principal, call: ToolCall, current: Snapshot) -> None:
    """Read the tool list of an upstream that may have the tool; raises Stale when it has news."""
    source = current.sources.get(call.upstream)
    if source is None or not may_use(principal, source):
        return
    if await catalog().ensure_fresh(source, agent_id=principal.agent_id):
        raise Stale


async def confirm(current: Snapshot) -> None:
    """Make sure that remembered grounds for a refusal are still true; raises Stale."""
    gate = await in_database(ledger.gate)
    if gate.epoch != current.epoch:
        raise Stale


async def _deny(
    principal: Principal, call: ToolCall, tool: CatalogTool, judgement: Judgement
) -> Denied:
    start = _start(principal, call, tool, judgement)
    await records.start(start)
    return Denied(
        outcome=outcomes.DeniedByPolicy(rule=judgement.verdict.rule or ""), record_id=start.id
    )


async def _allow(
    principal: Principal, call: ToolCall, tool: CatalogTool, judgement: Judgement
) -> Allowed:
    start = _start(principal, call, tool, judgement)
    await records.start(start)
    return Allowed(record_id=start.id, agent_id=principal.agent_id, tool=tool, call=call)


def _start(
    principal: Principal, call: ToolCall, tool: CatalogTool, judgement: Judgement
) -> CallStart:
    return CallStart(
        agent_id=principal.agent_id,
        person_id=principal.person_id,
        token_id=principal.token_id,
        upstream_id=tool.source.id,
        tool_name=tool.name,
        tool_digest=tool.digest,
        verdict="allow" if judgement.verdict.effect is Effect.ALLOW else "deny",
        rule=judgement.verdict.rule or "",
        policy_version=judgement.policy_version,
        epoch=judgement.epoch,
        arguments=call.arguments_bytes,
        trace_id=_trace_id(call),
    )


async def _pause(
    principal: Principal,
    call: ToolCall,
    tool: CatalogTool,
    judgement: Judgement,
    waiter: _Waiter,
) -> Paused | Denied | Unavailable:
    submission = Submission(
        agent_id=principal.agent_id,
        agent_name=principal.agent_name,
        token_id=principal.token_id,
        team_id=principal.team_id,
        person_id=principal.person_id,
        session_label=waiter.session_label or _client_label(call),
        session=_session_name(waiter.session, call),
        trace_id=_trace_id(call),
        upstream_id=tool.source.id,
        upstream_name=tool.source.name,
        upstream_digest=tool.source.digest,
        tool_name=tool.name,
        tool_digest=tool.digest,
        tool_definition=dict(tool.definition),
        arguments=call.arguments_bytes,
        idempotency_key=call.meta.idempotency_key,
        waiting=waiter.waiting,
        holder_id=waiter.holder_id,
        grace_seconds=principal.grace_seconds,
        max_open_tickets=principal.max_open_tickets,
        max_attempts=tool.max_attempts,
        annotations_trusted=tool.source.trusts_annotations,
    )
    try:
        submitted = await in_crowd(ledger.submit, call=submission, judgement=judgement)
    except TooManyOpenTickets as refusal:
        seconds = refusal.details["retry_after"]
        return _unavailable(refusal.message, refusal.code, retry_after=seconds)
    except IdempotencyKeyReused as refusal:
        return _unavailable(refusal.message, refusal.code, retry=False)
    except AgentPaused:
        return Denied(outcome=outcomes.AgentPaused())
    except (AgentNotLive, AuthorityChanged, KillSwitchOn):
        raise
    except Refusal as refusal:
        logger.warning("A call could not be paused: %s", refusal.message)
        return _unavailable(refusal.message, refusal.code)
    return Paused(ticket=submitted.ticket, kind=submitted.kind)


def _trace_id(call: ToolCall) -> str:
    return call.meta.trace.trace_id if call.meta.trace is not None else ""


def _session_name(session: str, call: ToolCall) -> str:
    """A digest that names the session; a stateless revision has none, whatever header it sends."""
    if not session or call.client.is_modern:
        return ""
    return ledger.digest("session", session).hex()


def _client_label(call: ToolCall) -> str:
    return f"{call.client.name} {call.client.version}".strip()[:200]


def _unavailable(
    why: str, code: str, *, retry: bool = True, retry_after: float = 0.0
) -> Unavailable:
    outcome = outcomes.Unavailable(why=why, retry=retry, retry_after=ceil(retry_after))
    return Unavailable(outcome=outcome, code=code, retry_after=retry_after)
