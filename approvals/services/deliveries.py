"""Notices on their way: addressed to channels, claimed by a worker, and settled.

Everything is decided by rows. A claim is a lease with a fence; whoever lost it settles nothing.
A worker that vanishes in the middle leaves its deliveries to the next one, except to chat
services, where the same message would be seen twice: those read "may have been told".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from approvals.domain.telling import (
    Habits,
    Kind,
    Moment,
    head_starts,
    try_again_after,
    when_to_tell,
)
from approvals.domain.wording import say
from approvals.models import (
    Channel,
    DatabaseNow,
    Delivery,
    Notice,
    Person,
    after_seconds,
    database_now,
)
from approvals.selectors import recipients
from approvals.services.channels import with_mail

ADDRESSED: Final = 50  # notices in one look
TOGETHER: Final = 50  # deliveries of one channel that become one message
MAX_WHY: Final = 200
LEASE_SECONDS: Final = 90.0  # longer than any carrier takes
ALONE: Final = frozenset({Channel.Sort.WEBHOOK})  # each event is a message of its own
NEVER_TWICE: Final = frozenset({Channel.Sort.CHAT})
VANISHED: Final = say("a worker vanished while it told")
SWITCHED_OFF: Final = say("the channel is switched off")


@dataclass(frozen=True, slots=True)
class Claimed:
    """Deliveries of one channel in one worker's hands."""

    channel: Channel
    deliveries: tuple[Delivery, ...]
    fences: dict[UUID, int]


def address(limit: int = ADDRESSED) -> int:
    """Find the channels of notices that nobody addressed yet; how many notices."""
    waiting = Notice.objects.filter(addressed_at__isnull=True).order_by("created_at")
    if not waiting.exists():  # on SQLite a transaction would take the only writer's place
        return 0
    with transaction.atomic():
        if connection.features.has_select_for_update_skip_locked:
            waiting = waiting.select_for_update(skip_locked=True, of=("self",))
        notices = list(waiting.select_related("ticket")[:limit])
        if notices:
            keys = [notice.pk for notice in notices]
            Notice.objects.filter(pk__in=keys).update(addressed_at=DatabaseNow())
            _address(notices)
        return len(notices)


def _address(notices: Sequence[Notice]) -> None:
    now, audience = database_now(), recipients.Audience(notices)
    ways: dict[UUID, list[Channel]] = {}
    deliveries: list[Delivery] = []
    for notice in notices:
        for person in audience.candidates(notice):
            if audience.why_not(notice, person):
                continue
            if person.pk not in ways:
                ways[person.pk] = with_mail(person)
            moment = _moment(notice, person, audience, now)
            deliveries += [
                Delivery(notice=notice, channel=channel, due_at=moment.at)
                for channel in ways[person.pk]
                if channel.urgent or not moment.urgent
            ]
        deliveries += [
            Delivery(notice=notice, channel=room, due_at=now) for room in audience.rooms(notice)
        ]
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)


def _moment(notice: Notice, person: Person, audience: recipients.Audience, now: datetime) -> Moment:
    """When this person is told: after those on call, and when it suits them."""
    ticket, start = notice.ticket, now
    if ticket is not None and notice.kind == Kind.NEEDS_YOU:
        remaining = ticket.approval_expires_at - now
        starts = head_starts(audience.watchmen(ticket, now=now), remaining=remaining)
        start += starts.get(person.pk, timedelta())
    deadline = ticket.approval_expires_at if ticket is not None else None
    habits = audience.listener(person).habits(person)
    return when_to_tell(Kind(notice.kind), habits, now=start, deadline=deadline)


def claim(limit: int = TOGETHER) -> Claimed | None:
    """Take what is due next, and with it whatever else is due for the same channel."""
    if not _due().exists():
        return None
    with transaction.atomic():
        rows = _due().order_by("due_at")
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True, of=("self",))
        first = rows.first()
        if first is None:
            return None
        channel = Channel.objects.select_related("person").get(pk=first.channel_id)
        alone = channel.sort in ALONE
        together = [first] if alone else list(rows.filter(channel=channel)[:limit])
        together = _without_seen_twice(channel, together)
        keys = [delivery.pk for delivery in together]
        Delivery.objects.filter(pk__in=keys).update(
            fence=F("fence") + 1,
            attempts=F("attempts") + 1,
            lease_until=after_seconds(LEASE_SECONDS),
        )
        held = list(
            Delivery.objects.filter(pk__in=keys)
            .select_related("notice", "notice__by", "notice__ticket")
            .order_by("notice__created_at", "pk")
        )
        return Claimed(
            channel=channel,
            deliveries=tuple(held),
            fences={delivery.pk: delivery.fence for delivery in held},
        )


def _without_seen_twice(channel: Channel, rows: Sequence[Delivery]) -> list[Delivery]:
    """Those that may be begun; what a vanished worker began for a chat service is over."""
    if channel.sort not in NEVER_TWICE:
        return list(rows)
    begun = [delivery.pk for delivery in rows if delivery.lease_until is not None]
    Delivery.objects.filter(pk__in=begun).update(
        state=Delivery.State.UNSURE, ended_at=DatabaseNow(), lease_until=None, why=VANISHED
    )
    return [delivery for delivery in rows if delivery.lease_until is None]


