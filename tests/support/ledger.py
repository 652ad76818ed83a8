"""Tickets for tests of the ledger's core, walked through the transitions themselves.

Tests of use cases have builders that walk the services; these stand one storey below.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from approvals import transitions
from approvals.audit import append, attest
from approvals.audit.binding import ticket_binding
from approvals.audit.sealing import seal
from approvals.domain.canonical import canonical_bytes, ticket_digest
from approvals.domain.obligations import DEFAULT_OBLIGATIONS
from approvals.domain.states import State, Waiting
from approvals.models import (
    AgreedTerms,
    Canary,
    Decision,
    Edit,
    Gate,
    Grant,
    Holder,
    Payload,
    ReviewerGroup,
    StepUpProof,
    Team,
    Ticket,
    User,
    after_seconds,
)
from tests.support import remembered

AGENT = "agent:robo"
NAMES = ("alice", "bob", "carol", "charlie")


@dataclass
class Cast:
    """alice owns the agent robo; bob and carol review; charlie is a stranger."""

    alice: User
    bob: User
    carol: User
    charlie: User
    group: ReviewerGroup
    team: Team
    robo: UUID = field(default_factory=uuid4)
    upstream: UUID = field(default_factory=uuid4)


def a_cast() -> Cast:
    """The people of every story, with their team and reviewer group."""
    remembered.people("ledger", _make_people)
    users = {
        user.person.name: user
        for user in User.objects.select_related("person").filter(person__name__in=NAMES)
    }
    return Cast(
        group=ReviewerGroup.objects.get(slug="reviewers"),
        team=Team.objects.get(slug="core"),
        **{name: users[name] for name in NAMES},
    )


def _make_people() -> None:
    users = {name: User.objects.create_user(f"{name}@example.test", name=name) for name in NAMES}
    group = ReviewerGroup.objects.create(slug="reviewers", name="Reviewers")
    for name in ("bob", "carol"):
        group.memberships.create(person=users[name].person)
    team = Team.objects.create(slug="core", name="Core", default_group=group)
    team.memberships.create(person=users["alice"].person)


def an_unsaved_ticket(cast: Cast, **changes: Any) -> Ticket:
    """A ticket as submission would make it, not yet stored."""
    arguments = canonical_bytes(changes.pop("arguments", {"message": "a commit"}))
    approval_seconds = changes.pop("approval_seconds", 3600)
    obligations = {**DEFAULT_OBLIGATIONS.to_dict(), **changes.pop("obligations", {})}
    ticket = Ticket(
        **{
            "team": cast.team,
            "agent_id": cast.robo,
            "agent_name": "robo",
            "person": cast.alice.person,
            "upstream_id": cast.upstream,
            "upstream_name": "git",
            "upstream_digest": b"u" * 32,
            "tool_name": "git_commit",
            "tool_digest": b"t" * 32,
            "arguments": seal("arguments", arguments),
            "nonce": secrets.token_bytes(32),
            "verdict": {"rule": None},
            "obligations": obligations,
            "repeat_key": secrets.token_bytes(32),
            "arguments_key": secrets.token_bytes(32),
            "waiting": Waiting.TASK,
            "approval_expires_at": after_seconds(approval_seconds),
            "gate_epoch": Gate.objects.get(pk=1).epoch,
            **changes,
        }
    )
    ticket.digest = ticket_digest(ticket_binding(ticket, arguments))
    return ticket


def a_pending(cast: Cast, **changes: Any) -> Ticket:
    """A ticket that waits for people."""
    with transaction.atomic():
        return transitions.open_pending(
            ticket=an_unsaved_ticket(cast, **changes), group_ids=[cast.group.pk], actor=AGENT
        )


def edit(ticket: Ticket, user: User, arguments: Any) -> Ticket:
    """`user` replaces the arguments; everything else stays as it was bound."""
    spelled = canonical_bytes(arguments)
    made = Edit(
        ticket_id=ticket.pk,
        revision=ticket.revision + 1,
        person_id=user.person_id,
        user=user,
        arguments_before_id=ticket.arguments_id,
        arguments=seal("arguments", spelled),
        digest_before=bytes(ticket.digest),
        nonce_before=bytes(ticket.nonce),
        obligations_before=ticket.obligations,
        reason=seal("reason", b"safer"),
        nonce=secrets.token_hex(16),
    )
    bound = Ticket.objects.get(pk=ticket.pk)
    bound.revision, bound.arguments = made.revision, made.arguments
    bound.nonce = secrets.token_bytes(32)
    with transaction.atomic():
        return transitions.edit(
            edit=made,
            rebound=transitions.Rebound(
                nonce=bytes(bound.nonce),
                digest=ticket_digest(ticket_binding(bound, spelled)),
                obligations=bound.obligations,
                verdict=bound.verdict,
                policy_id=bound.policy_id,
                risk=bound.risk,
                approval_expires_at=bound.approval_expires_at,
            ),
            epoch=Gate.objects.get(pk=1).epoch,
            actor=f"person:{user.person_id}",
        )


def vote(ticket: Ticket, user: User, verdict: str = "approve", *, proof: bool = False) -> Decision:
    """A recorded decision of `user` on the ticket as it stands.

    With `proof` it rests on a passkey and agrees to the terms of a permission.
    """
    with transaction.atomic():
        decision = Decision.objects.create(
            ticket_id=ticket.pk,
            revision=ticket.revision,
            person_id=user.person_id,
            user=user,
            verdict=verdict,
            seen_digest=bytes(ticket.digest),
            nonce=secrets.token_hex(16),
        )
        transitions.record_vote(
            ticket_id=ticket.pk,
            decision=decision,
            actor=f"person:{user.person_id}",
            also=[a_proof(decision), terms_of(decision)] if proof else (),
        )
    return decision


def terms_of(decision: Decision) -> AgreedTerms:
    """Stored terms that a decision agrees to."""
    return AgreedTerms.objects.create(
        decision=decision,
        ticket_id=decision.ticket_id,
        session_only=False,
        free=["/message"],
        max_uses=3,
        seconds=60,
    )


def a_canary(cast: Cast) -> Canary:
    """A ticket that is a test, and its mark."""
    ticket = a_pending(cast)
    with transaction.atomic():
        canary = Canary.objects.create(
            ticket=ticket,
            trap="past",
            right="reject",
            explanation="not this one",
            seeded_by=cast.bob.person,
        )
        canary.refresh_from_db()
        append(
            subject=f"canary:{ticket.uid}",
            actor="person:x",
            action="seeded",
            detail=attest(canary),
        )
    return canary


def a_proof(decision: Decision) -> StepUpProof:
    """A stored row beside a decision; nothing in it was really signed."""
    return StepUpProof.objects.create(
        decision=decision,
        user=decision.user,
        method=StepUpProof.Method.PASSKEY,
        statement=b"{}",
        challenge=secrets.token_bytes(32),
        credential_id=b"c" * 16,
        credential_name="key",
        public_key=b"k" * 32,
        authenticator_data=b"a" * 37,
        client_data=b"{}",
        signature=b"s" * 64,
        origin="http://localhost:8000",
    )


def approve(ticket: Ticket, user: User, *, execution_seconds: float = 300) -> Ticket:
    """`user` approves; one vote is the quorum."""
    with transaction.atomic():
        vote(ticket, user)
        return transitions.approve(
            ticket_id=ticket.pk,
            revision=ticket.revision,
            digest=bytes(ticket.digest),
            execution_seconds=execution_seconds,
            actor=f"person:{user.person_id}",
        )


def reject(ticket: Ticket, user: User) -> Ticket:
    """`user` rejects."""
    with transaction.atomic():
        vote(ticket, user, "reject")
        return transitions.reject(
            ticket_id=ticket.pk,
            revision=ticket.revision,
            digest=bytes(ticket.digest),
            reason_payload_id=None,
            actor=f"person:{user.person_id}",
        )


def an_approved(cast: Cast, *, execution_seconds: float = 300, **changes: Any) -> Ticket:
    """A ticket that bob approved."""
    return approve(a_pending(cast, **changes), cast.bob, execution_seconds=execution_seconds)


def claim(ticket: Ticket, *, lease_seconds: float = 30, worker: str = "w1") -> Ticket:
    """A worker claims it."""
    with transaction.atomic():
        transitions.claim(
            ticket_id=ticket.pk,
            worker=worker,
            lease_seconds=lease_seconds,
            epoch=ticket.gate_epoch,
            actor=f"system:worker:{worker}",
        )
    return Ticket.objects.get(pk=ticket.pk)


def a_claimed(cast: Cast, *, lease_seconds: float = 30, **changes: Any) -> Ticket:
    """A ticket that a worker claimed."""
    return claim(an_approved(cast, **changes), lease_seconds=lease_seconds)


def send(ticket: Ticket, **changes: Any) -> Ticket:
    """The worker records the send."""
    with transaction.atomic():
        return transitions.send(
            **{
                "ticket_id": ticket.pk,
                "fence": ticket.fence,
                "digest": bytes(ticket.digest),
                "tool_digest": bytes(ticket.tool_digest),
                "upstream_digest": bytes(ticket.upstream_digest),
                "epoch": ticket.gate_epoch,
                "actor": "system:worker:w1",
                **changes,
            }
        )


def a_sent(cast: Cast, **changes: Any) -> Ticket:
    """A ticket whose bytes may have left."""
    return send(a_claimed(cast, **changes))


def a_payload(text: str = "words", kind: str = "reason") -> Payload:
    """A sealed payload."""
    return seal(kind, text.encode())


def a_holder(seconds: float = 60) -> Holder:
    """A web process whose lease runs `seconds` from now (behind us when negative)."""
    return Holder.objects.create(lease_expires_at=after_seconds(seconds))


def a_grant(cast: Cast, made_from: Ticket, *, max_uses: int = 1, seconds: float = 60) -> Grant:
    """A standing permission for calls like `made_from`."""
    with transaction.atomic():
        return transitions.make_grant(
            grant=Grant(
                team=cast.team,
                made_from=made_from,
                agent_id=made_from.agent_id,
                upstream_id=made_from.upstream_id,
                tool_name=made_from.tool_name,
                tool_digest=made_from.tool_digest,
                upstream_digest=made_from.upstream_digest,
                pins={"free": [], "rest": "", "session": ""},
                obligations=made_from.obligations,
                max_uses=max_uses,
                expires_at=after_seconds(seconds),
                granted_by=cast.bob.person,
            ),
            actor=f"person:{cast.bob.person_id}",
        )


def state_of(ticket: Ticket) -> State:
    """The state in the row."""
    return State(Ticket.objects.values_list("state", flat=True).get(pk=ticket.pk))
