"""The channels by which people and rooms are told: made, changed, tried out, removed.

People keep their own channels; rooms of groups and teams are an admin's. What a channel needs to
send is sealed in its row and never shown again. Every change is recorded, without it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction

from approvals import audit, conf
from approvals.audit.secrets import SecretUnreadable, derived, fingerprint, lock, unlock
from approvals.carriers import chat, mail, push, webhook
from approvals.carriers.errors import Refused
from approvals.domain.canonical import JSON
from approvals.domain.errors import ChannelRefused, NotEligible
from approvals.domain.telling import Kind
from approvals.domain.wording import say
from approvals.models import (
    Channel,
    DatabaseNow,
    Delivery,
    Notice,
    Person,
    User,
    database_now,
)
from approvals.selectors.deliveries import unused_mail
from approvals.services import actors
from approvals.services.notifications import tell

PURPOSE: Final = "channel"
PUSH_KEY: Final = "push-key"
MOST_CHANNELS: Final = 20  # of one person or room
MAX_LABEL: Final = 80
ROOM_KINDS: Final = (
    Kind.NEEDS_YOU, Kind.REMINDER, Kind.ESCALATED, Kind.ENDED, Kind.UNKNOWN, Kind.STOPPED,
    Kind.RESUMED,
)  # fmt: skip


def with_mail(person: Person) -> list[Channel]:
    """The person's channels that may be used; mail is one of them unless they switched it off."""
    channels = list(
        Channel.objects.filter(person=person, removed_at__isnull=True).order_by("created_at", "pk")
    )
    if not any(channel.sort == Channel.Sort.MAIL for channel in channels):
        channels.append(mail_of(person))
    mails = mail.configured()
    return [
        channel
        for channel in channels
        if channel.enabled and (mails or channel.sort != Channel.Sort.MAIL)
    ]


def mail_of(person: Person) -> Channel:
    """The person's mail, whose row is made at its first use. Joins."""
    row = unused_mail(person)
    Channel.objects.bulk_create([row], ignore_conflicts=True)
    return Channel.objects.get(person=person, sort=Channel.Sort.MAIL)


def subscribe(*, user: User, endpoint: object, p256dh: object, auth: object, label: str) -> UUID:
    """A browser of this person's is told by Web Push from now on; raises ChannelRefused."""
    try:
        subscription = push.subscription_of(endpoint, p256dh, auth)
        push.require_subscription(subscription, allow_private=conf.tell_private())
    except Refused as refused:
        raise _bad_address(refused) from None
    with transaction.atomic(durable=True):
        mark = fingerprint(PURPOSE, subscription.endpoint.encode())
        # A browser that another person signed in with before tells this one alone.
        for earlier in Channel.objects.filter(fingerprint=mark, removed_at__isnull=True):
            _remove(earlier, actor=actors.person(user.person_id))
        channel = _new(
            Channel(
                sort=Channel.Sort.PUSH, person_id=user.person_id, label=_label(label, "Browser")
            ),
            secret={"endpoint": endpoint, "p256dh": p256dh, "auth": auth},
            mark=subscription.endpoint,
            actor=actors.person(user.person_id),
        )
        return channel.pk


def add_chat(*, user: User, url: str, label: str, urgent: bool = False) -> UUID:
    """A chat or on-call service of this person's own; raises ChannelRefused."""
    _require_service(url)
    with transaction.atomic(durable=True):
        channel = Channel(
            sort=Channel.Sort.CHAT,
            person_id=user.person_id,
            label=_label(label, url.partition(":")[0]),
            urgent=urgent,
            allow_private=conf.tell_private(),
        )
        return _new(channel, {"url": url}, url, actor=actors.person(user.person_id)).pk


def add_room(
    *,
    user: User,
    sort: str,
    group_id: UUID | None,
    team_id: UUID | None,
    url: str,
    label: str,
    kinds: Collection[str],
    detailed: bool,
    allow_private: bool,
) -> tuple[UUID, str]:
    """A chat room or webhook of a group or a team; its key, and a webhook's new secret.

    The secret is shown this once. Raises NotEligible, ChannelRefused.
    """
    _require_admin(user)
    if (group_id is None) == (team_id is None):
        raise ChannelRefused(say("Choose the group or the team that the room belongs to."))
    unknown = set(kinds) - {kind.value for kind in ROOM_KINDS}
    if unknown or not kinds:
        raise ChannelRefused(say("Choose what the room is told."))
    secret: dict[str, str] = {"url": url}
    if sort == Channel.Sort.WEBHOOK:
        secret["secret"] = webhook.new_secret()
        try:
            webhook.require_hook(webhook.Hook(**secret), allow_private=allow_private)
        except Refused as refused:
            raise _bad_address(refused) from None
    elif sort == Channel.Sort.CHAT:
        _require_service(url)
    else:
        raise ChannelRefused(say("A room is told by a chat service or by a webhook."))
    with transaction.atomic(durable=True):
        channel = Channel(
            sort=sort,
            group_id=group_id,
            team_id=team_id,
            label=_label(label, sort),
            kinds=sorted(kinds),
            detailed=detailed,
            allow_private=allow_private,
        )
        made = _new(channel, secret, url, actor=actors.person(user.person_id))
        return made.pk, secret.get("secret", "")


