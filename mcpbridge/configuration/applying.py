"""Bringing an installation to what a document says, in one transaction or not at all.

Applying is idempotent, and `dry_run` is the same work rolled back: what it reports is what
happens. What a document does not name stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from mcpbridge.administration import (
    Refused,
    change_agent,
    change_upstream,
    create_agent,
    create_upstream,
    ensure_pin,
    secrets_of,
    set_idempotent,
)
from mcpbridge.approvals_gateway import (
    Directory,
    Refusal,
    create_user,
    current_policy,
    directory,
    ensure_group,
    ensure_person,
    ensure_team,
    publish_policy,
    require_answerable,
    set_members,
    unready_rules,
)
from mcpbridge.configuration.document import BadDocument, Document
from mcpbridge.configuration.exporting import export_document
from mcpbridge.configuration.reporting import differences
from mcpbridge.configuration.resolving import (
    agent_settings,
    id_of,
    ids_by_email,
    ids_of,
    upstream_settings,
)
from mcpbridge.configuration.variables import require_variables, secrets_named
from mcpbridge.models import Agent, Upstream
from mcpbridge.upstream.spelled_out import address_refused


@dataclass(frozen=True, slots=True)
class Report:
    """What was (or would be) changed, a line each; empty when all was as it should be.

    `warnings` say what the document asks for and an upstream does not offer, or people cannot do.
    """

    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def apply_document(
    document: Document,
    *,
    actor: str = "system:apply",
    environment: Mapping[str, str],
    dry_run: bool = False,
) -> Report:
    """Apply `document`; secrets are read from `environment` by the names that it gives.

    Raises BadDocument naming the place when something cannot be applied; nothing is kept then.
    """
    with transaction.atomic(durable=True):
        try:
            before = export_document()
            applying = _Applying(document, actor, environment)
            applying.run()
            changes = differences(before, export_document())
            unready = tuple(f"policy: {found}" for found in unready_rules(current_policy()[1]))
        except Refused as refused:
            raise BadDocument(refused.message) from refused
        if dry_run:
            transaction.set_rollback(True)
    return Report(changes=(*changes, *applying.rotated), warnings=(*applying.warnings, *unready))


class _Applying:
    """One run over a document, section by section, in the order in which they refer back."""

    def __init__(self, document: Document, actor: str, environment: Mapping[str, str]) -> None:
        self._document = document
        self._actor = actor
        self._environment = environment
        self.rotated: list[str] = []  # what changed that an export does not show
        self.warnings: list[str] = []

    def run(self) -> None:
        """Apply every section."""
        before = directory()
        had_admin = _has_admin(before)
        require_variables(
            self._document, environment=self._environment, accounts=ids_by_email(before)
        )
        self._people()
        self._upstreams(directory())
        self._tools()
        self._agents(directory())
        self._policy()
        self._answerable()
        if had_admin and not _has_admin(directory()):
            raise BadDocument("users: nobody would be an admin any more; mark one with admin: true")

    def _people(self) -> None:
        for index, user in enumerate(self._document.users):
            password = self._environment.get(user.password_env) if user.password_env else None
            if user.same_person_as is not None:
                self._second_account(user.email, user.same_person_as, password, f"users[{index}]")
                continue
            ensure_person(
                email=user.email,
                name=user.name,
                password=password,
                is_admin=user.admin,
                is_auditor=user.auditor,
                actor=self._actor,
            )
        people = ids_by_email(directory())
        for index, group in enumerate(self._document.groups):
            ensure_group(slug=group.name, name=group.title, actor=self._actor)
            members = ids_of(people, group.members, f"groups[{index}].members")
            set_members(people=members, group=group.name, actor=self._actor, answerable_later=True)
        for index, team in enumerate(self._document.teams):
            try:
                ensure_team(
                    slug=team.name,
                    name=team.title,
                    default_group=team.reviewers,
                    actor=self._actor,
                    answerable_later=True,
                )
            except ValueError as wrong:
                raise BadDocument(f"teams[{index}].reviewers: {wrong}") from wrong
            members = ids_of(people, team.members, f"teams[{index}].members")
            set_members(people=members, team=team.name, actor=self._actor)

    def _second_account(self, email: str, other: str, password: str | None, path: str) -> None:
        """Give a person who is known by `other` one more account."""
        people = ids_by_email(directory())
        person = id_of(people, other.lower(), f"{path}.same_person_as")
        found = people.get(email.lower())
        if found is None:
            create_user(email=email, password=password, person_id=person, actor=self._actor)
        elif found != person:
            raise BadDocument(
                f"{path}.same_person_as: {email} already belongs to another person than {other};"
                " accounts are not moved between people"
            )

    def _upstreams(self, found: Directory) -> None:
        teams = {team.slug: team.id for team in found.teams}
        existing = {row.name: row for row in Upstream.objects.all()}
        for index, section in enumerate(self._document.upstreams):
            path = f"upstreams[{index}]"
            row = existing.get(section.name)
            settings = upstream_settings(section, teams, path)
            secrets = secrets_named(section, self._environment)
            private = section.allow_private_addresses
            if refusal := address_refused(section.url, allow_private=private):
                self.warnings.append(f"upstreams: {section.name} cannot be reached: {refusal}")
            try:
                if row is None:
                    create_upstream(
                        actor=self._actor, name=section.name, settings=settings, secrets=secrets
                    )
                    continue
                changed = secrets != secrets_of(row)
                change_upstream(
                    actor=self._actor, upstream_id=row.id, settings=settings, secrets=secrets
                )
            except Refused as refused:
                raise _at(path, refused) from refused
            if changed:
                self.rotated.append(f"upstreams: {section.name} has new secrets")

    def _tools(self) -> None:
        for index, section in enumerate(self._document.tools):
            path = f"tools[{index}]"
            upstream = Upstream.objects.filter(name=section.upstream).first()
            if upstream is None:
                raise BadDocument(f"{path}.upstream: there is no upstream {section.upstream!r}")
            if section.definition.get("name") != section.name:
                raise BadDocument(
                    f"{path}.definition.name must be {section.name!r}, as is the tool's"
                )
            try:
                pin, warning = ensure_pin(
                    actor=self._actor,
                    upstream=upstream,
                    name=section.name,
                    definition=section.definition,
                )
                set_idempotent(
                    actor=self._actor,
                    pin_id=pin.id,
                    idempotent=section.idempotent,
                    max_attempts=section.max_attempts,
                )
            except Refused as refused:
                raise _at(path, refused) from refused
            if warning:
                self.warnings.append(f"tools: {section.upstream}.{section.name} {warning}")

    def _agents(self, found: Directory) -> None:
        people = ids_by_email(found)
        teams = {team.slug: team.id for team in found.teams}
        existing = {row.name: row for row in Agent.objects.all()}
        for index, section in enumerate(self._document.agents):
            path = f"agents[{index}]"
            settings = agent_settings(section, people, teams, path)
            row = existing.get(section.name)
            try:
                if row is None:
                    create_agent(actor=self._actor, name=section.name, settings=settings)
                else:
                    change_agent(actor=self._actor, agent_id=row.id, settings=settings)
            except Refused as refused:
                raise _at(path, refused) from refused

    def _policy(self) -> None:
        if self._document.policy is None:
            return
        try:
            publish_policy(document=self._document.policy, note="applied from a file")
        except Refusal as refusal:
            raise BadDocument(f"policy: {refusal}") from refusal

    def _answerable(self) -> None:
        """Groups and policy may both have changed: only together they have to make sense."""
        if not (self._document.groups or self._document.teams):
            return
        try:
            require_answerable()
        except Refusal as refusal:
            raise BadDocument(f"groups: the policy in force: {refusal}") from refusal


def _at(path: str, refused: Refused) -> BadDocument:
    where = f"{path}.{refused.field}" if refused.field else path
    return BadDocument(f"{where}: {refused.message}")


def _has_admin(known: Directory) -> bool:
    return any(person.is_admin and person.emails for person in known.people)
