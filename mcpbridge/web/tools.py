"""The tools of one upstream as an admin sees them: definition, pin, and what policy says.

Reads rows and a policy document and returns frozen views; knows nothing of requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, gettext_lazy

from mcpbridge.administration import InForce, in_force
from mcpbridge.approvals_gateway import Effect
from mcpbridge.calls.pins import DefinitionChange, diff_definitions, pinned_part
from mcpbridge.models import ToolPin, Upstream
from mcpbridge.upstream.sandbox import gaps
from mcpbridge.web.choices import (
    SEVERAL,
    escalation_minutes,
    minutes_of,
    quorums_in_words,
)

ANNOTATIONS = (
    ("readOnlyHint", True, gettext_lazy("says it only reads")),
    ("destructiveHint", True, gettext_lazy("says it destroys")),
    ("destructiveHint", False, gettext_lazy("says it does not destroy")),
    ("idempotentHint", True, gettext_lazy("says repeating does no harm")),
    ("openWorldHint", True, gettext_lazy("says it reaches the outside world")),
)
PROSE = frozenset({"/name", "/title", "/description"})
EFFECT_WORDS = {
    Effect.ALLOW: gettext_lazy("Allow"),
    Effect.REQUIRE_APPROVAL: gettext_lazy("Ask"),
    Effect.DENY: gettext_lazy("Deny"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """One difference between what was pinned and what is offered."""

    pointer: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenView:
    """What the fields of a tool's form hold: what is in force, or what could not be saved."""

    effect: str
    group: str  # a group's name, "+" for the several in force, or empty
    quorum: str
    minutes: str
    four_eyes: bool
    step_up: str
    type_target: bool
    quorums: str = ""  # what each group owes by itself
    escalate_to: str = ""
    escalate_minutes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolView:
    """One tool, ready to be shown."""

    pin_id: str
    name: str
    description: str
    annotations: tuple[str, ...]
    definition: str  # all of it that a pin covers
    status: str
    held: bool
    is_new: bool
    seen_digest: str  # of the definition that pinning would accept
    changes: tuple[ChangeView, ...]
    idempotent: bool
    max_attempts: int
    effect_word: str
    why: str
    exceptions: tuple[str, ...]
    groups: tuple[str, ...]
    chosen: ChosenView


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxView:
    """How a stdio server is confined; `warning` when it is not. `gaps` are left open anyway.

    `problem` is why its process ended or could not start, in its own or the host's words.
    """

    label: str
    warning: bool
    started: bool = True
    gaps: tuple[str, ...] = ()
    state: str = ""
    problem: str = ""


def tool_views(
    upstream: Upstream, document: Mapping[str, Any], posted: Mapping[str, str] | None = None
) -> list[ToolView]:
    """Every tool that the upstream lists, held ones first, then by name.

    `posted` is a form that could not be saved; its fields are shown again.
    """
    pins = upstream.pins.exclude(status=ToolPin.Status.GONE).order_by("name")
    views = [
        _view(pin, in_force(document, upstream=upstream.name, tool=pin.name), posted or {})
        for pin in pins
    ]
    return sorted(views, key=lambda view: not view.held)


def sandbox_view(upstream: Upstream) -> SandboxView | None:
    """What the host said of its newest run; None for upstreams that are not run here."""
    if upstream.transport != Upstream.Transport.STDIO:
        return None
    leases = sorted(upstream.leases.all(), key=lambda lease: lease.expires_at)
    lease = leases[-1] if leases else None
    if lease is None or not lease.sandbox_label:
        return SandboxView(
            label=gettext("not started yet"),
            warning=False,
            started=False,
            problem=lease.last_error if lease is not None else "",
        )
    return SandboxView(
        label=lease.sandbox_label,
        warning=lease.sandbox_label == "unsandboxed",
        gaps=tuple(gettext(gap) for gap in gaps(lease.sandbox_label)),
        state=lease.state,
        problem=lease.last_error,
    )


def _view(pin: ToolPin, force: InForce, posted: Mapping[str, str]) -> ToolView:
    offered = pin.offered if pin.offered is not None else pin.definition or {}
    digest = pin.offered_digest if pin.offered_digest is not None else pin.digest
    held = pin.status == ToolPin.Status.QUARANTINED
    return ToolView(
        pin_id=str(pin.pk),
        name=pin.name,
        description=str(offered.get("description") or ""),
        annotations=_annotations(offered.get("annotations")),
        definition=json.dumps(pinned_part(offered), indent=2, ensure_ascii=False),
        status=str(pin.get_status_display()),
        held=held,
        is_new=pin.definition is None,
        seen_digest=bytes(digest).hex() if digest is not None else "",
        changes=_changes(pin),
        idempotent=pin.idempotent,
        max_attempts=pin.max_attempts,
        effect_word=str(EFFECT_WORDS[force.effect]),
        why=_why(force),
        exceptions=force.exceptions,
        groups=force.obligations.groups,
        chosen=_chosen(str(pin.pk), force, posted),
    )


def _chosen(pin_id: str, force: InForce, posted: Mapping[str, str]) -> ChosenView:
    if f"effect-{pin_id}" in posted:
        return ChosenView(
            effect=posted[f"effect-{pin_id}"],
            group=posted.get(f"group-{pin_id}", ""),
            quorum=posted.get(f"quorum-{pin_id}", ""),
            minutes=posted.get(f"minutes-{pin_id}", ""),
            four_eyes=f"four_eyes-{pin_id}" in posted,
            step_up=posted.get(f"step_up-{pin_id}", ""),
            type_target=f"type_target-{pin_id}" in posted,
            quorums=posted.get(f"quorums-{pin_id}", ""),
            escalate_to=posted.get(f"escalate_to-{pin_id}", ""),
            escalate_minutes=posted.get(f"escalate_minutes-{pin_id}", ""),
        )
    asked = force.obligations
    return ChosenView(
        effect=force.effect.value,
        group=SEVERAL if len(asked.groups) > 1 else "".join(asked.groups),
        quorum=str(asked.quorum),
        minutes=str(minutes_of(asked)),
        four_eyes=asked.four_eyes,
        step_up=asked.step_up,
        type_target=asked.type_target,
        quorums=quorums_in_words(asked),
        escalate_to=asked.escalate.to if asked.escalate is not None else "",
        escalate_minutes=escalation_minutes(asked),
    )


def _annotations(found: object) -> tuple[str, ...]:
    if not isinstance(found, dict):
        return ()
    return tuple(str(words) for key, value, words in ANNOTATIONS if found.get(key) is value)


def _changes(pin: ToolPin) -> tuple[ChangeView, ...]:
    if pin.definition is None or pin.offered is None:
        return ()
    return tuple(_change(change) for change in diff_definitions(pin.definition, pin.offered))


def _change(change: DefinitionChange) -> ChangeView:
    return ChangeView(
        pointer=change.pointer,
        old="" if change.kind == "added" else _spelled(change.pointer, change.old),
        new="" if change.kind == "removed" else _spelled(change.pointer, change.new),
    )


def _spelled(pointer: str, value: object) -> str:
    """Prose as it is; a value of a schema as JSON, so that true and "true" look different."""
    if isinstance(value, str) and pointer in PROSE:
        return value
    return json.dumps(value, ensure_ascii=False)


def _why(force: InForce) -> str:
    if force.rule is None:
        return gettext("because no rule names it")
    return gettext("by rule {position}, “{rule}”").format(position=force.position, rule=force.rule)
