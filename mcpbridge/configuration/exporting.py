"""The installation as a document that `apply` takes back without a change. Holds no secret."""

from __future__ import annotations

from typing import Any

from mcpbridge.administration import secrets_of
from mcpbridge.approvals_gateway import Directory, current_policy, directory
from mcpbridge.configuration.document import (
    AgentSection,
    GroupSection,
    TeamSection,
    ToolSection,
    UpstreamSection,
    UserSection,
)
from mcpbridge.models import Agent, ToolPin, Upstream


def export_document() -> dict[str, Any]:
    """Everything `apply` can set, as plain data in a stable order.

    Secrets are left out: each is named by the variable that should hold it when applied. Raises
    Refused when sealed secrets cannot be opened, not even to see their names.
    """
    known = directory()
    version, policy = current_policy()
    return {
        "users": _users(known),
        "groups": _groups(known),
        "teams": _teams(known),
        "upstreams": _upstreams(known),
        "tools": _tools(),
        "agents": _agents(known),
        **({"policy": policy} if version is not None else {}),
    }


def _users(known: Directory) -> list[dict[str, Any]]:
    rows = []
    for person in known.people:
        for at, email in enumerate(person.emails):
            section = (
                UserSection(
                    email=email, name=person.name, admin=person.is_admin, auditor=person.is_auditor
                )
                if at == 0
                else UserSection(email=email, same_person_as=person.emails[0])
            )
            rows.append(section.model_dump(exclude_defaults=True))
    return sorted(rows, key=lambda row: str(row["email"]))


def _groups(known: Directory) -> list[dict[str, Any]]:
    emails = _email_of(known)
    return [
        GroupSection(
            name=group.slug,
            title=group.name,
            members=sorted(emails[member] for member in group.members if member in emails),
        ).model_dump(exclude_defaults=True)
        for group in sorted(known.groups, key=lambda group: group.slug)
    ]


def _teams(known: Directory) -> list[dict[str, Any]]:
    emails = _email_of(known)
    slugs = {group.id: group.slug for group in known.groups}
    return [
        TeamSection(
            name=team.slug,
            title=team.name,
            members=sorted(emails[member] for member in team.members if member in emails),
            reviewers=slugs.get(team.default_group) if team.default_group else None,
        ).model_dump(exclude_defaults=True)
        for team in sorted(known.teams, key=lambda team: team.slug)
    ]


def _upstreams(known: Directory) -> list[dict[str, Any]]:
    slugs = {team.id: team.slug for team in known.teams}
    rows = []
    for upstream in Upstream.objects.prefetch_related("teams").order_by("name"):
        secrets = secrets_of(upstream)
        section = UpstreamSection.model_validate(
            {
                "name": upstream.name,
                "transport": upstream.transport,
                "enabled": upstream.enabled,
                "url": upstream.url,
                "allow_private_addresses": upstream.allow_private_addresses,
                "command": upstream.command,
                "environment": upstream.environment,
                "headers_env": {
                    name: _variable(upstream.name, name) for name in sorted(secrets.headers)
                },
                "environment_env": {
                    name: _variable(upstream.name, name) for name in sorted(secrets.environment)
                },
                "cwd": upstream.cwd,
                "sandbox": upstream.sandbox,
                "per_agent": upstream.per_agent,
                "timeouts": upstream.timeouts,
                "caps": upstream.caps,
                "questions": _questions(upstream, has_key=bool(secrets.sampling_key)),
                "trust_annotations": upstream.trust_annotations,
                "pin_on_first_contact": upstream.pin_on_first_contact,
                "teams": sorted(slugs[team.pk] for team in upstream.teams.all()),
            }
        )
        rows.append(section.model_dump(exclude_defaults=True))
    return rows


def _questions(upstream: Upstream, *, has_key: bool) -> dict[str, Any]:
    kept = dict(upstream.questions)
    if has_key and "endpoint" in kept:
        variable = _variable(upstream.name, "sampling_key")
        kept["endpoint"] = {**kept["endpoint"], "key_env": variable}
    return kept


def _tools() -> list[dict[str, Any]]:
    pins = ToolPin.objects.filter(status=ToolPin.Status.PINNED).select_related("upstream")
    return [
        ToolSection(
            upstream=pin.upstream.name,
            name=pin.name,
            definition=pin.definition or {},
            idempotent=pin.idempotent,
            max_attempts=pin.max_attempts,
        ).model_dump(exclude_defaults=True)
        for pin in pins.order_by("upstream__name", "name")
    ]


def _agents(known: Directory) -> list[dict[str, Any]]:
    emails = _email_of(known)
    teams = {team.id: team.slug for team in known.teams}
    return [
        AgentSection(
            name=agent.name,
            owner=emails[agent.owner_id],
            team=teams[agent.team_id],
            enabled=agent.enabled,
            hold_seconds=agent.hold_seconds,
            grace_seconds=agent.grace_seconds,
            max_open_tickets=agent.max_open_tickets,
        ).model_dump(exclude_defaults=True)
        for agent in Agent.objects.order_by("name")
    ]


def _email_of(known: Directory) -> dict[Any, str]:
    return {person.id: person.emails[0] for person in known.people if person.emails}


def _variable(upstream: str, name: str) -> str:
    plain = "".join(letter if letter.isalnum() else "_" for letter in f"{upstream}_{name}")
    return plain.upper()
