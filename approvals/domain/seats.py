"""Which approvals fill which seats, where each group owes approvals of its own.

Everybody fills one seat at most, whatever groups they are in, and so does everybody who is away:
whoever stands in for them takes their seat, not another one. Pure; knows no votes.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from approvals.domain.obligations import Seats

type PersonId = Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """A vote that a person may cast: their own, or that of `holder`, who is away.

    `group` None may fill any group's seat; the empty name fills none, and counts only where any
    member of any group will do.
    """

    holder: PersonId
    group: str | None = ""


type Electorate = Mapping[Any, Collection[Mandate]]  # by person; a mapping is strict in its keys


def mandates_to(mandates: Iterable[Mandate]) -> list[list[str | None]]:
    """The stored form; `mandates_from` reads it back."""
    return [[str(mandate.holder), mandate.group] for mandate in mandates]


def mandates_from(stored: Iterable[tuple[str, str | None]]) -> tuple[Mandate, ...]:
    """Mandates as `mandates_to` wrote them; raises ValueError and TypeError."""
    return tuple(Mandate(holder=UUID(holder), group=group) for holder, group in stored)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """How many of a group's approvals are there."""

    group: str
    have: int
    need: int

    @property
    def missing(self) -> int:
        """How many are still to come."""
        return self.need - self.have


def electorate(people: Electorate | Collection[PersonId]) -> Electorate:
    """People with their mandates; of those named without any, each has a vote of their own."""
    if isinstance(people, Mapping):
        return people
    return {person: (Mandate(holder=person),) for person in people}


def counting(
    people: Iterable[PersonId],
    eligible: Electorate,
    *,
    excluded: Collection[PersonId],
    voted: Collection[PersonId],
) -> dict[PersonId, tuple[Mandate, ...]]:
    """Those of `people`, in their order, whose approval counts, and by which mandates.

    Somebody else's vote counts only while they have not voted themselves, may approve, and
    nobody else has cast it.
    """
    found: dict[PersonId, tuple[Mandate, ...]] = {}
    cast_by: dict[PersonId, PersonId] = {}
    for person in people:
        if person in excluded:
            continue
        mandates = tuple(
            mandate
            for mandate in eligible.get(person, ())
            if mandate.holder == person
            or (
                mandate.holder not in excluded
                and mandate.holder not in voted
                and cast_by.get(mandate.holder, person) == person
            )
        )
        if mandates:
            found[person] = mandates
            cast_by.update({mandate.holder: person for mandate in mandates})
    return found


def fill(people: Electorate, seats: Collection[Seats]) -> list[Filled]:
    """As many seats as these people can fill together, one each; earlier people first.

    A maximum matching: somebody in two groups moves over where that lets another one in.
    """
    places = [(each.group, number) for each in seats for number in range(each.need)]
    taken: dict[tuple[str, int], PersonId] = {}

    def seat(person: PersonId, tried: set[tuple[str, int]]) -> bool:
        groups = {mandate.group for mandate in people[person]}
        for place in places:
            if place in tried or not (None in groups or place[0] in groups):
                continue
            tried.add(place)
            if place not in taken or seat(taken[place], tried):
                taken[place] = person
                return True
        return False

    for person in people:
        seat(person, set())
    have = [group for group, _ in taken]
    return [Filled(group=s.group, have=have.count(s.group), need=s.need) for s in seats]
