"""Rounds of telling people, and the ways to tell them, for tests."""

from __future__ import annotations

from uuid import UUID

from django.core import mail as outbox

from approvals import courier
from approvals.models import Delivery, User
from approvals.services import channels, habits
from tests.support.builders import Cast

HOUR = 3600.0
ALL = tuple(kind.value for kind in channels.ROOM_KINDS)


def told() -> dict[str, list[str]]:
    """A round of telling: the subjects that each address got, since the last look."""
    before = len(outbox.outbox)
    courier.look()
    courier.carry()
    found: dict[str, list[str]] = {}
    for mail in outbox.outbox[before:]:
        for address in mail.to:
            found.setdefault(address.partition("@")[0], []).append(mail.subject)
    return found


def words() -> str:
    """What the last mail says."""
    return str(outbox.outbox[-1].body)


def habit(user: User, **changes: object) -> None:
    """What this person chose; the rest as at first."""
    values = {
        "quiet_from": None,
        "quiet_until": None,
        "digest_minutes": 0,
        "silent_kinds": ["ended", "commented"],
        "silent_groups": [],
    }
    habits.keep_habits(user=user, **(values | changes))  # type: ignore[arg-type]


def a_webhook(cast: Cast, url: str, *, detailed: bool = False, kinds: object = ALL) -> UUID:
    key, _ = channels.add_room(
        user=cast.dora,
        sort="webhook",
        group_id=cast.group_id,
        team_id=None,
        url=url,
        label="Bridge",
        kinds=kinds,  # type: ignore[arg-type]
        detailed=detailed,
        allow_private=True,
    )
    return key


def a_chat(user: User, **options: object) -> UUID:
    return channels.add_chat(user=user, url="ntfys://a-topic", label="Phone", **options)  # type: ignore[arg-type]


def states(**conditions: object) -> set[str]:
    return set(Delivery.objects.filter(**conditions).values_list("state", flat=True))