def still_to_tell(claimed: Claimed) -> list[Delivery]:
    """Those of the claimed deliveries that are still true and still theirs to know.

    The others are dropped, or put off when it has become quiet meanwhile.
    """
    channel, person, now = claimed.channel, claimed.channel.person, database_now()
    audience = recipients.Audience([delivery.notice for delivery in claimed.deliveries])
    told = []
    for delivery in claimed.deliveries:
        why = _why_not(delivery.notice, channel, audience)
        if why:
            drop(claimed, delivery, why=why)
            continue
        if person is not None:
            habits = audience.listener(person).habits(person)
            quiet = _quiet_until(delivery.notice, habits, channel, now)
            if quiet is not None:
                _put_off(claimed, delivery, until=quiet)
                continue
        told.append(delivery)
    return told


def _why_not(notice: Notice, channel: Channel, audience: recipients.Audience) -> str:
    if channel.removed_at is not None or not channel.enabled:
        return SWITCHED_OFF
    if channel.person is None:
        return audience.why_not_room(notice, channel)
    return audience.why_not(notice, channel.person)


def _quiet_until(
    notice: Notice, habits: Habits, channel: Channel, now: datetime
) -> datetime | None:
    """When this may be told, if it is quiet now."""
    deadline = notice.ticket.approval_expires_at if notice.ticket is not None else None
    without_digest = Habits(
        zone=habits.zone, quiet_from=habits.quiet_from, quiet_until=habits.quiet_until
    )
    moment = when_to_tell(Kind(notice.kind), without_digest, now=now, deadline=deadline)
    if moment.urgent:
        return None if channel.urgent else deadline
    return moment.at if moment.at > now else None


def told(claimed: Claimed, deliveries: Collection[Delivery]) -> None:
    """The message was taken."""
    with transaction.atomic():
        for fence in set(claimed.fences.values()):
            keys = [one.pk for one in deliveries if claimed.fences[one.pk] == fence]
            Delivery.objects.filter(pk__in=keys, fence=fence, ended_at__isnull=True).update(
                state=Delivery.State.TOLD, ended_at=DatabaseNow(), lease_until=None, why=""
            )
        Channel.objects.filter(pk=claimed.channel.pk).update(
            failures=0, failing_since=None, last_error="", told_at=DatabaseNow()
        )


def drop(claimed: Claimed, delivery: Delivery, *, why: str) -> None:
    """There is nothing to tell any more."""
    _end(claimed, delivery, Delivery.State.DROPPED, why=why)


def failed(claimed: Claimed, deliveries: Collection[Delivery], *, why: str, never: bool) -> None:
    """The message was not taken: try again later, unless `never` or often enough."""
    why = str(why)[:MAX_WHY]  # plain text, whatever sentence it was made of
    with transaction.atomic():
        for delivery in deliveries:
            seconds = None if never else try_again_after(delivery.attempts)
            if seconds is None:
                _end(claimed, delivery, Delivery.State.FAILED, why=why)
            else:
                _mine(claimed, delivery).update(
                    due_at=after_seconds(seconds), lease_until=None, why=why
                )
        channels = Channel.objects.filter(pk=claimed.channel.pk)
        channels.filter(failing_since__isnull=True).update(failing_since=DatabaseNow())
        channels.update(failures=F("failures") + 1, last_error=why)


def retry(*, delivery_id: UUID) -> bool:
    """Try a failed delivery again from the start; False: it had not failed."""
    over = Delivery.objects.filter(
        pk=delivery_id,
        state__in=(Delivery.State.FAILED, Delivery.State.UNSURE),
        channel__removed_at__isnull=True,
    )
    return bool(
        over.update(
            state=Delivery.State.WAITING, ended_at=None, attempts=0, due_at=DatabaseNow(), why=""
        )
    )


def forget_older_than(*, days: float) -> int:
    """Delete notices, with their deliveries, that are older; how many."""
    old = Notice.objects.filter(created_at__lt=database_now() - timedelta(days=days))
    keys = list(old.order_by("created_at").values_list("pk", flat=True)[:500])
    Notice.objects.filter(pk__in=keys).delete()
    return len(keys)


def _due() -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=DatabaseNow()),
        ended_at__isnull=True,
        due_at__lte=DatabaseNow(),
    )


def _mine(claimed: Claimed, delivery: Delivery) -> QuerySet[Delivery]:
    """The delivery while it is in this worker's hands."""
    return Delivery.objects.filter(
        pk=delivery.pk, fence=claimed.fences[delivery.pk], ended_at__isnull=True
    )


def _end(claimed: Claimed, delivery: Delivery, state: Delivery.State, *, why: str = "") -> None:
    _mine(claimed, delivery).update(
        state=state, ended_at=DatabaseNow(), lease_until=None, why=str(why)[:MAX_WHY]
    )


def _put_off(claimed: Claimed, delivery: Delivery, *, until: datetime) -> None:
    """It is quiet: nothing was tried, so the attempt does not count."""
    _mine(claimed, delivery).update(due_at=until, lease_until=None, attempts=F("attempts") - 1)
