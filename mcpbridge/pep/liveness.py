"""Whether an agent and its token are still what they were when the token was verified."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from django.db.models.functions import Now

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import AgentNotLive
from mcpbridge.calls.principal import Principal
from mcpbridge.models import AgentToken


def live_tokens(token_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of the tokens that are valid now, of agents that are enabled."""
    found = AgentToken.objects.filter(
        pk__in=list(token_ids),
        agent__enabled=True,
        revoked_at__isnull=True,
        expires_at__gt=Now(),
    )
    return frozenset(found.values_list("pk", flat=True))


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
