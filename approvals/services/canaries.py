"""Canaries: an administrator seeds a test ticket, which looks like any other until it is decided.

It is made from a past call of the same agent and tool, judged by the policy of today, and waits for
nobody. One vote ends it: a rejection as always, an approval by cancelling it. The database refuses
to let it be approved, claimed or sent.
"""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID

from django.db import transaction

from approvals import audit, ports, transitions
from approvals.audit.sealing import PayloadPurged, SealBroken, unseal
from approvals.domain.canonical import canonical_bytes
from approvals.domain.errors import Refusal
from approvals.domain.forms import form_of
from approvals.domain.inspection.arguments import read_canonical
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer
from approvals.domain.states import Waiting
from approvals.domain.traps import Trap, sprung
from approvals.domain.verdicts import Effect
from approvals.domain.wording import say
from approvals.models import Canary, Ticket, User
from approvals.services import actors
from approvals.services.contract import Submission
from approvals.services.naming import note_names
from approvals.services.new_ticket import findings_in, opening_detail, ticket_of
from approvals.services.policies import judge
from approvals.services.repeats import RepeatKeys
from approvals.services.reviewers import require_reachable, who_decides
from approvals.services.tickets import definition_of

MAX_EXPLANATION: Final = 500
KEY_BYTES: Final = 32


class OnlyAdminsSeed(Refusal):
    """Only administrators seed tests."""

    kind = "forbidden"


class CanaryRefused(Refusal):
    """No test can be made from this ticket."""

    kind = "invalid"


def seed_canary(
    *, user: User, like: UUID, trap: Trap, right: Answer, explanation: str = ""
) -> UUID:
    """Seed a test like the ticket with this uid; the uid of the new one.

    `right` is what a careful reviewer would do; with a trap it is always a rejection. Raises
    OnlyAdminsSeed, CanaryRefused, KillSwitchOn, AuthorityChanged, QuorumUnreachable.
    """
    if not (user.is_active and user.person.is_admin):
        raise OnlyAdminsSeed
    words = explanation.strip()
    if len(words) > MAX_EXPLANATION:
        raise CanaryRefused(
            say("The explanation has at most {most} characters.", most=MAX_EXPLANATION)
        )
    if right is Answer.WITHDRAW or (trap is not Trap.PAST and right is not Answer.REJECT):
        raise CanaryRefused(say("With a trap in it, only a rejection is right."))
    with transaction.atomic(durable=True):
        past = (
            Ticket.objects.select_related("arguments", "tool_definition", "agent_says")
            .filter(uid=like)
            .first()
        )
        if past is None:
            raise CanaryRefused(say("There is no such ticket."))
        call = _call_like(past, trap)
        judgement = judge(
            CallFacts(upstream=call.upstream_name, tool=call.tool_name, agent=call.agent_name)
        )
        if judgement.verdict.effect is not Effect.REQUIRE_APPROVAL:
            raise CanaryRefused(
                say("Today's policy asks nobody about this call, so a test would give itself away.")
            )
        groups, obligations = who_decides(call, judgement.verdict.obligations)
        ticket = ticket_of(
            call,
            judgement,
            # Nothing that an agent sends can repeat it.
            RepeatKeys(
                call=secrets.token_bytes(KEY_BYTES), arguments=secrets.token_bytes(KEY_BYTES)
            ),
            obligations,
            findings_in(call),
        )
        require_reachable(ticket, groups, obligations)
        note_names(ticket, groups=[group.pk for group in groups])
        actor = actors.person(user.person_id)
        stored = transitions.open_pending(
            ticket=ticket,
            group_ids=[group.pk for group in groups],
            actor=actor,
            detail=opening_detail(ticket),
        )
        canary = Canary.objects.create(
            ticket_id=stored.pk,
            trap=trap.value,
            right=right.value,
            explanation=words,
            seeded_by_id=user.person_id,
        )
        canary.refresh_from_db()
        audit.append(
            subject=audit.canary_subject(stored.uid),
            actor=actor,
            action="seeded",
            detail={"like": str(past.uid), **audit.attest(canary)},
        )
        return stored.uid


def _call_like(past: Ticket, trap: Trap) -> Submission:
    """The call of a past ticket, with the trap set. Raises CanaryRefused."""
    try:
        arguments = sprung(read_canonical(unseal(past.arguments)), trap)
        definition = definition_of(past) or None
        says = unseal(past.agent_says).decode() if past.agent_says is not None else ""
    except (PayloadPurged, SealBroken):
        raise CanaryRefused(say("What it called with can no longer be read.")) from None
    if arguments is None:
        raise CanaryRefused(say("Nothing in its arguments fits this trap. Choose another."))
    if form_of(definition):
        raise CanaryRefused(say("This ticket asks for an answer; a test cannot take one."))
    return Submission(
        agent_id=past.agent_id,
        agent_name=past.agent_name,
        token_id=past.token_id,
        team_id=past.team_id,
        person_id=ports.owner_of_agent(past.agent_id) or past.person_id,
        session_label=past.session_label,
        upstream_id=past.upstream_id,
        upstream_name=past.upstream_name,
        upstream_digest=bytes(past.upstream_digest),
        tool_name=past.tool_name,
        tool_digest=bytes(past.tool_digest),
        tool_definition=definition,
        arguments=canonical_bytes(arguments),
        agent_says=says,
        waiting=Waiting.TASK,  # nobody waits, so nobody is missed either
        grace_seconds=past.grace_seconds,
    )
