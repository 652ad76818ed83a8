"""Everybody the ledger knows: people, their accounts, teams and reviewer groups.

Used by configuration as code and by the admin's pages; every function that changes something
joins the caller's transaction and records who did it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import transaction

from approvals import audit
from approvals.domain.canonical import JSON
from approvals.models import (
    GroupMembership,
    Person,
    ReviewerGroup,
    Team,
    TeamMembership,
    User,
)
from approvals.services.contract import Directory, GroupView, PersonView, TeamView
from approvals.services.policies import require_answerable

APPLY = "system:apply"


def create_user(
    *,
    email: str,
    password: str | None,
    name: str = "",
    person_id: UUID | None = None,
    is_admin: bool = False,
    is_auditor: bool = False,
    actor: str = APPLY,
) -> PersonView:
    """Make an account, for a person who is already known or for a new one. Joins.

    Without a password nobody can sign in with one. Raises ValueError when the address is taken.
    """
    with transaction.atomic():
        if User.objects.filter(email=email.strip().lower()).exists():
            raise ValueError(f"there is already an account with the e-mail address {email}")
        person = (
            Person.objects.get(pk=person_id)
            if person_id
            else Person.objects.create(
                name=name or email.partition("@")[0], is_admin=is_admin, is_auditor=is_auditor
            )
        )
        user = User.objects.create_user(email.strip(), password, person=person)
        audit.append(
            subject=f"person:{person.pk}",
            actor=actor,
            action="account_created",
            detail={"user": str(user.pk), "admin": person.is_admin, "auditor": person.is_auditor},
        )
        return _person(person)


def ensure_person(
    *,
    email: str,
    name: str = "",
    password: str | None = None,
    is_admin: bool = False,
    is_auditor: bool = False,
    actor: str = APPLY,
) -> UUID:
    """The person who signs in with `email`, made if need be, with exactly these roles. Joins.

    A password is set only on a new account: applying a file again never resets one.
    """
    with transaction.atomic():
        user = User.objects.select_related("person").filter(email=email.strip().lower()).first()
        if user is None:
            return create_user(
                email=email,
                password=password,
                name=name,
                is_admin=is_admin,
                is_auditor=is_auditor,
                actor=actor,
            ).id
        person = user.person
        wanted = (name or person.name, is_admin, is_auditor)
        if (person.name, person.is_admin, person.is_auditor) != wanted:
            person.name, person.is_admin, person.is_auditor = wanted
            person.save(update_fields=["name", "is_admin", "is_auditor"])
            audit.append(
                subject=f"person:{person.pk}",
                actor=actor,
                action="roles_changed",
                detail={"admin": is_admin, "auditor": is_auditor},
            )
        return person.pk


def ensure_group(*, slug: str, name: str = "", actor: str = APPLY) -> UUID:
    """The reviewer group of that name, made if need be. Joins."""
    with transaction.atomic():
        group, made = ReviewerGroup.objects.get_or_create(
            slug=slug, defaults={"name": name or slug}
        )
        if made:
            audit.append(subject=f"group:{group.pk}", actor=actor, action="group_created")
        elif name and group.name != name:
            group.name = name
            group.save(update_fields=["name"])
        return group.pk


def ensure_team(
    *,
    slug: str,
    name: str = "",
    default_group: str | None = None,
    actor: str = APPLY,
    answerable_later: bool = False,
) -> UUID:
    """The team of that name, made if need be; `default_group` (a slug) decides for it. Joins.

    Raises ValueError when there is no such group, and QuorumUnreachable when the policy in force
    asks for more people than that group has; with `answerable_later` the caller asks
    `require_answerable` itself, once all is in place.
    """
    with transaction.atomic():
        team, made = Team.objects.get_or_create(slug=slug, defaults={"name": name or slug})
        before = (team.name, team.default_group_id)
        if name:
            team.name = name
        if default_group is not None:
            group = ReviewerGroup.objects.filter(slug=default_group).first()
            if group is None:
                raise ValueError(f"team {slug}: there is no reviewer group {default_group!r}")
            team.default_group = group
        if made or before != (team.name, team.default_group_id):
            team.save(update_fields=["name", "default_group"])
            audit.append(
                subject=f"team:{team.pk}",
                actor=actor,
                action="team_created" if made else "team_changed",
                detail={"default_group": str(team.default_group_id or "")},
            )
            if before[1] != team.default_group_id and not answerable_later:
                require_answerable()
        return team.pk


def set_members(
    *,
    people: Collection[UUID],
    group: str | None = None,
    team: str | None = None,
    actor: str = APPLY,
    answerable_later: bool = False,
) -> None:
    """Let exactly these people be in a reviewer group or in a team (by slug). Joins.

    Raises QuorumUnreachable when a group would become smaller than the policy in force asks for;
    with `answerable_later` the caller asks `require_answerable` itself, once all is in place.
    """
    if (group is None) == (team is None):
        raise ValueError("name either a group or a team")
    with transaction.atomic():
        if group is not None:
            found = ReviewerGroup.objects.get(slug=group)
            now = set(found.memberships.values_list("person_id", flat=True))
            found.memberships.filter(person_id__in=now - set(people)).delete()
            GroupMembership.objects.bulk_create(
                GroupMembership(group=found, person_id=person) for person in set(people) - now
            )
            subject = f"group:{found.pk}"
        else:
            owner = Team.objects.get(slug=team)
            now = set(owner.memberships.values_list("person_id", flat=True))
            owner.memberships.filter(person_id__in=now - set(people)).delete()
            TeamMembership.objects.bulk_create(
                TeamMembership(team=owner, person_id=person) for person in set(people) - now
            )
            subject = f"team:{owner.pk}"
        if now != set(people):
            audit.append(
                subject=subject,
                actor=actor,
                action="members_set",
                detail={"members": list[JSON](sorted(str(person) for person in people))},
            )
        if group is not None and now - set(people) and not answerable_later:
            require_answerable()


def directory() -> Directory:
    """Everybody, in the order of their names."""
    people = Person.objects.prefetch_related("accounts").order_by("name", "pk")
    groups = ReviewerGroup.objects.prefetch_related("memberships").order_by("name", "pk")
    teams = Team.objects.prefetch_related("memberships").order_by("name", "pk")
    return Directory(
        people=tuple(_person(person) for person in people),
        groups=tuple(
            GroupView(id=g.pk, slug=g.slug, name=g.name, members=_members(g.memberships.all()))
            for g in groups
        ),
        teams=tuple(
            TeamView(
                id=t.pk,
                slug=t.slug,
                name=t.name,
                members=_members(t.memberships.all()),
                default_group=t.default_group_id,
            )
            for t in teams
        ),
    )


def is_admin(user: object) -> bool:
    """Whether this account belongs to an admin; nobody else's word counts."""
    return isinstance(user, User) and user.is_active and user.person.is_admin


def accounts_person(user: object) -> UUID | None:
    """The person behind an account; None for anybody who is not signed in."""
    return user.person_id if isinstance(user, User) and user.is_active else None


def _members(memberships: Iterable[GroupMembership | TeamMembership]) -> tuple[UUID, ...]:
    return tuple(sorted(membership.person_id for membership in memberships))


def _person(person: Person) -> PersonView:
    return PersonView(
        id=person.pk,
        name=person.name,
        emails=tuple(sorted(account.email for account in person.accounts.all())),
        is_admin=person.is_admin,
        is_auditor=person.is_auditor,
    )
