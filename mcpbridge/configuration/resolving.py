"""What a document says by name, as what the administration takes: ids and settings.

Reads no row and writes none: the caller hands in what is known by which name. Every name that is
not known raises BadDocument with its place in the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from mcpbridge.administration import AgentSettings, UpstreamSettings
from mcpbridge.approvals_gateway import Directory
from mcpbridge.configuration.document import (
    AgentSection,
    BadDocument,
    QuestionsSection,
    UpstreamSection,
)


def upstream_settings(
    section: UpstreamSection, teams: Mapping[str, UUID], path: str
) -> UpstreamSettings:
    """The settings of an upstream; `teams` are ids by slug, `path` is the section's place."""
    return UpstreamSettings(
        transport=section.transport,
        enabled=section.enabled,
        url=section.url,
        allow_private_addresses=section.allow_private_addresses,
        command=tuple(section.command),
        environment=section.environment,
        cwd=section.cwd,
        sandbox=section.sandbox.model_dump(exclude_defaults=True, exclude_none=True),
        per_agent=section.per_agent,
        timeouts={str(key): float(value) for key, value in section.timeouts.items()},
        caps={str(key): value for key, value in section.caps.items()},
        questions=_questions(section.questions),
        trust_annotations=section.trust_annotations,
        pin_on_first_contact=section.pin_on_first_contact,
        team_ids=frozenset(
            id_of(teams, name, f"{path}.teams[{at}]") for at, name in enumerate(section.teams)
        ),
    )


def _questions(section: QuestionsSection) -> dict[str, object]:
    """What a row keeps of it; the endpoint's key is a secret and stands elsewhere."""
    kept = section.model_dump(exclude_defaults=True, exclude_none=True)
    if section.endpoint is not None:
        kept["endpoint"].pop("key_env", None)
    return kept


def agent_settings(
    section: AgentSection, people: Mapping[str, UUID], teams: Mapping[str, UUID], path: str
) -> AgentSettings:
    """The settings of an agent; `people` are ids by address, `teams` ids by slug."""
    return AgentSettings(
        owner_id=id_of(people, section.owner.lower(), f"{path}.owner"),
        team_id=id_of(teams, section.team, f"{path}.team"),
        enabled=section.enabled,
        hold_seconds=section.hold_seconds,
        grace_seconds=section.grace_seconds,
        max_open_tickets=section.max_open_tickets,
    )


def ids_by_email(found: Directory) -> dict[str, UUID]:
    """People's ids by each of their addresses, which stand in lower case."""
    return {email: person.id for person in found.people for email in person.emails}


def ids_of(people: Mapping[str, UUID], emails: Iterable[str], path: str) -> set[UUID]:
    """The ids of the people that a list at `path` names by address."""
    return {id_of(people, email.lower(), f"{path}[{at}]") for at, email in enumerate(emails)}


def id_of(known: Mapping[str, UUID], name: str, path: str) -> UUID:
    """The id that `name` at `path` stands for; the message lists up to ten known names."""
    try:
        return known[name]
    except KeyError:
        listed = ", ".join(sorted(known)[:10]) or "none"
        raise BadDocument(f"{path}: {name!r} is not known here; known are {listed}") from None
