"""Channels, deliveries and rotations in the words of the pages about being told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from approvals.domain.telling import Kind
from approvals.models import Channel, Delivery
from approvals.presenters.words import Mark
from approvals.selectors.deliveries import Reach

SORTS: Final = {
    Channel.Sort.MAIL: ("mail", gettext_lazy("E-mail")),
    Channel.Sort.PUSH: ("phone", gettext_lazy("Web Push")),
    Channel.Sort.CHAT: ("chat", gettext_lazy("Chat or on-call service")),
    Channel.Sort.WEBHOOK: ("hook", gettext_lazy("Webhook")),
}
KINDS: Final = {
    Kind.NEEDS_YOU: gettext_lazy("A call waits for a decision"),
    Kind.REMINDER: gettext_lazy("Half of its time is over"),
    Kind.RETURNED: gettext_lazy("A ticket that you put away waits again"),
    Kind.ESCALATED: gettext_lazy("A call was passed on"),
    Kind.HANDED: gettext_lazy("A call was handed over"),
    Kind.ASKED: gettext_lazy("A reviewer asks something"),
    Kind.ANSWERED: gettext_lazy("A question was answered"),
    Kind.COMMENTED: gettext_lazy("Somebody commented"),
    Kind.ENDED: gettext_lazy("How a call ended"),
    Kind.UNKNOWN: gettext_lazy("An outcome is unknown"),
    Kind.STOPPED: gettext_lazy("The kill switch was turned on"),
    Kind.RESUMED: gettext_lazy("Calls run again"),
    Kind.CREDENTIAL: gettext_lazy("A way to sign in was changed"),
    Kind.TEST: gettext_lazy("A test"),
}
STATES: Final = {
    Delivery.State.WAITING: Mark("wait", "clock", gettext_lazy("Waiting")),
    Delivery.State.TOLD: Mark("good", "check", gettext_lazy("Told")),
    Delivery.State.DROPPED: Mark("off", "minus", gettext_lazy("Not told")),
    Delivery.State.FAILED: Mark("refused", "warn", gettext_lazy("Failed")),
    Delivery.State.UNSURE: Mark("wait", "unknown", gettext_lazy("May have been told")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """One channel on a page; `url` takes what is done to it."""

    url: str
    label: str
    sort: str
    owner: str
    mark: Mark
    since: datetime | None
    why: str
    test: Mark | None
    test_words: str
    test_at: datetime | None
    enabled: bool
    urgent: bool
    detailed: bool
    removable: bool
    is_room: bool
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One delivery on the admin's page."""

    key: str
    kind: str
    number: int | None
    url: str
    channel: str
    owner: str
    mark: Mark
    at: datetime
    why: str
    attempts: int
    may_retry: bool


def present_channels(reached: Sequence[Reach]) -> list[ChannelRow]:
    """Rows for these channels."""
    return [_row(reach) for reach in reached]


def present_delivery(delivery: Delivery) -> DeliveryRow:
    """A row for one delivery; what it said is no concern of the list."""
    channel, ticket = delivery.channel, delivery.notice.ticket
    over = delivery.state in {Delivery.State.FAILED, Delivery.State.UNSURE}
    return DeliveryRow(
        key=str(delivery.pk),
        kind=str(KINDS[Kind(delivery.notice.kind)]),
        number=ticket.pk if ticket is not None else None,
        url=reverse("approvals:ticket", args=[ticket.uid]) if ticket is not None else "",
        channel=_words(channel),
        owner=owner_of(channel),
        mark=STATES[Delivery.State(delivery.state)],
        at=delivery.ended_at or delivery.due_at,
        why=in_words(delivery.why),
        attempts=delivery.attempts,
        may_retry=over and channel.removed_at is None,
    )


def owner_of(channel: Channel) -> str:
    """Whose channel it is."""
    owner = channel.person or channel.group or channel.team
    return owner.name if owner is not None else ""


def in_words(why: str) -> str:
    """A reason, as it was stored in English, in the reader's language; figures stay."""
    sentence, bracket, rest = why.partition(" (")
    return f"{gettext(sentence)}{bracket}{rest}" if sentence else ""


def _words(channel: Channel) -> str:
    """A channel in words; mail is the one that nobody names, as each has only one."""
    sort = str(SORTS[Channel.Sort(channel.sort)][1])
    return sort if channel.sort == Channel.Sort.MAIL else f"{sort}: {channel.label}"


def _row(reach: Reach) -> ChannelRow:
    channel, test = reach.channel, reach.test
    return ChannelRow(
        url=_url(channel),
        label=channel.label,
        sort=str(SORTS[Channel.Sort(channel.sort)][1]),
        owner=owner_of(channel),
        mark=_mark(channel),
        since=channel.failing_since or channel.told_at,
        why=in_words(channel.last_error),
        test=STATES[Delivery.State(test.state)] if test is not None else None,
        test_words=in_words(test.why) if test is not None else "",
        test_at=(test.ended_at or test.due_at) if test is not None else None,
        enabled=channel.enabled,
        urgent=channel.urgent,
        detailed=channel.detailed,
        removable=channel.sort != Channel.Sort.MAIL,
        is_room=channel.person_id is None,
        kinds=tuple(str(KINDS[Kind(kind)]) for kind in channel.kinds),
    )


def _url(channel: Channel) -> str:
    if channel.sort == Channel.Sort.MAIL:
        return reverse("approvals:channel-mail")
    return reverse("approvals:channel", args=[channel.pk])


def _mark(channel: Channel) -> Mark:
    if not channel.enabled:
        return Mark("off", "minus", gettext_lazy("Switched off"))
    if channel.failing_since is not None:
        return Mark("refused", "warn", gettext_lazy("Fails"))
    if channel.told_at is not None:
        return Mark("good", "check", gettext_lazy("Works"))
    return Mark("wait", "clock", gettext_lazy("Not used yet"))
