"""Who looks: a person with their teams and the groups that they vote in, read once for a page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from approvals.models import Person
from approvals.selectors.absence import teams_and_votes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """A person with the groups that they vote in; `one_person` as for a vote.

    `lent` are the groups in which they have the vote of somebody who is away, by that person.
    """

    person: Person
    groups: tuple[UUID, ...]
    lent: Mapping[UUID, Collection[UUID]]
    teams: tuple[UUID, ...]
    one_person: bool

    @property
    def voting_groups(self) -> tuple[UUID, ...]:
        """Every group in which they can cast a vote, their own or one lent to them."""
        lent = {group for groups in self.lent.values() for group in groups}
        return (*self.groups, *sorted(lent.difference(self.groups)))


type Reader = Person | Reviewer
"""Who sees something: a person as the rows say, or one whose teams and groups were read before."""


def person_of(reader: Reader) -> Person:
    """The person who looks."""
    return reader.person if isinstance(reader, Reviewer) else reader


def reviewer(person: Person, *, one_person: bool) -> Reviewer:
    """Whom tickets are waiting for, with their teams and groups of today; one query.

    Without an account that can sign in they have no groups.
    """
    teams, votes = teams_and_votes(person)
    lent: dict[UUID, set[UUID]] = {}
    for holder, group in votes:
        if holder != person.pk:
            lent.setdefault(holder, set()).add(group)
    return Reviewer(
        person=person,
        groups=tuple(sorted(group for holder, group in votes if holder == person.pk)),
        lent=lent,
        teams=tuple(sorted(teams)),
        one_person=one_person,
    )