def change(*, user: User, channel_id: UUID, enabled: bool, urgent: bool, detailed: bool) -> None:
    """Switch a channel on or off, and say what it may do. Raises ChannelRefused."""
    with transaction.atomic(durable=True):
        channel = own_channel(user, channel_id)
        values = {"enabled": enabled, "urgent": urgent, "detailed": detailed}
        Channel.objects.filter(pk=channel.pk).update(**values)
        _record(channel, "channel_changed", actors.person(user.person_id), dict(values))


def remove(*, user: User, channel_id: UUID) -> None:
    """Forget what a channel needs to send, and use it no more. Raises ChannelRefused."""
    with transaction.atomic(durable=True):
        channel = own_channel(user, channel_id)
        if channel.sort == Channel.Sort.MAIL:
            raise ChannelRefused(say("Mail can be switched off, but not removed."))
        _remove(channel, actor=actors.person(user.person_id))


def remove_gone(channel: Channel) -> None:
    """The receiver says that nobody lives there any more."""
    with transaction.atomic():
        _remove(Channel.objects.select_for_update().get(pk=channel.pk), actor=actors.COURIER)


def try_out(*, user: User, channel_id: UUID) -> None:
    """Send a test through one channel; a worker does, and its delivery tells what came of it."""
    with transaction.atomic(durable=True):
        channel = own_channel(user, channel_id)
        occasion = f"{channel.pk.hex}.{database_now():%y%m%d%H%M%S}"
        tell(kind=Kind.TEST, occasion=occasion, people=[user.person_id])
        notice = Notice.objects.get(key=f"{Kind.TEST}:-:{occasion}")
        Notice.objects.filter(pk=notice.pk).update(addressed_at=DatabaseNow())
        row = Delivery(notice=notice, channel=channel, due_at=database_now())
        Delivery.objects.bulk_create([row], ignore_conflicts=True)


def own_channel(user: User, channel_id: UUID) -> Channel:
    """A live channel that this account may change, locked; raises ChannelRefused."""
    channel = (
        Channel.objects.select_for_update().filter(pk=channel_id, removed_at__isnull=True).first()
    )
    theirs = channel is not None and (
        channel.person_id == user.person_id
        if channel.person_id is not None
        else user.is_active and user.person.is_admin
    )
    if channel is None or not theirs:
        raise ChannelRefused(say("There is no such channel, or it is not yours."))
    return channel


def secret_of(channel: Channel) -> Mapping[str, str]:
    """What the channel needs to send; raises SecretUnreadable."""
    found: object = json.loads(unlock(PURPOSE, channel.pk.hex, channel.sealed))
    if not isinstance(found, dict):
        raise SecretUnreadable("it holds nothing that a channel could use")
    return found


def push_key() -> ec.EllipticCurvePrivateKey:
    """The installation's key towards push services.

    Its number is derived from the sealing key with 128 bits to spare (FIPS 186-5, A.2.1).
    """
    curve = ec.SECP256R1()
    number = int.from_bytes(derived(PUSH_KEY, size=48)) % (curve.group_order - 1) + 1
    return ec.derive_private_key(number, curve)


def _new(channel: Channel, secret: Mapping[str, Any], mark: str, *, actor: str) -> Channel:
    channel.fingerprint = fingerprint(PURPOSE, mark.encode())
    theirs = Channel.objects.filter(
        person=channel.person_id, group=channel.group_id, team=channel.team_id,
        removed_at__isnull=True,
    )  # fmt: skip
    if theirs.count() >= MOST_CHANNELS:
        raise ChannelRefused(
            say("There are {most} channels already. Remove one first.", most=MOST_CHANNELS)
        )
    if theirs.filter(fingerprint=channel.fingerprint).exists():
        raise ChannelRefused(say("There is a channel to that address already."))
    channel.sealed = lock(PURPOSE, channel.pk.hex, json.dumps(secret).encode())
    channel.save(force_insert=True)
    _record(
        channel,
        "channel_added",
        actor,
        {
            "sort": channel.sort,
            "person": _text(channel.person_id),
            "group": _text(channel.group_id),
            "team": _text(channel.team_id),
            "private": channel.allow_private,
        },
    )
    return channel


def _remove(channel: Channel, *, actor: str) -> None:
    Channel.objects.filter(pk=channel.pk).update(removed_at=DatabaseNow(), sealed=None)
    _record(channel, "channel_removed", actor, {})


def _record(channel: Channel, action: str, actor: str, detail: dict[str, JSON]) -> None:
    audit.append(subject=f"channel:{channel.pk}", actor=actor, action=action, detail=detail)


def _require_service(url: str) -> None:
    try:
        chat.require_service(url)
    except Refused as refused:
        raise _bad_address(refused) from None


def _bad_address(refused: Refused) -> ChannelRefused:
    return ChannelRefused(say("This address is refused: {why}.", why=refused.why))


def _require_admin(user: User) -> None:
    if not (user.is_active and user.person.is_admin):
        raise NotEligible(say("Only administrators change the channels of groups and teams."))


def _label(text: str, otherwise: str) -> str:
    return " ".join(text.split())[:MAX_LABEL] or otherwise


def _text(key: UUID | None) -> str | None:
    return None if key is None else str(key)
