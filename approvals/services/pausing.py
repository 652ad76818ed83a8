"""Pausing an agent: nothing of it becomes a ticket until a person resumes it.

Calls that policy allows outright go on; what already waits is not touched here. Pausing and
resuming move the gate's epoch, so that every process judges by it from then on.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from approvals import audit, transitions
from approvals.domain.errors import NotEligible, NotVisible
from approvals.domain.wording import say
from approvals.models import AgentPause, DatabaseNow, Ticket, User
from approvals.selectors.bursts import open_calls
from approvals.selectors.readers import reviewer
from approvals.selectors.visibility import tickets_visible_to
from approvals.services import actors
from approvals.services.contract import PausedAgent


def pause_agent(*, agent_id: UUID, user: User) -> AgentPause:
    """Pause an agent of which this person has a ticket to decide on, or any as an admin.

    Pausing it again changes nothing. Raises NotVisible (no ticket of it that they may see) and
    NotEligible (none on which they have a vote).
    """
    actor = actors.person(user.person_id)
    with transaction.atomic(durable=True):
        ticket = _ticket_of(agent_id, user)
        if (paused := _pause_of(agent_id)) is not None:
            return paused
        gate = transitions.bump_epoch(actor=actor, because=f"agent:{agent_id} paused")
        if (paused := _pause_of(agent_id)) is not None:
            return paused  # somebody else did, while we waited for the gate
        paused = AgentPause.objects.create(
            agent_id=agent_id,
            agent_name=ticket.agent_name,
            team_id=ticket.team_id,
            paused_by_id=user.person_id,
        )
        _record(paused, actor, "paused", gate.epoch)
        return paused


def resume_agent(*, agent_id: UUID, user: User) -> bool:
    """Let the agent's calls become tickets again; whether it was paused at all.

    Whoever paused it may, and every admin. Raises NotVisible for anybody else.
    """
    actor = actors.person(user.person_id)
    with transaction.atomic(durable=True):
        paused = _pause_of(agent_id)
        if paused is None:
            return False
        if not user.is_active or not may_resume(paused, user):
            raise NotVisible(say("Only who paused this agent, or an admin, lets it go on."))
        gate = transitions.bump_epoch(actor=actor, because=f"agent:{agent_id} resumed")
        ended = AgentPause.objects.filter(pk=paused.pk, resumed_at__isnull=True)
        if not ended.update(resumed_at=DatabaseNow(), resumed_by_id=user.person_id):
            return False
        _record(paused, actor, "resumed", gate.epoch)
        return True


def may_resume(paused: AgentPause, user: User) -> bool:
    """Whether this person may end the pause."""
    return user.person.is_admin or paused.paused_by_id == user.person_id


def _pause_of(agent_id: UUID) -> AgentPause | None:
    return AgentPause.objects.filter(agent_id=agent_id, resumed_at__isnull=True).first()


def paused_agents() -> dict[UUID, PausedAgent]:
    """Every agent that is paused, by whom and since when."""
    rows = AgentPause.objects.filter(resumed_at__isnull=True).select_related("paused_by")
    return {
        row.agent_id: PausedAgent(
            agent_id=row.agent_id,
            name=row.agent_name,
            since=row.paused_at,
            by=row.paused_by.name,
        )
        for row in rows
    }


def _ticket_of(agent_id: UUID, user: User) -> Ticket:
    """A ticket of the agent by which this person may pause it."""
    if not user.is_active:
        raise NotVisible(agent=str(agent_id))
    visible = tickets_visible_to(user.person).filter(agent_id=agent_id)
    newest = visible.order_by("-pk").first()
    if newest is None:
        raise NotVisible(say("There is no ticket of such an agent that you may see."))
    if user.person.is_admin:
        return newest
    who = reviewer(user.person, one_person=False)
    mine = open_calls(who, agent_id=agent_id, upstream_id=None, tool_name="").first()
    if mine is None:
        raise NotEligible(
            say("You have no vote on any open ticket of this agent, so you cannot pause it.")
        )
    return mine


def _record(paused: AgentPause, actor: str, action: str, epoch: int) -> None:
    fresh = AgentPause.objects.get(pk=paused.pk)
    audit.append(
        subject=f"agent:{paused.agent_id}",
        actor=actor,
        action=action,
        detail={"epoch": epoch, **audit.attest(fresh)},
    )
