"""The tools of one upstream as an admin sees them: definition, pin, and what policy says.

Reads rows and a policy document and returns frozen views; knows nothing of requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcpbridge.administration import InForce, in_force
from mcpbridge.approvals_gateway import Effect
from mcpbridge.calls.pins import DefinitionChange, diff_definitions
from mcpbridge.models import StdioLease, ToolPin, Upstream

ANNOTATIONS = (
    ("readOnlyHint", True, "says it only reads"),
    ("destructiveHint", True, "says it destroys"),
    ("destructiveHint", False, "says it does not destroy"),
    ("idempotentHint", True, "says repeating does no harm"),
    ("openWorldHint", True, "says it reaches the outside world"),
)
EFFECT_WORDS = {
    Effect.ALLOW: "Allow",
    Effect.REQUIRE_APPROVAL: "Ask",
    Effect.DENY: "Deny",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """One difference between what was pinned and what is offered."""

    pointer: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolView:
    """One tool, ready to be shown."""

    pin_id: str
    name: str
    description: str
    annotations: tuple[str, ...]
    schema: str
    status: str
    held: bool
    is_new: bool
    seen_digest: str  # of the definition that pinning would accept
    changes: tuple[ChangeView, ...]
    idempotent: bool
    effect: str
    effect_word: str
    why: str
    exceptions: tuple[str, ...]
    groups: tuple[str, ...]
    quorum: int
    four_eyes: bool
    approval_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxView:
    """How a stdio server is confined; `warning` when it is not."""

    label: str
    warning: bool


def tool_views(upstream: Upstream, document: Mapping[str, Any]) -> list[ToolView]:
    """Every tool that the upstream lists, held ones first, then by name."""
    pins = upstream.pins.exclude(status=ToolPin.Status.GONE).order_by("name")
    views = [_view(pin, in_force(document, upstream=upstream.name, tool=pin.name)) for pin in pins]
    return sorted(views, key=lambda view: not view.held)


def sandbox_view(upstream: Upstream) -> SandboxView | None:
    """What the host said of its newest run; None for upstreams that are not run here."""
    if upstream.transport != Upstream.Transport.STDIO:
        return None
    lease = StdioLease.objects.filter(upstream=upstream).order_by("-expires_at").first()
    if lease is None or not lease.sandbox_label:
        return SandboxView(label="not started yet", warning=False)
    return SandboxView(label=lease.sandbox_label, warning=lease.sandbox_label == "unsandboxed")


def _view(pin: ToolPin, force: InForce) -> ToolView:
    offered = pin.offered if pin.offered is not None else pin.definition or {}
    digest = pin.offered_digest if pin.offered_digest is not None else pin.digest
    held = pin.status == ToolPin.Status.QUARANTINED
    return ToolView(
        pin_id=str(pin.pk),
        name=pin.name,
        description=str(offered.get("description") or ""),
        annotations=_annotations(offered.get("annotations")),
        schema=json.dumps(offered.get("inputSchema", {}), indent=2, ensure_ascii=True),
        status=pin.get_status_display(),
        held=held,
        is_new=pin.definition is None,
        seen_digest=bytes(digest).hex() if digest is not None else "",
        changes=_changes(pin),
        idempotent=pin.idempotent,
        effect=force.effect.value,
        effect_word=EFFECT_WORDS[force.effect],
        why=_why(force),
        exceptions=force.exceptions,
        groups=force.obligations.groups,
        quorum=force.obligations.quorum,
        four_eyes=force.obligations.four_eyes,
        approval_minutes=max(1, force.obligations.approval_seconds // 60),
    )


def _annotations(found: object) -> tuple[str, ...]:
    if not isinstance(found, dict):
        return ()
    return tuple(words for key, value, words in ANNOTATIONS if found.get(key) is value)


def _changes(pin: ToolPin) -> tuple[ChangeView, ...]:
    if pin.definition is None or pin.offered is None:
        return ()
    return tuple(_change(change) for change in diff_definitions(pin.definition, pin.offered))


def _change(change: DefinitionChange) -> ChangeView:
    return ChangeView(
        pointer=change.pointer,
        old="" if change.kind == "added" else _spelled(change.old),
        new="" if change.kind == "removed" else _spelled(change.new),
    )


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)


def _why(force: InForce) -> str:
    if force.rule is None:
        return "no rule names it, so people are asked"
    return f"rule {force.position}, “{force.rule}”"
