"""Who agreed to which terms of a permission, and whether they could do so today. Reads only.

A permission is worth no more than the approvals that it rests on. While the people who agreed to
its terms would not make up its ticket's quorum any more (they left the group, their account is
closed, the agent is theirs by now), it lets nothing through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from django.db.models import Prefetch

from approvals.domain.pins import Terms
from approvals.domain.quorum import resolve
from approvals.models import Decision, Grant, Ticket
from approvals.selectors.absence import seats_in
from approvals.selectors.votes import (
    People,
    as_votes,
    electorate_of,
    obligations_of,
    parties_of,
)

AGREEMENT: tuple[str | Prefetch[str], ...] = (
    "made_from",
    "made_from__edits",
    Prefetch(
        "made_from__decisions",
        Decision.objects.select_related("person", "terms").order_by("created_at", "pk"),
    ),
)
"""What has to be prefetched of permissions for `agreement_on` and `backed`."""


def agreed_terms(ticket: Ticket) -> dict[UUID, Terms]:
    """The terms that each person's newest approval of this revision agrees to."""
    approvals = Decision.objects.filter(ticket=ticket, revision=ticket.revision)
    return terms_in(approvals.select_related("terms").order_by("created_at", "id"))


def terms_in(decisions: Iterable[Decision]) -> dict[UUID, Terms]:
    """As `agreed_terms`, of votes that were read with their `terms`, oldest first."""
    found: dict[UUID, Terms] = {}
    for decision in decisions:
        agreed = getattr(decision, "terms", None)
        if agreed is not None:
            found[decision.person_id] = agreed.as_terms()
        else:
            found.pop(decision.person_id, None)
    return found


def agreement_on(grant: Grant) -> dict[UUID, str]:
    """Who agreed to the very terms of this permission, with their names; read with AGREEMENT."""
    decisions = _decisions(grant.made_from)
    agreed = terms_in(decisions)
    terms = agreed.get(grant.granted_by_id)
    names = {decision.person_id: decision.person.name for decision in decisions}
    return {who: names[who] for who, theirs in agreed.items() if theirs == terms}


def backed(
    grants: Collection[Grant], *, owners: Mapping[UUID, UUID | None], one_person: bool
) -> set[UUID]:
    """Those of these permissions whose people could give them now; two queries for all.

    `owners` are who owns the agents now, where that was asked. Read with AGREEMENT.
    """
    asked: dict[int, dict[UUID, str]] = {}
    rows = Ticket.groups.through.objects.filter(ticket__in=[g.made_from_id for g in grants])
    for ticket, group, slug in rows.values_list(
        "ticket_id", "reviewergroup_id", "reviewergroup__slug"
    ):
        asked.setdefault(ticket, {})[group] = slug
    seats = seats_in({group for groups in asked.values() for group in groups})
    return {
        grant.pk
        for grant in grants
        if _could_be_given(
            grant,
            electorate_of(
                obligations_of(grant.made_from), asked.get(grant.made_from_id, {}), seats
            ),
            owner_now=owners.get(grant.agent_id),
            one_person=one_person,
        )
    }


def _could_be_given(
    grant: Grant, eligible: People, *, owner_now: UUID | None, one_person: bool
) -> bool:
    ticket = grant.made_from
    votes = resolve(
        as_votes(_decisions(ticket)),
        obligations=obligations_of(ticket),
        digest=bytes(ticket.digest),
        eligible=eligible,
        parties=parties_of(ticket, owner_now=owner_now, one_person=one_person),
        among=agreement_on(grant),
    )
    return votes.state == "approved"


def _decisions(ticket: Ticket) -> list[Decision]:
    return [each for each in ticket.decisions.all() if each.revision == ticket.revision]
