"""Pins: an admin's word that a tool's definition was seen and may be called.

A pin is always of the exact definition that was on the admin's screen: the digest comes back
with the request, and another one is refused.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from mcpbridge.administration.errors import Moved, Refused
from mcpbridge.approvals_gateway import CancelReason, bump_epoch, cancel_tickets, say
from mcpbridge.calls.pins import definition_digest
from mcpbridge.models import ToolPin, Upstream

MAX_ATTEMPTS: Final = 5


@transaction.atomic
def pin_tool(*, actor: str, pin_id: UUID, seen_digest: bytes, person_id: UUID | None) -> ToolPin:
    """Accept what the upstream offers now; joins or opens a transaction.

    Raises Moved when the offered definition is not the one that was seen.
    """
    pin = ToolPin.objects.select_for_update(no_key=True).get(pk=pin_id)
    offered = pin.offered_digest if pin.offered_digest is not None else pin.digest
    if offered is None or pin.status == ToolPin.Status.GONE:
        raise Moved(
            say(
                "{name} is no longer offered by its upstream; there is nothing to pin",
                name=pin.name,
            )
        )
    if bytes(offered) != seen_digest:
        raise Moved(
            say(
                "{name} has changed since this page was made; read the new definition",
                name=pin.name,
            )
        )
    if pin.status == ToolPin.Status.PINNED and pin.offered_digest is None:
        return pin
    if pin.offered_digest is not None:
        pin.definition, pin.digest = pin.offered, pin.offered_digest
        pin.offered = pin.offered_digest = None
    pin.status = ToolPin.Status.PINNED
    pin.pinned_by_id = person_id
    pin.pinned_at = timezone.now()
    pin.save()
    bump_epoch(
        subject=f"upstream:{pin.upstream_id}",
        actor=actor,
        action="tool_pinned",
        detail={"pin": str(pin.id), "digest": seen_digest.hex()},
    )
    return pin


@transaction.atomic
def quarantine_tool(*, actor: str, pin_id: UUID) -> ToolPin:
    """Take a tool out of use until it is pinned again, and cancel what waits for it."""
    pin = ToolPin.objects.select_for_update(no_key=True).get(pk=pin_id)
    if pin.status != ToolPin.Status.PINNED:
        return pin
    pin.status = ToolPin.Status.QUARANTINED
    pin.save(update_fields=["status"])
    bump_epoch(
        subject=f"upstream:{pin.upstream_id}",
        actor=actor,
        action="tool_quarantined",
        detail={"pin": str(pin.id)},
    )
    cancel_tickets(
        reason=CancelReason.DRIFT,
        actor=actor,
        upstream_id=pin.upstream_id,
        tool_name=pin.name,
    )
    return pin


@transaction.atomic
def set_idempotent(*, actor: str, pin_id: UUID, idempotent: bool, max_attempts: int = 1) -> ToolPin:
    """Say that running this tool twice does no harm (never taken from the server's own word)."""
    if not 1 <= max_attempts <= MAX_ATTEMPTS:
        raise Refused(say("attempts must be 1 to {most}", most=MAX_ATTEMPTS), field="max_attempts")
    if max_attempts > 1 and not idempotent:
        raise Refused(
            say("only an idempotent tool may be sent more than once"), field="max_attempts"
        )
    pin = ToolPin.objects.select_for_update(no_key=True).get(pk=pin_id)
    if (pin.idempotent, pin.max_attempts) == (idempotent, max_attempts):
        return pin
    pin.idempotent, pin.max_attempts = idempotent, max_attempts
    pin.save(update_fields=["idempotent", "max_attempts"])
    bump_epoch(
        subject=f"upstream:{pin.upstream_id}",
        actor=actor,
        action="tool_idempotence_set",
        detail={"pin": str(pin.id), "idempotent": idempotent, "attempts": max_attempts},
    )
    return pin


@transaction.atomic
def ensure_pin(
    *, actor: str, upstream: Upstream, name: str, definition: dict[str, Any]
) -> tuple[ToolPin, str]:
    """Make `definition` the one that was seen, as a configuration file says; joins or opens.

    A tool of which the upstream is known to offer something else, or nothing, is not in use
    then: the second value says so, and is empty otherwise. Raises Refused for a definition that
    cannot be pinned.
    """
    try:
        wanted = definition_digest(definition)
    except (TypeError, ValueError) as problem:
        raise Refused(
            say("it cannot be pinned: {problem}", problem=problem), field="definition"
        ) from problem
    pin = ToolPin.objects.select_for_update(no_key=True).filter(upstream=upstream, name=name)
    found = pin.first() or ToolPin(upstream=upstream, name=name, status=_unlisted(upstream))
    before = (found.status, found.digest and bytes(found.digest), found.offered_digest)
    offered, offered_digest = _offer_of(found)
    found.definition, found.digest = definition, wanted
    found.offered = found.offered_digest = None
    warning = ""
    if found.status == ToolPin.Status.GONE:
        warning = "is not offered by its upstream now"
    elif offered_digest in (None, wanted):
        found.status = ToolPin.Status.PINNED
    else:
        found.status, found.offered, found.offered_digest = (
            ToolPin.Status.QUARANTINED,
            offered,
            offered_digest,
        )
        warning = "is held: its upstream offers another definition now"
    if before == (found.status, wanted, found.offered_digest):
        return found, warning
    found.pinned_at = timezone.now()
    found.save()
    bump_epoch(
        subject=f"upstream:{upstream.pk}",
        actor=actor,
        action="tool_pinned",
        detail={"pin": str(found.id), "digest": wanted.hex(), "status": str(found.status)},
    )
    if before[1] is not None and before[1] != wanted:
        cancel_tickets(
            reason=CancelReason.DRIFT, actor=actor, upstream_id=upstream.pk, tool_name=name
        )
    return found, warning


def _unlisted(upstream: Upstream) -> ToolPin.Status:
    """What a tool without a row is: not offered, where the list was read; else not known yet."""
    seen = upstream.last_seen_at is not None
    return ToolPin.Status.GONE if seen else ToolPin.Status.PINNED


def _offer_of(pin: ToolPin) -> tuple[Any, bytes | None]:
    """What the upstream is known to offer: what differs, or else what is pinned."""
    if pin.offered_digest is not None:
        return pin.offered, bytes(pin.offered_digest)
    if pin.digest is None or pin.upstream.last_seen_at is None:
        return None, None
    return pin.definition, bytes(pin.digest)
