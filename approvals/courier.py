"""One round of telling: notice what is new, find whom it concerns, carry what is due.

Runs in the workers, from a thread of theirs and when a task says that there is something to do.
Several rounds at once do no harm. Nothing here is believed that was read before: what is true and
whose it is to know is asked again for each message.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from approvals import conf
from approvals.audit.secrets import SecretUnreadable
from approvals.carriers import chat, mail, push, webhook
from approvals.carriers.errors import CarrierError, Gone, Refused
from approvals.domain.wording import say
from approvals.models import Channel, Delivery, User, database_now
from approvals.presenters.messages import Message, event_of, message_of
from approvals.services import channels, deliveries, watching

logger = logging.getLogger(__name__)

CARRIED: Final = 200  # messages in one round
LONGEST_PUSH: Final = 24 * 3600  # seconds that a push service keeps a message


def look() -> None:
    """Notice and address what is new; carries nothing."""
    watching.watch()
    deliveries.address()


def carry(limit: int = CARRIED) -> int:
    """Carry what is due, one message after the other; how many were begun."""
    begun = 0
    while begun < limit:
        claimed = deliveries.claim()
        if claimed is None:
            break
        begun += 1
        _carry(claimed)
    return begun


def _carry(claimed: deliveries.Claimed) -> None:
    due = deliveries.still_to_tell(claimed)
    if not due:
        return
    try:
        _send(claimed.channel, due)
    except Gone as gone:
        channels.remove_gone(claimed.channel)
        deliveries.failed(claimed, due, why=gone.why, never=True)
    except CarrierError as problem:
        deliveries.failed(claimed, due, why=problem.why, never=isinstance(problem, Refused))
    except SecretUnreadable:
        why = say("what the channel needs to send cannot be read; set it up again")
        deliveries.failed(claimed, due, why=why, never=True)
    except Exception:
        logger.exception("A message could not be made or sent; it is tried again.")
        deliveries.failed(claimed, due, why=say("an error of ours; see the log"), never=False)
    else:
        deliveries.told(claimed, due)


def _send(channel: Channel, due: Sequence[Delivery]) -> None:
    now = database_now()
    if channel.sort == Channel.Sort.WEBHOOK:
        (delivery,) = due
        webhook.send(
            webhook.Hook(**channels.secret_of(channel)),
            message_id=f"msg_{delivery.pk.hex}",
            kind=f"ticket.{delivery.notice.kind}"
            if delivery.notice.ticket
            else delivery.notice.kind,
            at=delivery.notice.created_at,
            now=now,
            data=event_of(delivery.notice, detailed=channel.detailed),
            allow_private=channel.allow_private,
        )
        return
    person = channel.person
    notices = [delivery.notice for delivery in due]
    message = message_of(notices, person, detailed=channel.detailed, now=now)
    if channel.sort == Channel.Sort.MAIL:
        mail.send(
            to=_addresses(channel),
            subject=message.title,
            text=message.text,
            message_id=due[0].pk.hex,
        )
    elif channel.sort == Channel.Sort.CHAT:
        chat.send(
            channels.secret_of(channel)["url"],
            title=message.title,
            text=message.text,
            allow_private=channel.allow_private,
        )
    else:
        _push(channel, due, message)


def _push(channel: Channel, due: Sequence[Delivery], message: Message) -> None:
    """The push service and the lock screen get a number and a neutral sentence."""
    now = database_now()
    ends = [d.notice.ticket.approval_expires_at for d in due if d.notice.ticket is not None]
    left = max(((end - now).total_seconds() for end in ends), default=LONGEST_PUSH)
    secret = channels.secret_of(channel)
    topic = due[0].notice_id.hex  # the same for the same event: a repeat replaces it
    push.send(
        push.subscription_of(secret["endpoint"], secret["p256dh"], secret["auth"]),
        {"title": "Placet", "body": message.neutral, "path": message.path, "tag": topic},
        sender=push.Sender(key=channels.push_key(), contact=conf.public_url()),
        topic=topic,
        seconds=min(LONGEST_PUSH, max(60, int(left))),
        urgent=channel.urgent,
        now=now,
        allow_private=conf.tell_private(),
    )


def _addresses(channel: Channel) -> list[str]:
    accounts = User.objects.filter(person=channel.person_id, is_active=True)
    return list(accounts.order_by("date_joined").values_list("email", flat=True))
