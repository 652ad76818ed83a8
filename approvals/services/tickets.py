"""Reading one ticket inside a use case: under its lock, and as what its agent may be told."""

from __future__ import annotations

import json
from collections.abc import Collection
from uuid import UUID

from approvals import conf
from approvals.audit.sealing import PayloadPurged, unseal
from approvals.domain.canonical import JSON
from approvals.domain.diffing import Change, differences
from approvals.domain.errors import NotVisible
from approvals.domain.inspection import argument_rows
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.domain.target import name_to_type
from approvals.models import Edit, Payload, Ticket, User
from approvals.selectors.visibility import may_see
from approvals.selectors.votes import standing
from approvals.services.contract import TicketView


def locked(uid: UUID) -> Ticket:
    """The ticket under its row lock, for the rest of the transaction; raises NotVisible."""
    try:
        return Ticket.objects.select_for_update().get(uid=uid)
    except Ticket.DoesNotExist:
        raise NotVisible(uid=str(uid)) from None


def visible(uid: UUID, user: User) -> Ticket:
    """The ticket under its row lock, if this person may see it; raises NotVisible."""
    if not user.is_active:
        raise NotVisible(uid=str(uid))
    ticket = locked(uid)
    if not may_see(user.person, ticket):
        raise NotVisible(uid=str(uid))
    return ticket


def ticket_path(uid: UUID) -> str:
    """Where people decide on the ticket, below the public address."""
    return f"/tickets/{uid}/"


def view_of(ticket: Ticket, *, new_for: Collection[str] | None = None) -> TicketView:
    """What the ticket's agent may be told: a pure function of its rows, as just read.

    `new_for`: the names of the groups for which this transaction opened it; nobody has voted yet.
    """
    votes = standing(ticket, one_person=conf.one_person(), is_new=new_for is not None)
    asked = ticket.groups.values_list("name", flat=True) if new_for is None else new_for
    edited, pointers = _edited(ticket)
    return TicketView(
        uid=ticket.uid,
        number=ticket.pk,
        state=State(ticket.state),
        revision=ticket.revision,
        version=ticket.version,
        agent_id=ticket.agent_id,
        upstream_name=ticket.upstream_name,
        tool_name=ticket.tool_name,
        waiting=Waiting(ticket.waiting),
        detached=ticket.detached_at is not None,
        created_at=ticket.created_at,
        approval_expires_at=ticket.approval_expires_at,
        execution_expires_at=ticket.execution_expires_at,
        decided_at=ticket.decided_at,
        ended_at=ticket.ended_at,
        have=votes.have,
        need=votes.need,
        groups=tuple(sorted(asked)),
        requests=ticket.requests,
        cancel_reason=CancelReason(ticket.cancel_reason) if ticket.cancel_reason else None,
        unknown_reason=UnknownReason(ticket.unknown_reason) if ticket.unknown_reason else None,
        reason=_text(ticket.reason),
        result=_result(ticket.result),
        abort_requested=ticket.abort_requested_at is not None,
        by_grant=ticket.grant_id is not None,
        edited=ticket.revision > 1,
        path=ticket_path(ticket.uid),
        was_sent=ticket.sent_at is not None,
        edited_arguments=edited,
        edited_pointers=pointers,
    )


def _edited(ticket: Ticket) -> tuple[bytes | None, tuple[str, ...]]:
    """What an edited ticket would run with, and where that differs from what the agent sent."""
    if ticket.revision == 1:
        return None, ()
    first = Edit.objects.select_related("arguments_before").get(ticket=ticket, revision=2)
    try:
        sent, now = unseal(first.arguments_before), unseal(ticket.arguments)
    except PayloadPurged:
        return None, ()
    changed = differences(sent, now)
    return now, tuple(part.pointer for part in changed if part.change is not Change.UNCHANGED)


def definition_of(ticket: Ticket) -> dict[str, JSON]:
    """The tool's definition as it was sealed; empty where there is none.

    Raises PayloadPurged, SealBroken.
    """
    sealed = ticket.tool_definition
    found = json.loads(unseal(sealed)) if sealed is not None else None
    return found if isinstance(found, dict) else {}


def target_name(ticket: Ticket) -> str:
    """The name that an approver types where the ticket's rule asks for it.

    Raises PayloadPurged, SealBroken.
    """
    schema = definition_of(ticket).get("inputSchema")
    table = argument_rows(unseal(ticket.arguments), schema)
    return name_to_type(table, tool=ticket.tool_name)


def _result(payload: Payload | None) -> bytes | None:
    if payload is None:
        return None
    try:
        return unseal(payload)
    except PayloadPurged:
        return None


def _text(payload: Payload | None) -> str:
    if payload is None:
        return ""
    try:
        return unseal(payload).decode()
    except PayloadPurged:
        return ""
