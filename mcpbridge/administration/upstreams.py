"""Upstreams: where tools come from. A change of what a call would mean ends what is open.

Secrets come in once, are sealed, and are never handed out again.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction
from uuid6 import uuid7

from mcpbridge.administration.errors import Refused
from mcpbridge.administration.upstream_settings import UpstreamSettings, check_settings
from mcpbridge.approvals_gateway import CancelReason, bump_epoch, cancel_tickets, directory, say
from mcpbridge.catalog.secrets import Secrets, SecretsUnreadable, open_secrets, seal_secrets
from mcpbridge.catalog.specs import spec_of
from mcpbridge.models import Upstream
from mcpbridge.upstream.spec import OVER_HTTP, BadUpstreamSpec, config_digest

RESERVED: Final = frozenset({"placet", "new"})  # our own tools; the page that adds one
NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z")


@transaction.atomic
def create_upstream(
    *, actor: str, name: str, settings: UpstreamSettings, secrets: Secrets | None = None
) -> Upstream:
    """A new upstream; joins or opens a transaction.

    Raises Refused for a bad or taken name and for unusable settings.
    """
    if not NAME.match(name) or name in RESERVED:
        raise Refused(
            say(
                "the name must be 1 to 40 lower-case letters, digits and inner hyphens, and neither"
                " placet nor new"
            ),
            field="name",
        )
    upstream = Upstream(name=name)
    _apply(upstream, settings, secrets)
    teams = _teams(settings)
    try:
        with transaction.atomic():
            upstream.save(force_insert=True)
    except IntegrityError:
        raise Refused(
            say("there is already an upstream named {name}", name=name), field="name"
        ) from None
    _set_teams(upstream, teams)
    bump_epoch(
        subject=f"upstream:{upstream.id}",
        actor=actor,
        action="upstream_created",
        detail={"name": name, "configuration": upstream.config_digest.hex()},
    )
    return upstream


@transaction.atomic
def change_upstream(
    *, actor: str, upstream_id: UUID, settings: UpstreamSettings, secrets: Secrets | None = None
) -> Upstream:
    """Replace an upstream's settings; `secrets` None keeps those it has.

    Joins or opens a transaction. A change of what a call would mean (or disabling it) cancels
    its open tickets; new teams or limits only move the gate's epoch. Secrets that are kept do
    not follow to another address: whoever names it has to know them.
    """
    upstream = Upstream.objects.select_for_update(no_key=True).get(pk=upstream_id)
    was = (bytes(upstream.config_digest), upstream.enabled)
    columns = _snapshot(upstream)
    _refuse_taking_secrets_along(upstream, settings, secrets)
    _apply(upstream, settings, secrets)
    teams = _teams(settings)
    if _snapshot(upstream) == columns and teams == _team_ids(upstream):
        return upstream
    if bytes(upstream.config_digest) != was[0]:  # what failed was reached in another way
        upstream.last_error, upstream.failing_since, upstream.next_try_at = "", None, None
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


def secrets_of(upstream: Upstream) -> Secrets:
    """What is sealed for an upstream. Raises Refused when no sealing key opens it."""
    try:
        return open_secrets(upstream.id, upstream.sealed_secrets)
    except SecretsUnreadable as problem:
        raise Refused(
            say("upstream {name}: {problem}", name=upstream.name, problem=problem)
        ) from problem


def moves_endpoint(upstream: Upstream, settings: UpstreamSettings) -> bool:
    """Whether the model that answers sampling would be asked at another address."""
    now, then = upstream.questions.get("endpoint"), settings.questions.get("endpoint")
    before = now.get("url", "") if isinstance(now, dict) else ""
    after = then.get("url", "") if isinstance(then, dict) else ""
    return _origin(str(before)) != _origin(str(after))


def _refuse_taking_secrets_along(
    upstream: Upstream, settings: UpstreamSettings, secrets: Secrets | None
) -> None:
    if secrets is not None:
        return
    if (
        settings.questions.get("endpoint")
        and moves_endpoint(upstream, settings)
        and secrets_of(upstream).sampling_key
    ):
        raise Refused(
            say("the model's key is for another address; enter it again together with the new one"),
            field="ask_key",
        )
    if upstream.transport not in OVER_HTTP:
        return
    if settings.transport in OVER_HTTP and _origin(settings.url) == _origin(upstream.url):
        return
    if secrets_of(upstream).headers:
        raise Refused(
            say("the credential is for another address; enter it again together with the new one"),
            field="authorization",
        )


def _apply(upstream: Upstream, settings: UpstreamSettings, secrets: Secrets | None) -> None:
    check_settings(settings)
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
    upstream.questions = dict(settings.questions)
    upstream.trust_annotations = settings.trust_annotations
    upstream.pin_on_first_contact = settings.pin_on_first_contact
    if secrets is not None and not _already_sealed(upstream, secrets):
        has_any = bool(secrets)
        upstream.sealed_secrets = seal_secrets(upstream.id, secrets) if has_any else None
        upstream.credential_id = uuid7() if has_any else None
    kept = secrets_of(upstream)
    if settings.transport in OVER_HTTP and kept.environment:
        raise Refused(say("secret variables belong to a stdio upstream"), field="transport")
    if settings.transport == Upstream.Transport.STDIO and kept.headers:
        raise Refused(say("secret headers belong to an http upstream"), field="transport")
    try:
        upstream.config_digest = config_digest(spec_of(upstream))
    except (BadUpstreamSpec, TypeError) as wrong:
        is_http = settings.transport in OVER_HTTP
        raise Refused(str(wrong), field="url" if is_http else "command") from wrong


def _already_sealed(upstream: Upstream, secrets: Secrets) -> bool:
    try:
        return open_secrets(upstream.id, upstream.sealed_secrets) == secrets
    except SecretsUnreadable:
        return False


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return "", url, None


def _teams(settings: UpstreamSettings) -> set[UUID]:
    known = {team.id for team in directory().teams}
    if not settings.team_ids <= known:
        raise Refused(say("a team was named that does not exist here"), field="teams")
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
        upstream.credential_id,
        dict(upstream.timeouts),
        dict(upstream.caps),
        dict(upstream.questions),
    )
