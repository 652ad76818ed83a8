"""Putting a ticket away for a while: it leaves one person's list, comes back and says so.

Nobody else notices, and nothing of the ticket changes; hence no audit row.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from approvals.domain.errors import NotEligible, SnoozeTooLong
from approvals.domain.locality import zone_of
from approvals.domain.snoozing import Choice, choices
from approvals.models import Snooze, User, database_now
from approvals.selectors.votes import eligible_people
from approvals.services.ballots import require_pending
from approvals.services.tickets import visible


def snooze(*, uid: UUID, user: User, choice: Choice) -> None:
    """Put a pending ticket away until a time before its deadline.

    Raises NotVisible, NotEligible (it is in no list of theirs), AlreadyDecided, SnoozeTooLong.
    """
    with transaction.atomic(durable=True):
        ticket = visible(uid, user)
        require_pending(ticket)
        if user.person_id not in eligible_people(ticket):
            raise NotEligible
        offered = choices(
            now=database_now(),
            deadline=ticket.approval_expires_at,
            zone=zone_of(user.person.time_zone),
        )
        if choice not in offered:
            raise SnoozeTooLong
        Snooze.objects.update_or_create(
            ticket=ticket,
            person_id=user.person_id,
            defaults={
                "until": offered[choice],
                "revision": ticket.revision,
                "noticed": False,
            },
        )


def wake(*, uid: UUID, user: User) -> None:
    """Take a ticket back into one's list now. Raises NotVisible."""
    with transaction.atomic(durable=True):
        ticket = visible(uid, user)
        Snooze.objects.filter(ticket=ticket, person_id=user.person_id).delete()
