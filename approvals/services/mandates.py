"""Recording by which mandate a vote counted, where that cannot be told from who voted alone."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from approvals.domain.seats import Mandate, mandates_to
from approvals.models import Decision, VoteMandate


def record_mandates(decision: Decision, mandates: Collection[Mandate]) -> list[VoteMandate]:
    """The row that belongs to this vote; none where it needs none. Joins."""
    if not mandates:
        return []
    holders = [mandate.holder for mandate in mandates if isinstance(mandate.holder, UUID)]
    row = VoteMandate.objects.create(
        decision=decision,
        ticket_id=decision.ticket_id,
        mandates=mandates_to(mandates),
        stands_in_for_id=None if decision.person_id in holders else holders[0],
    )
    return [row]
