"""A person's own account: names, memberships and roles, in words."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext

from approvals.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """The whole page."""

    name: str
    email: str
    groups: tuple[str, ...]
    teams: tuple[str, ...]
    roles: tuple[str, ...]


def present_account(user: User) -> AccountPage:
    """The page for one account."""
    person = user.person
    roles = []
    if person.is_admin:
        roles.append(
            gettext("Administrator: configures everything and sees everything. Gives no vote.")
        )
    if person.is_auditor:
        roles.append(gettext("Auditor: sees everything and changes nothing."))
    return AccountPage(
        name=person.name,
        email=user.email,
        groups=tuple(person.reviewer_groups.order_by("name").values_list("name", flat=True)),
        teams=tuple(person.teams.order_by("name").values_list("name", flat=True)),
        roles=tuple(roles),
    )
