"""Who may see which tickets. Every other selector starts from here.

A ticket is visible to its agent's team, to the groups named in its obligations, to the person
who owned the agent, to auditors and to admins.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from approvals.models import GroupMembership, Person, TeamMembership, Ticket


def sees_everything(person: Person) -> bool:
    """Admins and auditors; neither has a vote by it."""
    return person.is_admin or person.is_auditor


def tickets_visible_to(person: Person) -> QuerySet[Ticket]:
    """The tickets this person may see."""
    if sees_everything(person):
        return Ticket.objects.all()
    teams = TeamMembership.objects.filter(person=person, team=OuterRef("team"))
    groups = Ticket.groups.through.objects.filter(
        ticket=OuterRef("pk"),
        reviewergroup__in=GroupMembership.objects.filter(person=person).values("group"),
    )
    return Ticket.objects.filter(Exists(teams) | Exists(groups) | Q(person=person))


def may_see(person: Person, ticket: Ticket) -> bool:
    """Whether this person may see this ticket."""
    return tickets_visible_to(person).filter(pk=ticket.pk).exists()
