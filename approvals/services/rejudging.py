"""What policy says of a ticket whose arguments were edited, and how risky it is now.

Nothing becomes easier by an edit: neither what the ticket needs nor its mark.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from approvals.domain.canonical import JSON
from approvals.domain.errors import ObligationsConflict, PolicyDenied
from approvals.domain.inspection import argument_rows
from approvals.domain.obligations import Obligations, tighten
from approvals.domain.policy import CallFacts
from approvals.domain.risk import Level, risk_of
from approvals.domain.verdicts import Effect
from approvals.models import Gate, Ticket
from approvals.selectors.votes import obligations_of
from approvals.services.policies import verdict_under
from approvals.services.reviewers import who_decides

_LEVELS: Final = (Level.LOW, Level.MEDIUM, Level.HIGH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Under what the new revision stands."""

    verdict: dict[str, JSON]
    policy_id: int | None
    obligations: Obligations
    expires_at: datetime


def judged_again(ticket: Ticket, gate: Gate) -> Judged:
    """Policy judges again: deny refuses, and what the ticket needed is never needed less.

    Raises PolicyDenied, ObligationsConflict and what the policy itself raises.
    """
    facts = CallFacts(upstream=ticket.upstream_name, tool=ticket.tool_name, agent=ticket.agent_name)
    verdict = verdict_under(gate.policy, facts)
    current = obligations_of(ticket)
    if verdict.effect is Effect.DENY:
        raise PolicyDenied(verdict.explanation, rule=verdict.rule)
    if verdict.effect is Effect.ALLOW:  # people were asked before, and are asked still
        return Judged(
            verdict=ticket.verdict,
            policy_id=ticket.policy_id,
            obligations=current,
            expires_at=ticket.approval_expires_at,
        )
    _, asked = who_decides(ticket, verdict.obligations)
    obligations = tighten(current, asked)
    if set(obligations.groups) != set(current.groups):
        raise ObligationsConflict(current=list(current.groups), other=list(asked.groups))
    return Judged(
        verdict=replace(verdict, obligations=obligations).to_dict(),
        policy_id=gate.policy_id,
        obligations=obligations,
        expires_at=min(
            ticket.approval_expires_at,
            ticket.created_at + timedelta(seconds=obligations.approval_seconds),
        ),
    )


def risk_again(
    ticket: Ticket, arguments: bytes, obligations: Obligations, definition: dict[str, JSON]
) -> str:
    """The mark of the new revision; an edit never lowers it."""
    annotations = definition.get("annotations")
    level = risk_of(
        annotations=annotations if isinstance(annotations, dict) else None,
        annotations_trusted=ticket.risk == Level.LOW,
        findings=argument_rows(arguments, definition.get("inputSchema")).findings,
        obligations=obligations,
    ).level
    return max(Level(ticket.risk), level, key=_LEVELS.index).value
