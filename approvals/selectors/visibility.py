"""Who may see which tickets. Every other selector starts from here.

A ticket is visible to its agent's team, to the groups named in its obligations, to the person
who owned the agent, to auditors and to admins.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from approvals.models import GroupMembership, Person, TeamMembership, Ticket

Asked = Ticket.groups.through  # which ticket asks which group
SLACK: Final = 50  # tickets that may open in the same moment


def sees_everything(person: Person) -> bool:
    """Admins and auditors; neither has a vote by it."""
    return person.is_admin or person.is_auditor


def tickets_visible_to(person: Person) -> QuerySet[Ticket]:
    """The tickets this person may see."""
    if sees_everything(person):
        return Ticket.objects.all()
    teams = TeamMembership.objects.filter(person=person, team=OuterRef("team"))
    groups = Asked.objects.filter(
        ticket=OuterRef("pk"),
        reviewergroup__in=GroupMembership.objects.filter(person=person).values("group"),
    )
    return Ticket.objects.filter(Exists(teams) | Exists(groups) | Q(person=person))


def newest_visible_to(
    person: Person, *, before: int | None, limit: int, **conditions: object
) -> QuerySet[Ticket]:
    """At most `limit` visible tickets that meet the conditions, newest first, before a key.

    Each reason to see a ticket is looked up by itself along an index, newest first and bounded,
    so that whoever sees few of many tickets does not wait for a look at all of them.
    """
    if before is not None:
        conditions["pk__lt"] = before
    newest = Ticket.objects.filter(**conditions).order_by("-pk")
    if sees_everything(person):
        return newest[:limit]
    seen = Q(pk__in=newest.filter(person=person).values("pk")[:limit])
    for team in TeamMembership.objects.filter(person=person).values_list("team_id", flat=True):
        seen |= Q(pk__in=newest.filter(team_id=team).values("pk")[:limit])
    for group in GroupMembership.objects.filter(person=person).values_list("group_id", flat=True):
        asked = _newest_asked(group, before=before, conditions=conditions)
        seen |= Q(pk__in=asked.values("ticket_id")[: limit + SLACK])
    return newest.filter(seen)[:limit]


def _newest_asked(
    group: UUID, *, before: int | None, conditions: dict[str, object]
) -> QuerySet[Any]:
    """The rows that say that this group was asked, newest first by their own key.

    Their keys grow as the tickets' do, except among tickets that opened in the same moment.
    """
    asked = Asked.objects.filter(
        reviewergroup_id=group, **{f"ticket__{name}": value for name, value in conditions.items()}
    )
    if before is not None:
        last = Asked.objects.filter(ticket_id=before).aggregate(last=Max("id"))["last"]
        if last is not None:
            asked = asked.filter(id__lte=last + SLACK)
    return asked.order_by("-id")


def may_see(person: Person, ticket: Ticket) -> bool:
    """Whether this person may see this ticket."""
    return tickets_visible_to(person).filter(pk=ticket.pk).exists()
