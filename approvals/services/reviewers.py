"""Which reviewers a new ticket asks, and whether they could ever say yes. Reads only."""

from __future__ import annotations

from dataclasses import replace

from approvals import conf, ports
from approvals.domain.errors import PolicyInvalid, QuorumUnreachable
from approvals.domain.obligations import Obligations
from approvals.domain.quorum import barred, reachable
from approvals.models import Person, ReviewerGroup, Team, Ticket
from approvals.selectors.votes import parties_of
from approvals.services.contract import Submission


def who_decides(
    call: Submission | Ticket, obligations: Obligations
) -> tuple[list[ReviewerGroup], Obligations]:
    """The groups that decide, and the obligations that name them.

    Raises PolicyInvalid for a group that is gone, QuorumUnreachable for a team without a group.
    """
    if not obligations.groups:
        team = Team.objects.select_related("default_group").get(pk=call.team_id)
        if team.default_group is None:
            raise QuorumUnreachable(
                f"team {team.slug} has no reviewer group, so nobody could approve this call"
            )
        group = team.default_group
        return [group], replace(obligations, groups=(group.slug,))
    groups = list(ReviewerGroup.objects.filter(slug__in=obligations.groups))
    gone = set(obligations.groups) - {group.slug for group in groups}
    if gone:
        raise PolicyInvalid(f"the policy names {min(gone)!r}, which is no reviewer group")
    return groups, obligations


def require_reachable(
    ticket: Ticket, groups: list[ReviewerGroup], obligations: Obligations
) -> None:
    """Ask nobody for what nobody could give; raises QuorumUnreachable."""
    people = Person.objects.filter(
        group_memberships__group__in=groups, accounts__is_active=True
    ).values_list("pk", flat=True)
    parties = parties_of(
        ticket,
        owner_now=ports.owner_of_agent(ticket.agent_id),
        one_person=conf.one_person(),
    )
    if not reachable(set(people), obligations, barred(parties, obligations)):
        raise QuorumUnreachable(
            f"this call needs {obligations.quorum} of {', '.join(g.slug for g in groups)}, and"
            " without the agent's owner there are fewer",
            need=obligations.quorum,
        )
