"""Noting that somebody is to be told: the one function for every use case.

A notice is a row in the transaction of what happened, so that neither can be without the other.
Who hears of it, when and by which channel is found out by a worker; see `approvals.courier`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from approvals.domain.telling import Kind
from approvals.models import Notice, Ticket

MAX_OCCASION: Final = 80


def tell(
    *,
    kind: Kind,
    ticket: Ticket | None = None,
    people: Collection[UUID] = (),
    groups: Collection[UUID] = (),
    by: UUID | None = None,
    occasion: str = "",
) -> None:
    """Note that `people`, and the members of `groups`, are to be told. Joins.

    `kind` says whom it concerns beside them. `by` is the person whose act it was, who is not told.
    `occasion` is what happened (a comment's id, a term of absence…): the same kind of notice about
    the same revision of a ticket is one for each occasion, however often this is called.
    """
    note_all(
        [
            notice_of(
                kind=kind, ticket=ticket, people=people, groups=groups, by=by, occasion=occasion
            )
        ]
    )


def notice_of(
    *,
    kind: Kind,
    ticket: Ticket | None = None,
    people: Collection[UUID] = (),
    groups: Collection[UUID] = (),
    by: UUID | None = None,
    occasion: str = "",
) -> Notice:
    """The notice that `tell` would note, not stored."""
    if len(occasion) > MAX_OCCASION:
        raise ValueError(f"an occasion has at most {MAX_OCCASION} characters")
    about = f"{ticket.pk}.{ticket.revision}" if ticket is not None else "-"
    return Notice(
        key=f"{kind}:{about}:{occasion}",
        kind=kind,
        ticket=ticket,
        by_id=by,
        people=sorted(str(person) for person in people),
        groups=sorted(str(group) for group in groups),
    )


def note_all(notices: Iterable[Notice]) -> None:
    """Store those of the notices that nobody noted before, by one statement. Joins."""
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
