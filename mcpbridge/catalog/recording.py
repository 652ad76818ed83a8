"""Comparing a tool list that was read with what an admin has pinned, and writing what changed.

A changed tool loses its authority in the transaction that notices the change; its open tickets
are cancelled right after. Knows no network.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.functions import Coalesce, Now

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import CancelReason
from mcpbridge.calls.forwarded import is_method
from mcpbridge.calls.pins import definition_digest
from mcpbridge.models import ToolPin, Upstream

logger = logging.getLogger(__name__)

ACTOR: Final = "system:catalog"
MAX_NAME: Final = 256
MAX_ERROR: Final = 300
MAX_NAMED: Final = 50
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_WRITTEN: Final = ["status", "definition", "digest", "offered", "offered_digest", "pinned_at"]


class ListRefused(Exception):
    """The tool list cannot be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a tool list changed: `moved` when authority changed and the epoch grew."""

    moved: bool
    drifted: tuple[str, ...] = ()


def record_list(
    *, upstream_id: UUID, config_digest: bytes, tools: Sequence[Mapping[str, Any]]
) -> Recorded:
    """Write what `tools`, read under `config_digest`, changes. Raises ListRefused."""
    offered = _offered(tools)
    with transaction.atomic(durable=True):
        upstream = Upstream.objects.select_for_update(no_key=True).filter(pk=upstream_id).first()
        if upstream is None or bytes(upstream.config_digest) != config_digest:
            raise ListRefused("the upstream's configuration changed while its tools were read")
        recorded, detail = _compare(upstream, offered)
        Upstream.objects.filter(pk=upstream_id).update(
            last_seen_at=Now(), last_error="", failing_since=None, next_try_at=None
        )
        if recorded.moved:
            ledger.bump_epoch(
                subject=f"upstream:{upstream_id}",
                actor=ACTOR,
                action="tools_changed",
                detail=detail,
            )
    for name in recorded.drifted:
        _cancel(upstream_id, name)
    return recorded


def record_failure(*, upstream_id: UUID, error: str, retry_after: float = 0.0) -> None:
    """Remember why the tool list could not be read, for the admin's page.

    `retry_after`: in how many seconds another attempt will really be made.
    """
    wait = Value(timedelta(seconds=retry_after))
    Upstream.objects.filter(pk=upstream_id).update(
        last_error=error[:MAX_ERROR],
        failing_since=Coalesce("failing_since", Now()),
        next_try_at=ExpressionWrapper(Now() + wait, output_field=DateTimeField()),
    )


def _cancel(upstream_id: UUID, name: str) -> None:
    """Cancel the open tickets of a drifted tool; the epoch has already taken their authority."""
    with transaction.atomic(durable=True):
        count = ledger.cancel_tickets(
            reason=CancelReason.DRIFT, actor=ACTOR, upstream_id=upstream_id, tool_name=name
        )
    if count:
        logger.warning("%d open tickets were cancelled: their tool changed.", count)


def _offered(tools: Sequence[Mapping[str, Any]]) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Definitions and digests by name; a name that cannot be stored is left out."""
    offered: dict[str, tuple[dict[str, Any], bytes]] = {}
    for tool in tools:
        name = tool["name"]
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            logger.warning("A tool whose name is empty, too long or not printable was ignored.")
            continue
        if is_method(name):
            logger.warning("A tool called %s was ignored: rules mean the method by it.", name)
            continue
        if name in offered:
            raise ListRefused(f"the upstream lists two tools called {name!r}")
        try:
            if _NUL.search(json.dumps(tool, allow_nan=False)):
                raise ValueError("it holds a NUL character")
            offered[name] = (dict(tool), definition_digest(tool))
        except (ValueError, RecursionError) as error:
            raise ListRefused(f"the definition of {name!r} cannot be pinned: {error}") from None
    return offered


def _compare(
    upstream: Upstream, offered: Mapping[str, tuple[dict[str, Any], bytes]]
) -> tuple[Recorded, dict[str, Any]]:
    pins = {pin.name: pin for pin in ToolPin.objects.filter(upstream=upstream)}
    trusted = upstream.pin_on_first_contact and upstream.last_seen_at is None and not pins
    changed: list[ToolPin] = []
    news: dict[str, list[str]] = {"pinned": [], "drifted": [], "gone": [], "back": []}
    for name, (definition, digest) in offered.items():
        pin = pins.get(name)
        if pin is None:
            if trusted:
                news["pinned"].append(name)
            _new_pin(upstream, name, definition, digest, trusted=trusted).save()
        elif (kind := _take_offer(pin, definition, digest)) is not None:
            changed.append(pin)
            if kind:
                news[kind].append(name)
    for name, pin in pins.items():
        if name not in offered and pin.status != ToolPin.Status.GONE:
            if pin.status == ToolPin.Status.PINNED:
                news["gone"].append(name)
            pin.status, pin.offered, pin.offered_digest = ToolPin.Status.GONE, None, None
            changed.append(pin)
    ToolPin.objects.bulk_update(changed, _WRITTEN)
    drifted = (*news["drifted"], *news["gone"])
    detail = {
        kind: {"count": len(names), "tools": sorted(names)[:MAX_NAMED]}
        for kind, names in news.items()
        if names
    }
    return Recorded(moved=bool(detail), drifted=drifted), detail


def _new_pin(
    upstream: Upstream, name: str, definition: dict[str, Any], digest: bytes, *, trusted: bool
) -> ToolPin:
    if trusted:
        return ToolPin(
            upstream=upstream,
            name=name,
            status=ToolPin.Status.PINNED,
            definition=definition,
            digest=digest,
            pinned_at=Now(),
        )
    return ToolPin(
        upstream=upstream,
        name=name,
        status=ToolPin.Status.QUARANTINED,
        offered=definition,
        offered_digest=digest,
    )


def _take_offer(pin: ToolPin, definition: dict[str, Any], digest: bytes) -> str | None:
    """Put what the upstream offers now into `pin`.

    None: nothing changed; empty: only for the admin's page; else the kind of the news.
    """
    pinned = bytes(pin.digest) if pin.digest is not None else None
    known = bytes(pin.offered_digest) if pin.offered_digest is not None else None
    if pin.status == ToolPin.Status.PINNED:
        if digest == pinned:
            return None
        pin.status, pin.offered, pin.offered_digest = (
            ToolPin.Status.QUARANTINED,
            definition,
            digest,
        )
        return "drifted"
    if pin.status == ToolPin.Status.GONE and digest == pinned:
        pin.status, pin.offered, pin.offered_digest = ToolPin.Status.PINNED, None, None
        return "back"
    if pin.status == ToolPin.Status.QUARANTINED and digest == known:
        return None
    pin.status, pin.offered, pin.offered_digest = (
        ToolPin.Status.QUARANTINED,
        definition,
        digest,
    )
    return ""
