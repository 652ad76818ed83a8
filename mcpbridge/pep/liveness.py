"""Whether an agent and its token are still what they were when the token was verified."""

from __future__ import annotations

from dataclasses import replace

from django.db.models.functions import Now

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import AgentNotLive
from mcpbridge.calls.principal import Principal
from mcpbridge.models import AgentToken


def recheck(principal: Principal) -> Principal:
    """The principal as the rows stand now, at the epoch they were read at.

    The epoch is read first, so that a revocation in between is noticed when the call is recorded.
    Raises AgentNotLive.
    """
    gate = ledger.gate()
    token = (
        AgentToken.objects.select_related("agent")
        .filter(
            pk=principal.token_id,
            agent_id=principal.agent_id,
            agent__enabled=True,
            revoked_at__isnull=True,
            expires_at__gt=Now(),
        )
        .first()
    )
    if token is None:
        raise AgentNotLive
    agent = token.agent
    return replace(
        principal,
        agent_name=agent.name,
        team_id=agent.team_id,
        person_id=agent.owner_id,
        gate_epoch=gate.epoch,
        hold_seconds=agent.hold_seconds,
        grace_seconds=agent.grace_seconds,
        max_open_tickets=agent.max_open_tickets,
    )
