"""When and of what people want to be told, and who of a group is on call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, time
from typing import Final
from uuid import UUID
from zoneinfo import available_timezones

from django.db import transaction

from approvals import audit
from approvals.domain.errors import ChannelRefused, NotEligible
from approvals.domain.telling import MAX_DIGEST, MAX_HEAD_START, MIN_DIGEST, OPTIONAL
from approvals.domain.wording import say
from approvals.models import (
    GroupMembership,
    Habit,
    ReviewerGroup,
    Rotation,
    RotationTurn,
    User,
)
from approvals.services import actors

TURNS: Final = (1, 7)  # days


def keep_habits(
    *,
    user: User,
    quiet_from: time | None,
    quiet_until: time | None,
    digest_minutes: int,
    silent_kinds: Collection[str],
    silent_groups: Collection[UUID],
) -> None:
    """Replace what this person chose. Raises ChannelRefused."""
    if (quiet_from is None) != (quiet_until is None):
        raise ChannelRefused(say("Quiet hours need a beginning and an end."))
    if digest_minutes and not MIN_DIGEST <= digest_minutes <= MAX_DIGEST:
        raise ChannelRefused(
            say(
                "A digest comes every {least} to {most} minutes.", least=MIN_DIGEST, most=MAX_DIGEST
            )
        )
    if set(silent_kinds) - {kind.value for kind in OPTIONAL}:
        raise ChannelRefused(say("Some notices cannot be switched off."))
    own = ReviewerGroup.objects.filter(members=user.person_id, pk__in=list(silent_groups))
    with transaction.atomic(durable=True):
        habit, _ = Habit.objects.update_or_create(
            person_id=user.person_id,
            defaults={
                "quiet_from": quiet_from,
                "quiet_until": quiet_until,
                "digest_minutes": digest_minutes,
                "silent_kinds": sorted(silent_kinds),
            },
        )
        habit.silent_groups.set(own)


def keep_rotation(
    *,
    user: User,
    group_id: UUID,
    people: Sequence[UUID],
    first_day: date,
    hands_over: time,
    days: int,
    time_zone: str,
    head_start_minutes: int,
) -> None:
    """Replace a group's rotation; nobody in it means none. Raises NotEligible, ChannelRefused."""
    if not (user.is_active and user.person.is_admin):
        raise NotEligible(say("Only administrators change who is on call."))
    if days not in TURNS:
        raise ChannelRefused(say("A turn lasts a day or a week."))
    if not 1 <= head_start_minutes <= MAX_HEAD_START:
        raise ChannelRefused(say("A head start is 1 to {most} minutes.", most=MAX_HEAD_START))
    if time_zone not in available_timezones():
        raise ChannelRefused(say("There is no time zone of that name."))
    if len(set(people)) != len(people):
        raise ChannelRefused(say("Everybody has one place in the rotation."))
    members = GroupMembership.objects.filter(group=group_id, person__in=people).count()
    if members != len(people):
        raise ChannelRefused(say("Only members of the group can be on call for it."))
    with transaction.atomic(durable=True):
        group = ReviewerGroup.objects.select_for_update().get(pk=group_id)
        Rotation.objects.filter(group=group).delete()
        if people:
            rotation = Rotation.objects.create(
                group=group,
                first_day=first_day,
                hands_over=hands_over,
                days=days,
                time_zone=time_zone,
                head_start_minutes=head_start_minutes,
            )
            RotationTurn.objects.bulk_create(
                RotationTurn(rotation=rotation, person_id=person, place=place)
                for place, person in enumerate(people)
            )
        audit.append(
            subject=f"group:{group.pk}",
            actor=actors.person(user.person_id),
            action="rotation_changed",
            detail={"people": [str(person) for person in people], "days": days},
        )
