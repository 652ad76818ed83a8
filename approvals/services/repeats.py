"""Recognising a call that was made before: keyed digests, and what a repeat finds.

The keys are made with a secret of the installation, so that a stored key says nothing about the
arguments that made it. Reads only; joins the caller's transaction.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from approvals import conf
from approvals.domain.canonical import canonical_bytes
from approvals.domain.errors import IdempotencyKeyReused
from approvals.domain.states import CancelReason, State
from approvals.models import Ticket, after_seconds, plain
from approvals.services.contract import Submission

# Nobody decided these and nothing ran: the repeat is the agent asking again.
GIVEN_UP: Final = (CancelReason.AGENT_GONE.value, CancelReason.WITHDRAWN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatKeys:
    """`call` recognises a repeat; `arguments` whether its arguments are the same (32 bytes)."""

    call: bytes
    arguments: bytes


def keys_of(call: Submission) -> RepeatKeys:
    """The keys of a call: by the agent's own idempotency key, else by its arguments."""
    arguments = _keyed(b"arguments", call.arguments)
    named = (
        {"arguments": arguments.hex()}
        if call.idempotency_key is None
        else {"key": call.idempotency_key}
    )
    scope = {
        "agent": str(call.agent_id),
        "person": str(call.person_id),
        "upstream": str(call.upstream_id),
        "tool": call.tool_name,
    }
    return RepeatKeys(
        call=_keyed(b"call", canonical_bytes({**scope, **named})), arguments=arguments
    )


def require_same_arguments(call: Submission, keys: RepeatKeys) -> None:
    """Refuse an idempotency key that stood for other arguments; raises IdempotencyKeyReused."""
    if call.idempotency_key is None:
        return
    others = Ticket.objects.filter(repeat_key=keys.call).exclude(arguments_key=keys.arguments)
    other = others.order_by("-id").values_list("pk", flat=True).first()
    if other is not None:
        raise IdempotencyKeyReused(ticket=other)


def newest_like(keys: RepeatKeys) -> Ticket | None:
    """The newest ticket with this key, whatever became of it; an open one is always the newest."""
    same = "SELECT id FROM approvals_ticket WHERE repeat_key = %s"
    found = plain.one(f"{same} ORDER BY id DESC LIMIT 1", keys.call)  # most calls are new
    return Ticket.objects.get(pk=found[0]) if found is not None else None


def is_undelivered(ticket: Ticket) -> bool:
    """Whether the ticket's outcome is fresh, and nobody has got it."""
    if ticket.ended_at is None or ticket.delivered_at is not None:
        return False
    if ticket.state == State.CANCELLED and ticket.cancel_reason in GIVEN_UP:
        return False
    window = after_seconds(-conf.delivery_window_seconds())
    return Ticket.objects.filter(pk=ticket.pk, ended_at__gt=window).exists()


def grants_disabled(keys: RepeatKeys) -> bool:
    """Whether an outcome of this very call is unknown and nobody has found out what it was."""
    unknown = Ticket.objects.filter(
        repeat_key=keys.call, state=State.OUTCOME_UNKNOWN, annotated_at__isnull=True
    )
    return unknown.exists()


def _keyed(purpose: bytes, data: bytes) -> bytes:
    return hmac.digest(conf.repeat_key(), purpose + b"\0" + data, "sha256")
