"""Which reviewers a new ticket asks, and whether they could ever say yes. Reads only."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import reduce
from typing import Final
from uuid import UUID

from approvals import conf, ports
from approvals.domain.errors import PolicyInvalid, QuorumUnreachable
from approvals.domain.obligations import Obligations
from approvals.domain.quorum import barred, reachable
from approvals.domain.wording import Sentence, say
from approvals.models import ReviewerGroup, Team, Ticket, plain
from approvals.selectors.absence import away_beyond, seats_in
from approvals.selectors.votes import electorate_of, parties_of
from approvals.services.contract import Submission

REMEMBERED: Final = 1000
REMEMBERED_SECONDS: Final = 1.0

_reached: dict[object, float] = {}  # who could be reached, and until when that is believed


def who_decides(
    call: Submission | Ticket, obligations: Obligations
) -> tuple[list[ReviewerGroup], Obligations]:
    """The groups that decide, and the obligations that name them.

    Raises PolicyInvalid for a group that is gone, QuorumUnreachable for a team without a group.
    """
    if not obligations.groups:
        group = _default_group(call.team_id)
        escalate = obligations.escalate
        if escalate is not None and escalate.to == group.slug:
            escalate = None  # whom it would ask is asked from the beginning
        return [group], replace(obligations, groups=(group.slug,), escalate=escalate)
    groups = list(ReviewerGroup.objects.filter(slug__in=obligations.groups))
    gone = set(obligations.groups) - {group.slug for group in groups}
    if gone:
        raise PolicyInvalid(f"the policy names {min(gone)!r}, which is no reviewer group")
    return groups, obligations


def _default_group(team_id: UUID) -> ReviewerGroup:
    """The group that decides for a team; by a plain statement, since most calls need it."""
    group, team = "approvals_reviewergroup", "approvals_team"
    found = plain.one(
        f"SELECT {group}.id, {group}.slug, {group}.name, {team}.slug FROM {team}"  # noqa: S608 (ours)
        f" LEFT JOIN {group} ON {group}.id = {team}.default_group_id WHERE {team}.id = %s",
        team_id,
    )
    if found is None:
        raise Team.DoesNotExist(f"team {team_id}")
    key, slug, name, of = found
    if key is None:
        raise QuorumUnreachable(
            say("team {team} has no reviewer group, so nobody could approve this call", team=of)
        )
    return ReviewerGroup(pk=key if isinstance(key, UUID) else UUID(key), slug=slug, name=name)


def require_reachable(
    ticket: Ticket, groups: list[ReviewerGroup], obligations: Obligations
) -> None:
    """Ask nobody for what nobody could give; raises QuorumUnreachable.

    Who is asked later counts, and so does who stands in for somebody; who is away until after the
    deadline does not. That somebody could is remembered for a second: it spares thousands of calls
    of one agent the same look, and decides nothing. An edited call has authors of its own, and is
    looked at.
    """
    if ticket.revision > 1:
        _look(ticket, groups, obligations)
        return
    key = (ticket.agent_id, ticket.person_id, obligations, conf.one_person())
    now = time.monotonic()
    if _reached.get(key, 0.0) > now:
        return
    _look(ticket, groups, obligations)
    if len(_reached) >= REMEMBERED:
        _reached.clear()
    _reached[key] = now + REMEMBERED_SECONDS


def _look(ticket: Ticket, groups: list[ReviewerGroup], obligations: Obligations) -> None:
    asked = {group.pk: group.slug for group in groups}
    if obligations.escalate is not None:
        later = ReviewerGroup.objects.filter(slug=obligations.escalate.to)
        asked |= dict(later.values_list("pk", "slug"))
    people = electorate_of(obligations, asked, seats_in(asked))
    for person in away_beyond(people, seconds=obligations.approval_seconds):
        del people[person]
    parties = parties_of(
        ticket,
        owner_now=ports.owner_of_agent(ticket.agent_id),
        one_person=conf.one_person(),
    )
    if not reachable(people, obligations, barred(parties, obligations)):
        raise QuorumUnreachable(
            say(
                "this call needs {approvals}, and without the agent's owner and whoever is away"
                " there are fewer",
                approvals=_needed(obligations, groups),
            ),
            need=obligations.quorum,
        )


def _needed(obligations: Obligations, groups: list[ReviewerGroup]) -> Sentence:
    if not obligations.quorums:
        return _of(obligations.quorum, ", ".join(group.slug for group in groups))
    return reduce(
        lambda one, other: say("{one} and {other}", one=one, other=other),
        [_of(seats.need, seats.group) for seats in obligations.quorums],
    )


def _of(need: int, group: str) -> Sentence:
    return say("{need} of {group}", need=need, group=group)
