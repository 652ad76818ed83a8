"""Agents: who they are, who answers for them, and how much they may ask for at once.

Every change is one durable transaction with its audit row; whatever takes authority away also
moves the gate's epoch and cancels what the agent still has open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from mcpbridge.administration.errors import Refused
from mcpbridge.approvals_gateway import (
    JSON,
    CancelReason,
    audit,
    bump_epoch,
    cancel_tickets,
    directory,
    say,
)
from mcpbridge.models import Agent

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\Z")
RESERVED: Final = frozenset({"new"})  # the address of the page that makes one
MAX_HOLD_SECONDS: Final = 3600
MAX_GRACE_SECONDS: Final = 3600
MAX_OPEN_TICKETS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Everything about an agent that an admin sets. Seconds; `hold_seconds` None: by client."""

    owner_id: UUID
    team_id: UUID
    enabled: bool = True
    hold_seconds: int | None = None
    grace_seconds: int = 30
    max_open_tickets: int = 20


@transaction.atomic
def create_agent(*, actor: str, name: str, settings: AgentSettings) -> Agent:
    """A new agent; joins or opens a transaction.

    Raises Refused for a bad or taken name, owner, team or limit.
    """
    if not NAME.match(name) or name in RESERVED:
        raise Refused(
            say(
                "the name must be 1 to 64 lower-case letters, digits and inner hyphens, as in"
                " ship-bot, and not new"
            ),
            field="name",
        )
    _check(settings)
    try:
        with transaction.atomic():
            agent = Agent.objects.create(name=name, **_columns(settings))
    except IntegrityError:
        raise Refused(
            say("there is already an agent named {name}", name=name), field="name"
        ) from None
    audit(subject=f"agent:{agent.id}", actor=actor, action="agent_created", detail=_facts(agent))
    return agent


@transaction.atomic
def change_agent(*, actor: str, agent_id: UUID, settings: AgentSettings) -> Agent:
    """Replace an agent's settings; joins or opens a transaction.

    Disabling it, or moving it to another owner or team, cancels what was not sent; disabling it
    also breaks off what was.
    """
    _check(settings)
    agent = Agent.objects.select_for_update(no_key=True).get(pk=agent_id)
    before = _facts(agent)
    for column, value in _columns(settings).items():
        setattr(agent, column, value)
    after = _facts(agent)
    if before == after:
        return agent
    agent.save()
    changed = {key: value for key, value in after.items() if before[key] != value}
    bump_epoch(subject=f"agent:{agent.id}", actor=actor, action="agent_changed", detail=changed)
    if not agent.enabled or {"owner", "team"} & changed.keys():
        cancel_tickets(
            reason=CancelReason.OPERATOR,
            actor=actor,
            agent_id=agent.id,
            abort_sent=not agent.enabled,
        )
    return agent


def _check(settings: AgentSettings) -> None:
    known = directory()
    if settings.owner_id not in {person.id for person in known.people}:
        raise Refused(say("the owner must be a person who is known here"), field="owner")
    if settings.team_id not in {team.id for team in known.teams}:
        raise Refused(say("the team must be one that exists here"), field="team")
    limits = (
        ("hold_seconds", settings.hold_seconds, 0, MAX_HOLD_SECONDS),
        ("grace_seconds", settings.grace_seconds, 1, MAX_GRACE_SECONDS),
        ("max_open_tickets", settings.max_open_tickets, 1, MAX_OPEN_TICKETS),
    )
    for field, value, low, high in limits:
        if value is not None and not low <= value <= high:
            raise Refused(
                say(
                    "{field} must be between {low} and {high}, not {value}",
                    field=field,
                    low=low,
                    high=high,
                    value=value,
                ),
                field=field,
            )


def _columns(settings: AgentSettings) -> dict[str, object]:
    return {
        "owner_id": settings.owner_id,
        "team_id": settings.team_id,
        "enabled": settings.enabled,
        "hold_seconds": settings.hold_seconds,
        "grace_seconds": settings.grace_seconds,
        "max_open_tickets": settings.max_open_tickets,
    }


def _facts(agent: Agent) -> dict[str, JSON]:
    """The settings as an audit row shows them: identifiers and numbers only."""
    return {
        "name": agent.name,
        "owner": str(agent.owner_id),
        "team": str(agent.team_id),
        "enabled": agent.enabled,
        "hold_seconds": agent.hold_seconds,
        "grace_seconds": agent.grace_seconds,
        "max_open_tickets": agent.max_open_tickets,
    }
