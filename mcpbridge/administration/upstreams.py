"""Upstreams: where tools come from. A change of what a call would mean ends what is open.

Secrets come in once, are sealed, and are never handed out again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from uuid6 import uuid7

from mcpbridge.administration.errors import Refused
from mcpbridge.approvals_gateway import CancelReason, bump_epoch, cancel_tickets, directory
from mcpbridge.catalog.secrets import Secrets, seal_secrets
from mcpbridge.catalog.specs import spec_of
from mcpbridge.models import Upstream
from mcpbridge.upstream.spec import BadUpstreamSpec, config_digest

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """Everything about an upstream that an admin sets, but for its secrets."""

    transport: str
    enabled: bool = True
    url: str = ""
    allow_private_addresses: bool = False
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    sandbox: Mapping[str, object] = field(default_factory=dict)
    per_agent: bool = False
    timeouts: Mapping[str, float] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)
    trust_annotations: bool = False
    pin_on_first_contact: bool = False
    team_ids: frozenset[UUID] = frozenset()


def create_upstream(
    *, actor: str, name: str, settings: UpstreamSettings, secrets: Secrets | None = None
) -> Upstream:
    """A new upstream. Raises Refused for a bad or taken name and for unusable settings."""
    if not NAME.match(name) or name == "placet":
        raise Refused(
            "the name must be 1 to 40 lower-case letters, digits and inner hyphens, and not placet",
            field="name",
        )
    upstream = Upstream(name=name)
    _apply(upstream, settings, secrets)
    try:
        with transaction.atomic():
            upstream.save()
            _set_teams(upstream, _teams(settings))
            bump_epoch(
                subject=f"upstream:{upstream.id}",
                actor=actor,
                action="upstream_created",
                detail={"name": name, "configuration": upstream.config_digest.hex()},
            )
    except IntegrityError:
        raise Refused(f"there is already an upstream named {name}", field="name") from None
    return upstream


@transaction.atomic
def change_upstream(
    *, actor: str, upstream_id: UUID, settings: UpstreamSettings, secrets: Secrets | None = None
) -> Upstream:
    """Replace an upstream's settings; `secrets` None keeps those it has.

    Joins or opens a transaction. A change of what a call would mean (or disabling it) cancels
    its open tickets; new teams or limits only move the gate's epoch.
    """
    upstream = Upstream.objects.select_for_update().get(pk=upstream_id)
    was = (bytes(upstream.config_digest), upstream.enabled)
    columns = _snapshot(upstream)
    _apply(upstream, settings, secrets)
    teams = _teams(settings)
    if _snapshot(upstream) == columns and secrets is None and teams == _team_ids(upstream):
        return upstream
    upstream.save()
    _set_teams(upstream, teams)
    bump_epoch(
        subject=f"upstream:{upstream.id}",
        actor=actor,
        action="upstream_changed",
        detail={"configuration": upstream.config_digest.hex(), "enabled": upstream.enabled},
    )
    if (upstream.config_digest, upstream.enabled) != was:
        cancel_tickets(reason=CancelReason.DRIFT, actor=actor, upstream_id=upstream.id)
    return upstream


def _apply(upstream: Upstream, settings: UpstreamSettings, secrets: Secrets | None) -> None:
    if settings.transport not in Upstream.Transport.values:
        raise Refused(f"transport is http or stdio, not {settings.transport}", field="transport")
    upstream.transport = settings.transport
    upstream.enabled = settings.enabled
    upstream.url = settings.url
    upstream.allow_private_addresses = settings.allow_private_addresses
    upstream.command = list(settings.command)
    upstream.environment = dict(settings.environment)
    upstream.cwd = settings.cwd
    upstream.sandbox = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in settings.sandbox.items()
    }
    upstream.per_agent = settings.per_agent
    upstream.timeouts = dict(settings.timeouts)
    upstream.caps = dict(settings.caps)
    upstream.trust_annotations = settings.trust_annotations
    upstream.pin_on_first_contact = settings.pin_on_first_contact
    if secrets is not None:
        has_any = bool(secrets.headers or secrets.environment)
        upstream.sealed_secrets = seal_secrets(upstream.id, secrets) if has_any else None
        upstream.credential_id = uuid7() if has_any else None
    if settings.transport not in Upstream.Transport.values:
        raise Refused(
            f"the transport is http or stdio, not {settings.transport}", field="transport"
        )
    try:
        upstream.config_digest = config_digest(spec_of(upstream))
    except (BadUpstreamSpec, TypeError) as wrong:
        raise Refused(str(wrong)) from wrong


def _teams(settings: UpstreamSettings) -> set[UUID]:
    known = {team.id for team in directory().teams}
    if not settings.team_ids <= known:
        raise Refused("a team was named that does not exist here", field="teams")
    return set(settings.team_ids)


def _set_teams(upstream: Upstream, team_ids: set[UUID]) -> None:
    """Let exactly these teams use it; the ledger's rows are only referred to by key."""
    access = Upstream.teams.through
    access.objects.filter(upstream=upstream).exclude(team_id__in=team_ids).delete()
    access.objects.bulk_create(
        (access(upstream=upstream, team_id=team_id) for team_id in sorted(team_ids)),
        ignore_conflicts=True,
    )


def _team_ids(upstream: Upstream) -> set[UUID]:
    return set(upstream.teams.values_list("id", flat=True))


def _snapshot(upstream: Upstream) -> tuple[object, ...]:
    return (
        bytes(upstream.config_digest),
        upstream.enabled,
        upstream.trust_annotations,
        upstream.pin_on_first_contact,
        dict(upstream.timeouts),
        dict(upstream.caps),
    )
