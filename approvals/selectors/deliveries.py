"""What pages say of channels and deliveries; the same number of queries whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from approvals.domain.telling import Kind
from approvals.models import Channel, Delivery, Person

PAGE: Final = 50
TRIED: Final = 200  # tests that are looked at


@dataclass(frozen=True, slots=True)
class Reach:
    """A channel, and what came of its last test, if there was one."""

    channel: Channel
    test: Delivery | None


def channels_of(person: Person) -> list[Reach]:
    """The channels of a person, the oldest first; mail is one of them before its first use."""
    found = Channel.objects.filter(person=person, removed_at__isnull=True)
    reached = _with_tests(found.select_related("person"))
    if any(reach.channel.sort == Channel.Sort.MAIL for reach in reached):
        return reached
    return [Reach(channel=unused_mail(person), test=None), *reached]


def unused_mail(person: Person) -> Channel:
    """The person's mail as it is before its first use, when it has no row."""
    return Channel(sort=Channel.Sort.MAIL, person=person, label="E-mail")


def rooms() -> list[Reach]:
    """The channels of groups and teams."""
    found = Channel.objects.filter(person__isnull=True, removed_at__isnull=True)
    return _with_tests(found.select_related("group", "team"))


def failing_people() -> list[Channel]:
    """Channels of people that fail now, longest first; at most a page."""
    found = Channel.objects.filter(
        person__isnull=False, removed_at__isnull=True, failing_since__isnull=False
    )
    return list(found.select_related("person").order_by("failing_since")[:PAGE])


def deliveries(
    *, states: Sequence[str], before: UUID | None, limit: int = PAGE
) -> tuple[list[Delivery], UUID | None]:
    """A page of deliveries, newest first, and the key of the one that follows."""
    rows = Delivery.objects.filter(state__in=states).select_related(
        "notice", "notice__ticket", "channel", "channel__person", "channel__group", "channel__team"
    )
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


def _with_tests(channels: QuerySet[Channel]) -> list[Reach]:
    rows = list(channels.order_by("created_at", "pk"))
    tests: dict[UUID, Delivery] = {}
    tried = Delivery.objects.filter(
        channel__in=[row.pk for row in rows], notice__kind=Kind.TEST
    ).order_by("-pk")
    for test in tried[:TRIED]:
        tests.setdefault(test.channel_id, test)
    return [Reach(channel=row, test=tests.get(row.pk)) for row in rows]
