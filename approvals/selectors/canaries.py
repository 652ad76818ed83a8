"""Tests that were seeded: what they were, and what each reviewer did about them. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Prefetch, Q

from approvals.audit import canary_subject
from approvals.models import Canary, Decision, Person, Ticket

PAGE: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """A test with the one vote that ended it, if somebody voted."""

    canary: Canary
    vote: Decision | None


def canaries_page(viewer: Person, *, before: int | None) -> tuple[list[Seeded], int | None]:
    """A page of tests, newest first, and the key of the page that follows. For admins only.

    Of those that can still be decided only the viewer's own.
    """
    rows = (
        Canary.objects.exclude(_untold(viewer))
        .select_related("ticket", "ticket__arguments", "ticket__team", "seeded_by")
        .prefetch_related(
            Prefetch(
                "ticket__decisions",
                Decision.objects.select_related("person").order_by("created_at", "pk"),
            )
        )
    )
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = [
        Seeded(canary=row, vote=_last(list(row.ticket.decisions.all())))
        for row in rows.order_by("-pk")[: PAGE + 1]
    ]
    return found[:PAGE], found[PAGE - 1].canary.pk if len(found) > PAGE else None


def untold(viewer: Person) -> list[str]:
    """The audit chains of tests that this person must not know of yet.

    Whoever did not seed it: an admin may join the group that is asked, or stand in for a member,
    at any moment until the test is over.
    """
    waiting = Canary.objects.filter(_untold(viewer)).values_list("ticket__uid", flat=True)
    return [canary_subject(uid) for uid in waiting]


def _untold(viewer: Person) -> Q:
    return Q(ticket__ended_at__isnull=True) & ~Q(seeded_by=viewer)


def revealed(ticket: Ticket) -> Canary | None:
    """The test that a ticket was; None while it can still be decided."""
    if ticket.ended_at is None:
        return None
    return Canary.objects.filter(ticket=ticket).first()


def _last(votes: Sequence[Decision]) -> Decision | None:
    """The newest vote that was not taken back."""
    return next((vote for vote in reversed(votes) if vote.verdict != "withdraw"), None)
