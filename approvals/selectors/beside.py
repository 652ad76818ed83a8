"""What stands in an inbox by itself: questions to a person, what they were handed or put away.

Reads only. What is listed here is left out of the groups that go on for pages.
"""

from __future__ import annotations

from django.db.models import Exists, Q, QuerySet

from approvals.models import Ticket
from approvals.selectors.conversation import asks_open
from approvals.selectors.counting import PENDING, is_asked, is_awaited, needing
from approvals.selectors.handover import handed_to
from approvals.selectors.readers import Reviewer
from approvals.selectors.snoozing import put_away


def handed(who: Reviewer) -> QuerySet[Ticket]:
    """What needs this person because somebody handed it to them."""
    return Ticket.objects.filter(PENDING, is_awaited(who), handed_to(who.person.pk, who.groups))


def snoozed(who: Reviewer) -> QuerySet[Ticket]:
    """What this person is asked about and has put away for now."""
    return Ticket.objects.filter(PENDING, is_asked(who), Exists(put_away(who.person.pk)))


def needing_plainly(who: Reviewer) -> tuple[QuerySet[Ticket], QuerySet[Ticket]]:
    """What needs this person and does not stand by itself as handed to them."""
    unresolved, pending = needing(who)
    return unresolved, pending.exclude(handed_to(who.person.pk, who.groups))


def is_listed(who: Reviewer) -> Q:
    """Of tickets that wait for others: those that this person finds among the put away or asked."""
    return Q(Exists(put_away(who.person.pk))) & is_asked(who) | asks_open(who.person.pk)
