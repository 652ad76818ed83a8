"""Deciding on several tickets at once: one vote each, each in a transaction of its own.

Rejecting many is free. Approving many is for what is all alike and low in risk: anything that asks
for a closer look is refused before the first vote, and every ticket is held to all that a vote by
itself is held to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from approvals.audit.sealing import PayloadPurged, SealBroken, unseal
from approvals.domain.errors import Refusal
from approvals.domain.forms import form_of
from approvals.domain.inspection import argument_rows
from approvals.domain.obligations import obligations_from
from approvals.domain.quorum import Answer
from approvals.domain.risk import Level
from approvals.domain.states import State
from approvals.domain.stepup import StepUp
from approvals.domain.wording import say
from approvals.models import Ticket, User
from approvals.selectors.visibility import tickets_visible_to
from approvals.services.contract import DecidedKind
from approvals.services.decisions import decide
from approvals.services.tickets import definition_of

MOST_REJECTED: Final = 50
MOST_APPROVED: Final = 10


class BatchRefused(Refusal):
    """These tickets cannot be decided together."""

    kind = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A ticket, and the digest that it was shown with."""

    uid: UUID
    seen_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one of them: how the vote counted, or why there is none."""

    uid: UUID
    kind: DecidedKind | None
    refusal: Refusal | None = None


def decide_many(
    *, user: User, verdict: Answer, chosen: Sequence[Chosen], reason: str, nonce: str
) -> tuple[Result, ...]:
    """Vote on each of these tickets, in their order; raises BatchRefused before the first vote."""
    if verdict is Answer.WITHDRAW:
        raise ValueError("votes are taken back one by one")
    if verdict is Answer.APPROVE:
        tickets = chosen_tickets(user, [each.uid for each in chosen])
        refusal = why_not_together(tickets)
        if refusal is not None or len(tickets) < len(chosen):
            raise refusal or BatchRefused(say("Some of these tickets are no longer there."))
    elif not 1 <= len(chosen) <= MOST_REJECTED:
        raise BatchRefused(say("Choose 1 to {most} tickets.", most=MOST_REJECTED))
    return tuple(_result(user, verdict, each, reason, nonce) for each in chosen)


def chosen_tickets(user: User, uids: Sequence[UUID]) -> list[Ticket]:
    """Those of these tickets that the person may see, the most pressing first, in one query."""
    visible = tickets_visible_to(user.person).filter(uid__in=list(uids)[:MOST_REJECTED])
    return list(
        visible.select_related("arguments", "tool_definition").order_by("approval_expires_at", "pk")
    )


def why_not_together(tickets: Sequence[Ticket]) -> Refusal | None:
    """Why these tickets have to be approved one by one; None when they may be together."""
    if not 1 <= len(tickets) <= MOST_APPROVED:
        return BatchRefused(say("At most {most} calls are approved together.", most=MOST_APPROVED))
    if len({(t.upstream_id, t.tool_name, bytes(t.tool_digest)) for t in tickets}) > 1:
        return BatchRefused(say("They call different tools, so each is approved by itself."))
    if len({(t.policy_id, json.dumps(t.verdict.get("rule"))) for t in tickets}) > 1:
        return BatchRefused(say("Different rules asked for them, so each is approved by itself."))
    return next((why for ticket in tickets if (why := _looked_at_alone(ticket))), None)


def _looked_at_alone(ticket: Ticket) -> Refusal | None:
    """Why one of them deserves a look of its own."""
    number = ticket.pk
    if ticket.state != State.PENDING:
        return BatchRefused(say("Ticket {number} is not open any more.", number=str(number)))
    if ticket.risk != Level.LOW:
        return BatchRefused(
            say("Ticket {number} is not low in risk: look at it by itself.", number=str(number))
        )
    obligations = obligations_from(ticket.obligations)
    if obligations.step_up is not StepUp.NONE or obligations.type_target:
        return BatchRefused(
            say("Ticket {number} asks more of whoever approves it.", number=str(number))
        )
    try:
        definition = definition_of(ticket)
        table = argument_rows(unseal(ticket.arguments), definition.get("inputSchema"))
    except (PayloadPurged, SealBroken):
        return BatchRefused(
            say("What ticket {number} calls with cannot be shown.", number=str(number))
        )
    if form_of(definition):
        return BatchRefused(say("Ticket {number} asks for an answer.", number=str(number)))
    if table.findings or table.cut_pointers:
        return BatchRefused(
            say(
                "Ticket {number} has something in it that has to be looked at first.",
                number=str(number),
            )
        )
    return None


def _result(user: User, verdict: Answer, each: Chosen, reason: str, nonce: str) -> Result:
    try:
        decided = decide(
            uid=each.uid,
            user=user,
            verdict=verdict,
            seen_digest=each.seen_digest,
            reason=reason,
            nonce=nonce,
        )
    except Refusal as refusal:
        return Result(uid=each.uid, kind=None, refusal=refusal)
    return Result(uid=each.uid, kind=decided.kind)
