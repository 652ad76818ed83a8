"""Enforcing policy on what is no tool call: reading a resource, getting a prompt, completing.

Judged like a call of a tool that has the method's name, and put on record before anything is
sent. Only `allow` lets it pass: just calls of tools can be paused, so a rule that asks people, and
no rule at all, close it. Fails closed, and judges again when the gate moves, like `enforce`.
"""

from __future__ import annotations

import logging
from typing import Final

from django.db import Error as DatabaseError

from mcpbridge import records
from mcpbridge.approvals_gateway import (
    AgentNotLive,
    AuthorityChanged,
    CallFacts,
    Effect,
    Judgement,
    KillSwitchOn,
)
from mcpbridge.calls.forwarded import Forwarded
from mcpbridge.calls.principal import Principal
from mcpbridge.catalog.catalog import catalog, may_use
from mcpbridge.catalog.snapshot import Source
from mcpbridge.executor.requests import AllowedRequest
from mcpbridge.pep.enforcement import ROUNDS, Stale, confirm, same_epoch
from mcpbridge.records import CallStart, RecordRefused

logger = logging.getLogger(__name__)

KILLED: Final = "everything is stopped by the kill switch; nothing was sent"


class RequestRefused(Exception):
    """The request was not forwarded. `code` is for programs; `retry`: it may pass later."""

    def __init__(self, code: str, why: str, *, retry: bool = False) -> None:
        self.code, self.why, self.retry = code, why, retry
        super().__init__(why)


async def enforce_request(principal: Principal, request: Forwarded) -> AllowedRequest:
    """Decide about one request. Raises RequestRefused, and nothing was sent then."""
    try:
        for _ in range(ROUNDS):
            try:
                return await _enforce(principal, request)
            except (Stale, AuthorityChanged):
                await catalog().reload()
        raise RequestRefused("unsettled", "authority kept changing meanwhile", retry=True)
    except KillSwitchOn:
        raise RequestRefused("killed", KILLED, retry=True) from None
    except AgentNotLive as refusal:
        raise RequestRefused("agent_not_live", refusal.message) from None
    except (RecordRefused, DatabaseError):
        logger.warning("A request was refused: the ledger cannot be reached.", exc_info=True)
        why = "the gateway cannot record the request now; nothing was sent"
        raise RequestRefused("ledger_unavailable", why, retry=True) from None


async def _enforce(principal: Principal, request: Forwarded) -> AllowedRequest:
    principal, current = await same_epoch(principal)
    source = current.sources.get(request.upstream)
    if source is None or not may_use(principal, source):
        await confirm(current)
        raise RequestRefused("unknown_upstream", "there is no such upstream for this agent")
    facts = CallFacts(upstream=source.name, tool=request.governed, agent=principal.agent_name)
    judgement = await catalog().verdicts.judge(facts, epoch=current.epoch)
    if judgement.epoch != current.epoch:
        raise Stale
    if judgement.killed:
        await confirm(current)
        raise KillSwitchOn
    start = _start(principal, request, source, judgement)
    await records.start(start)
    if judgement.verdict.effect is Effect.ALLOW:
        return AllowedRequest(
            record_id=start.id, agent_id=principal.agent_id, source=source, request=request
        )
    if judgement.verdict.effect is Effect.DENY:
        raise RequestRefused("denied", f"denied by policy: {request.governed} of {source.name}")
    raise RequestRefused(
        "not_allowed",
        f"{request.governed} of {source.name} is not allowed here. Only calls of tools can wait "
        "for an approval; an admin can allow resources and prompts on the upstream's page",
    )


def _start(
    principal: Principal, request: Forwarded, source: Source, judgement: Judgement
) -> CallStart:
    trace = request.meta.trace
    return CallStart(
        agent_id=principal.agent_id,
        person_id=principal.person_id,
        token_id=principal.token_id,
        upstream_id=source.id,
        tool_name=request.method,
        tool_digest=None,
        verdict="allow" if judgement.verdict.effect is Effect.ALLOW else "deny",
        rule=judgement.verdict.rule or "",
        policy_version=judgement.policy_version,
        epoch=judgement.epoch,
        arguments=request.recorded,
        trace_id=trace.trace_id if trace is not None else "",
    )
