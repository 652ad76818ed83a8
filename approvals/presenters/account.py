"""A person's own account: names, memberships, roles, and how pages are shown to them, in words."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext

from approvals.domain.locality import zone_names
from approvals.models import User
from approvals.presenters.choices import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """The whole page."""

    name: str
    email: str
    groups: tuple[str, ...]
    teams: tuple[str, ...]
    roles: tuple[str, ...]
    languages: tuple[Choice, ...]
    zones: tuple[Choice, ...]
    problem: str


def present_account(user: User, *, problem: str = "") -> AccountPage:
    """The page for one account; `problem` says why a choice was not kept."""
    person = user.person
    roles = []
    if person.is_admin:
        roles.append(
            gettext("Administrator: configures everything and sees everything. Gives no vote.")
        )
    if person.is_auditor:
        roles.append(gettext("Auditor: sees everything and changes nothing."))
    languages = [("", gettext("As the browser asks")), *settings.LANGUAGES]
    zones = [("", gettext("The browser's, or UTC")), *((name, name) for name in zone_names())]
    return AccountPage(
        name=person.name,
        email=user.email,
        groups=tuple(person.reviewer_groups.order_by("name").values_list("name", flat=True)),
        teams=tuple(person.teams.order_by("name").values_list("name", flat=True)),
        roles=tuple(roles),
        languages=_choices(languages, person.language),
        zones=_choices(zones, person.time_zone),
        problem=problem,
    )


def _choices(listed: list[tuple[str, str]], chosen: str) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=value, words=words, chosen=value == chosen) for value, words in listed
    )
