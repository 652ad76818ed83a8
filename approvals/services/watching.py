"""Noticing what becomes of tickets, from their rows alone.

Every worker looks once a second. A ticket is watched from the moment a look finds it until what
became of it was noticed; each step is one compare-and-swap on its watch together with the notice,
so that several workers notice everything once, and a message that was lost means nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, QuerySet

from approvals.domain.states import State
from approvals.domain.telling import Kind, half_time
from approvals.models import DatabaseNow, Lookout, Snooze, Ticket, Watch, database_now
from approvals.services.notifications import note_all, notice_of, tell

BATCH: Final = 200  # tickets in one look
SLACK: Final = 500  # tickets back: one that opened earlier may be committed later
SETTLED: Final = timedelta(seconds=60)  # after that long no earlier ticket appears any more
STALE: Final = timedelta(hours=24)  # what ended longer ago is no news


def watch(limit: int = BATCH) -> int:
    """Notice what is new, at most `limit` tickets of each sort; how many were looked at."""
    found = _begin(limit)
    changed = list(_changed()[:limit])
    for seen in changed:
        _look_again(seen)
    due = list(_at_half_time()[:limit])
    for seen in due:
        _remind(seen)
    back = list(_back()[:limit])
    for snooze in back:
        _bring_back(snooze)
    return found + len(changed) + len(due) + len(back)


def _begin(limit: int) -> int:
    """Watch tickets that no look has found yet."""
    reached = _reached()
    unseen = (
        Ticket.objects.filter(pk__gt=reached - SLACK)
        .filter(~Exists(Watch.objects.filter(ticket=OuterRef("pk"))))
        .order_by("pk")
    )
    tickets = list(unseen[:limit])
    if not tickets and not Ticket.objects.filter(pk__gt=reached).exists():
        return 0
    news = database_now() - STALE
    with transaction.atomic():  # whoever else found them notices the same, once
        Watch.objects.bulk_create(map(_watch_over, tickets), ignore_conflicts=True)
        note_all(
            notice_of(kind=kind, ticket=ticket)
            for ticket in tickets
            if (ticket.ended_at is None or ticket.ended_at > news)
            and (kind := _news(ticket)) is not None
        )
    _advance(reached, full=len(tickets) == limit, last=tickets[-1].pk if tickets else 0)
    return len(tickets)


def _watch_over(ticket: Ticket) -> Watch:
    return Watch(
        ticket=ticket,
        version=ticket.version,
        revision=ticket.revision,
        half_time=half_time(ticket.created_at, ticket.approval_expires_at),
        over=ticket.ended_at is not None,
    )


def _reached() -> int:
    """Up to which ticket everything is watched; the first look skips what is long over."""
    found = Lookout.objects.filter(pk=1).values_list("reached", flat=True).first()
    if found is not None:
        return found
    oldest = Ticket.objects.filter(ended_at__isnull=True).aggregate(first=Min("pk"))["first"]
    newest = Ticket.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    start = (oldest - 1 if oldest is not None else newest) + SLACK
    Lookout.objects.bulk_create([Lookout(pk=1, reached=start)], ignore_conflicts=True)
    return start


def _advance(reached: int, *, full: bool, last: int) -> None:
    """Move on to the newest ticket before which none can appear, and forget watches behind it."""
    if full:
        target = last
    else:
        settled = Ticket.objects.filter(created_at__lt=database_now() - SETTLED, pk__gt=reached)
        target = settled.order_by("-pk").values_list("pk", flat=True).first() or reached
    if target <= reached:
        return
    Lookout.objects.filter(pk=1, reached=reached).update(reached=target)
    Watch.objects.filter(over=True, ticket_id__lte=target - SLACK).delete()


def _changed() -> QuerySet[Watch]:
    """Watches whose ticket changed since the last look."""
    return (
        Watch.objects.filter(over=False, ticket__version__gt=F("version"))
        .select_related("ticket")
        .order_by("ticket_id")
    )


def _at_half_time() -> QuerySet[Watch]:
    """Undecided tickets half of whose time is over."""
    return (
        Watch.objects.filter(
            over=False,
            reminded=False,
            half_time__lte=DatabaseNow(),
            ticket__state=State.PENDING,
            ticket__approval_expires_at__gt=DatabaseNow(),
        )
        .select_related("ticket")
        .order_by("ticket_id")
    )


def _look_again(seen: Watch) -> None:
    ticket = seen.ticket
    changes: dict[str, object] = {
        "version": ticket.version,
        "revision": ticket.revision,
        "over": ticket.ended_at is not None,
    }
    if ticket.revision != seen.revision:  # everybody is asked anew
        changes |= {
            "half_time": half_time(database_now(), ticket.approval_expires_at),
            "reminded": False,
        }
    with transaction.atomic():
        if Watch.objects.filter(pk=seen.pk, version=seen.version).update(**changes):
            kind = _news(ticket)
            if kind is not None:
                tell(kind=kind, ticket=ticket)


def _remind(seen: Watch) -> None:
    with transaction.atomic():
        mine = Watch.objects.filter(pk=seen.pk, reminded=False, revision=seen.ticket.revision)
        if mine.update(reminded=True):
            tell(kind=Kind.REMINDER, ticket=seen.ticket)


def _back() -> QuerySet[Snooze]:
    """What people had put away until now, whatever became of it."""
    over = Snooze.objects.filter(noticed=False, until__lte=DatabaseNow())
    return over.select_related("ticket").order_by("until", "pk")


def _bring_back(snooze: Snooze) -> None:
    """Tell whoever put the ticket away; after an edit everybody was asked anew instead."""
    ticket = snooze.ticket
    with transaction.atomic():
        mine = Snooze.objects.filter(pk=snooze.pk, noticed=False, until=snooze.until)
        if not mine.update(noticed=True):
            return
        if ticket.state == State.PENDING and ticket.revision == snooze.revision:
            tell(
                kind=Kind.RETURNED,
                ticket=ticket,
                people=[snooze.person_id],
                occasion=f"{snooze.person_id} {snooze.until.isoformat()}",
            )


def _news(ticket: Ticket) -> Kind | None:
    """What the state of a ticket has to say."""
    if ticket.state == State.PENDING:
        return Kind.NEEDS_YOU
    if ticket.state == State.OUTCOME_UNKNOWN:
        return Kind.UNKNOWN
    return Kind.ENDED if ticket.ended_at is not None and ticket.grant_id is None else None
