"""Standing permissions: made from a ticket, narrow, counted, revocable.

A grant allows what its ticket's reviewers allowed: this agent, this tool as it was then, and
arguments whose pinned values are exactly the same. It never widens by itself.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from approvals import conf, ports, transitions
from approvals.audit.sealing import unseal
from approvals.domain.canonical import JSON, canonical_bytes
from approvals.domain.errors import NotVisible, Refusal
from approvals.domain.inspection.arguments import read_canonical
from approvals.domain.quorum import barred
from approvals.domain.states import CANCELLABLE, CancelReason
from approvals.models import DatabaseNow, Grant, Ticket, User, after_seconds
from approvals.selectors.votes import (
    eligible_people,
    obligations_of,
    parties_of,
    standing,
)
from approvals.services import actors
from approvals.services.contract import GrantView

MAX_USES: Final = 1000
MAX_SECONDS: Final = 30 * 24 * 3600
MAX_PINS: Final = 50
MISSING: Final = object()
INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")  # RFC 6901 section 4


class GrantRefused(Refusal):
    """This ticket cannot become a standing permission."""

    kind = "invalid"


def create_grant(
    *, uid: UUID, user: User, pins: dict[str, JSON], max_uses: int, seconds: int
) -> GrantView:
    """Make a standing permission from a ticket that has everything the permission needs.

    `pins` maps JSON pointers (RFC 6901) to exact values that the ticket's own arguments have; the
    empty pointer pins them all. The ticket must have been approved by people (not by a grant),
    its quorum complete, and `user` must be one of its eligible reviewers. Raises NotVisible,
    GrantRefused, or what a vote would raise.
    """
    _require_bounds(pins, max_uses, seconds)
    with transaction.atomic(durable=True):
        transitions.gate_for_share()
        ticket = _ticket(uid)
        _require_authority(ticket, user)
        arguments = read_canonical(unseal(ticket.arguments))
        for pointer, value in pins.items():
            if not _same(value_at(arguments, pointer), value):
                raise GrantRefused(
                    f"the pin {pointer or 'of everything'} does not hold for the ticket itself",
                    pointer=pointer,
                )
        grant = transitions.make_grant(
            grant=Grant(
                team_id=ticket.team_id,
                made_from=ticket,
                agent_id=ticket.agent_id,
                upstream_id=ticket.upstream_id,
                tool_name=ticket.tool_name,
                tool_digest=ticket.tool_digest,
                upstream_digest=ticket.upstream_digest,
                pins=pins,
                obligations=ticket.obligations,
                max_uses=max_uses,
                expires_at=after_seconds(seconds),
                granted_by_id=user.person_id,
            ),
            actor=actors.person(user.person_id),
        )
        return _view(Grant.objects.get(pk=grant.pk))


def revoke_grant(*, grant_id: UUID, user: User) -> int:
    """Take a standing permission back; how many tickets it had opened were still unsent.

    Eligible reviewers of its ticket and admins may. Raises NotVisible.
    """
    actor = actors.person(user.person_id)
    with transaction.atomic(durable=True):
        transitions.gate_for_share()
        grant = Grant.objects.select_related("made_from").filter(pk=grant_id).first()
        if grant is None or not user.is_active:
            raise NotVisible(grant=str(grant_id))
        if not (user.person.is_admin or user.person_id in eligible_people(grant.made_from)):
            raise NotVisible(grant=str(grant_id))
        if grant.revoked_at is not None:
            return 0
        transitions.revoke_grant(grant_id=grant_id, person_id=user.person_id, actor=actor)
        unsent = Ticket.objects.select_for_update().filter(
            grant_id=grant_id, state__in=[state.value for state in CANCELLABLE]
        )
        tickets = list(unsent.order_by("pk"))
        for ticket in tickets:
            transitions.cancel(ticket_id=ticket.pk, reason=CancelReason.GRANT_REVOKED, actor=actor)
            transaction.on_commit(partial(ports.ended, ticket.uid))
        return len(tickets)


def matching_grants(ticket: Ticket, arguments: bytes) -> list[UUID]:
    """The live grants that allow this very call, narrowest deadline first."""
    live = Grant.objects.filter(
        team_id=ticket.team_id,
        agent_id=ticket.agent_id,
        upstream_id=ticket.upstream_id,
        tool_name=ticket.tool_name,
        tool_digest=ticket.tool_digest,
        upstream_digest=ticket.upstream_digest,
        revoked_at__isnull=True,
        expires_at__gt=DatabaseNow(),
        uses__lt=F("max_uses"),
    ).order_by("expires_at", "pk")
    found = list(live)
    if not found:
        return []
    value = read_canonical(arguments)
    return [
        grant.pk
        for grant in found
        if _covers(grant, ticket)
        and all(_same(value_at(value, pointer), pin) for pointer, pin in grant.pins.items())
    ]


def value_at(value: JSON, pointer: str) -> object:
    """What stands at a JSON pointer (RFC 6901), or MISSING."""
    found: JSON = value
    for token in pointer.split("/")[1:] if pointer else ():
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and INDEX.fullmatch(key) and int(key) < len(found):
            found = found[int(key)]
        else:
            return MISSING
    return found


def _covers(grant: Grant, ticket: Ticket) -> bool:
    """Whether the grant was given by as many of the same people as the policy of now wants."""
    given, wanted = grant.obligations, ticket.obligations
    return (
        set(given["groups"]) <= set(wanted["groups"])
        and given["quorum"] >= wanted["quorum"]
        and given["four_eyes"] >= wanted["four_eyes"]
    )


def _same(found: object, pin: JSON) -> bool:
    """Whether two values are one and the same by their canonical bytes."""
    if found is MISSING:
        return False
    return canonical_bytes(found) == canonical_bytes(pin)  # type: ignore[arg-type]  # not MISSING


def _require_bounds(pins: dict[str, JSON], max_uses: int, seconds: int) -> None:
    if not 1 <= max_uses <= MAX_USES:
        raise GrantRefused(f"a grant has 1..{MAX_USES} uses, not {max_uses}")
    if not 1 <= seconds <= MAX_SECONDS:
        raise GrantRefused(f"a grant lasts 1..{MAX_SECONDS} seconds, not {seconds}")
    if not 1 <= len(pins) <= MAX_PINS:
        raise GrantRefused(f"a grant pins 1..{MAX_PINS} values, not {len(pins)}")
    for pointer in pins:
        if pointer and not pointer.startswith("/"):
            raise GrantRefused(f"{pointer!r} is no JSON pointer: it begins with /")


def _ticket(uid: UUID) -> Ticket:
    ticket = Ticket.objects.select_for_update(of=("self",)).filter(uid=uid).first()
    if ticket is None:
        raise NotVisible(uid=str(uid))
    return ticket


def _require_authority(ticket: Ticket, user: User) -> None:
    """The permission needs what the ticket needed, and somebody who may give it."""
    eligible = eligible_people(ticket)
    if not user.is_active or user.person_id not in eligible:
        raise NotVisible(uid=str(ticket.uid))
    parties = parties_of(
        ticket,
        owner_now=ports.owner_of_agent(ticket.agent_id),
        one_person=conf.one_person(),
    )
    if user.person_id in barred(parties, obligations_of(ticket)):
        raise GrantRefused("the agent belongs to you, so somebody else has to give it permissions")
    if ticket.grant_id is not None:
        raise GrantRefused("a grant cannot be made from a call that a grant allowed")
    if ticket.decided_at is None or ticket.revoked_at is not None:
        raise GrantRefused("people have to approve the call first")
    votes = standing(ticket, one_person=conf.one_person())
    if votes.state != "approved" or user.person_id not in votes.approved_by:
        raise GrantRefused("only somebody who approved the call makes it a standing permission")


def _view(grant: Grant) -> GrantView:
    return GrantView(
        id=grant.pk,
        agent_id=grant.agent_id,
        upstream_id=grant.upstream_id,
        tool_name=grant.tool_name,
        uses=grant.uses,
        max_uses=grant.max_uses,
        expires_at=grant.expires_at,
        revoked=grant.revoked_at is not None,
    )
