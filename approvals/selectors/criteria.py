"""What is wanted of the history as conditions on tickets, and the indexes that lead along them.

Names are looked up on the short list of the names that the reader's tickets carry, people among the
people; both as parts of the name, whatever its case.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Length

from approvals.domain.states import State
from approvals.models import Decision, KnownName, Person, TeamMembership, Ticket
from approvals.selectors.readers import Reviewer
from approvals.selectors.visibility import sees_everything
from approvals.selectors.walks import Walk, Walks
from approvals.selectors.wanted import Wanted

MOST_NAMES: Final = 20  # that one word may stand for

_COLUMNS: Final = {
    KnownName.Kind.AGENT.value: "agent_name",
    KnownName.Kind.UPSTREAM.value: "upstream_name",
    KnownName.Kind.TOOL.value: "tool_name",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """All conditions together, and the ways along the one that promises the fewest tickets.

    `left_off`: a word stands for more names than are looked for, as far as the reader may know.
    `nothing`: it stands for none at all.
    """

    condition: Q
    walks: Walks
    left_off: bool
    nothing: bool


@dataclass(frozen=True, slots=True)
class _One:
    """One condition and its walks; none where no index leads along it."""

    condition: Q
    walks: Walks = ()
    left_off: bool = False
    nothing: bool = False


def criteria_of(wanted: Wanted, who: Reviewer) -> Criteria:
    """The conditions of what is wanted, in at most three queries."""
    ordered = list(_all_of(wanted, who))
    return Criteria(
        condition=reduce(and_, (one.condition for one in ordered), Q()),
        walks=next((one.walks for one in ordered if one.walks), ()),
        left_off=any(one.left_off for one in ordered),
        nothing=any(one.nothing for one in ordered),
    )


def _all_of(wanted: Wanted, who: Reviewer) -> Iterable[_One]:
    """What was asked for, the most telling first."""
    if wanted.number is not None:
        yield _by("pk", [wanted.number])
    if wanted.reviewer:
        yield _decided_by(_people_called(wanted.reviewer, who))
    for kind, text in (("tool", wanted.tool), ("agent", wanted.agent)):
        if text:
            yield _by(_COLUMNS[kind], _names_like(text, who, kinds=[kind])[kind])
    if wanted.words:
        yield _named(wanted.words, who)
    if wanted.owner:
        yield _by("person_id", _people_called(wanted.owner, who))
    if wanted.upstream:
        kind = KnownName.Kind.UPSTREAM.value
        yield _by(_COLUMNS[kind], _names_like(wanted.upstream, who, kinds=[kind])[kind])
    if wanted.states and wanted.states != frozenset(State):
        yield _by("state", sorted(state.value for state in wanted.states))
    if wanted.risk:
        yield _One(Q(risk=wanted.risk))
    if wanted.since is not None:
        yield _One(Q(created_at__gte=wanted.since))
    if wanted.until is not None:
        yield _One(Q(created_at__lt=wanted.until))


def _by(column: str, values: list[str] | list[UUID] | list[int]) -> _One:
    """Tickets with one of these values."""
    kept = values[:MOST_NAMES]
    walks = tuple(Walk(Ticket.objects.filter(**{column: value})) for value in kept)
    return _One(Q(**{f"{column}__in": kept}), walks, len(values) > MOST_NAMES, not values)


def _decided_by(people: list[UUID]) -> _One:
    kept = people[:MOST_NAMES]
    votes = Decision.objects.filter(person__in=kept)
    walks = tuple(Walk(Decision.objects.filter(person=key), "ticket_id") for key in kept)
    condition = Q(pk__in=votes.values("ticket_id"))
    return _One(condition, walks, len(people) > MOST_NAMES, not people)


def _named(words: str, who: Reviewer) -> _One:
    """Tickets of which any name, or the owner's, holds these words."""
    names = _names_like(words, who, kinds=list(_COLUMNS))
    each = [_by(_COLUMNS[kind], found) for kind, found in names.items()]
    each.append(_by("person_id", _people_called(words, who)))
    condition = reduce(lambda one, other: one | other, (one.condition for one in each))
    return _One(
        condition,
        tuple(walk for one in each for walk in one.walks),
        any(one.left_off for one in each),
        all(one.nothing for one in each),
    )


def _names_like(text: str, who: Reviewer, *, kinds: list[str]) -> dict[str, list[str]]:
    """Names of each kind that hold this text; of too many the shortest, one more than are used.

    Only those of tickets that the reader has a reason to see: how many others there are, and
    which, is nothing that a search may tell.
    """
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    rows = KnownName.objects.filter(kind__in=kinds, folded__contains=text.casefold())
    if not sees_everything(who):
        rows = rows.filter(audience__in=[who.person.pk, *who.teams, *who.voting_groups])
    ordered = rows.annotate(size=Length("name")).order_by("size", "name")
    distinct = ordered.values_list("kind", "name", "size").distinct()
    for kind, name, _ in distinct[: (MOST_NAMES + 1) * len(kinds)]:
        found[kind].append(name)
    return found


def _people_called(text: str, who: Reviewer) -> list[UUID]:
    """People whose name holds this text or whose address it is, the reader's own teams first.

    One more than are used only for who sees everything: to others, how many people there are is
    nothing that a search may tell.
    """
    mates = TeamMembership.objects.filter(person=OuterRef("pk"), team__in=who.teams)
    rows = Person.objects.filter(Q(name__icontains=text) | Q(accounts__email=text.lower()))
    first = [Exists(mates).desc()] if who.teams else []  # PostgreSQL orders by no constant
    ordered = rows.order_by(*first, Length("name"), "pk").values_list("pk", flat=True)
    most = MOST_NAMES + 1 if sees_everything(who) else MOST_NAMES
    return list(dict.fromkeys(ordered[:most]))
