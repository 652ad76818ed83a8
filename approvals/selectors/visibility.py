"""Who may see which tickets. Every other selector starts from here.

A ticket is visible to its agent's team, to the groups named in its obligations (and to whoever
stands in for one of their members), to the person who owned the agent, to auditors and to admins.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from approvals.models import Person, TeamMembership, Ticket
from approvals.selectors.absence import voting_groups
from approvals.selectors.readers import Reader, Reviewer, person_of

Asked = Ticket.groups.through  # which ticket asks which group


def sees_everything(reader: Reader) -> bool:
    """Admins and auditors; neither has a vote by it."""
    person = person_of(reader)
    return person.is_admin or person.is_auditor


def tickets_visible_to(reader: Reader) -> QuerySet[Ticket]:
    """The tickets this person may see."""
    return Ticket.objects.filter(is_visible_to(reader))


def is_visible_to(reader: Reader) -> Q:
    """The condition on tickets that this person may see them."""
    if sees_everything(reader):
        return Q()
    if isinstance(reader, Reviewer):
        asked = is_asked_of(reader.voting_groups)
        return Q(team__in=reader.teams) | asked | Q(person=reader.person)
    teams = TeamMembership.objects.filter(person=reader).values("team")
    return Q(team__in=teams) | is_asked_of(voting_groups(reader)) | Q(person=reader)


def is_asked_of(groups: Collection[UUID] | QuerySet[Any]) -> Q:
    """The condition on tickets that one of these groups is asked."""
    return Q(IsNull(asked_of(groups), False))  # noqa: FBT003 (the lookup's right-hand side)


def asked_of(groups: Collection[UUID] | QuerySet[Any]) -> Subquery:
    """An expression over tickets that is NULL where none of these groups is asked.

    One value of one row, and no EXISTS: that may be turned into a join with every ticket that
    was ever asked of the groups, where this is a look into an index for each ticket met.
    """
    asked = Asked.objects.filter(ticket=OuterRef("pk"), reviewergroup__in=groups)
    return Subquery(asked.values("ticket_id")[:1])


def may_see(person: Person, ticket: Ticket) -> bool:
    """Whether this person may see this ticket."""
    return tickets_visible_to(person).filter(pk=ticket.pk).exists()
