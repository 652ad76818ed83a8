"""What stands around a ticket's facts, for one person: edits, talk, whose list it is in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from approvals.domain.errors import Refusal
from approvals.domain.locality import zone_of
from approvals.domain.snoozing import choices
from approvals.domain.states import State
from approvals.presenters.conversation import (
    Option,
    Received,
    Talk,
    present_choices,
    present_received,
    present_takers,
    present_talk,
)
from approvals.presenters.editing import EditView, present_edits
from approvals.presenters.posted import Posted
from approvals.presenters.ticket import Reading
from approvals.selectors.conversation import edits_of, remarks_of
from approvals.selectors.handover import handoff_to
from approvals.selectors.readers import Reviewer
from approvals.services.conversation import owner_among
from approvals.services.editing import require_author
from approvals.services.handover import takers_among


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The parts beside the facts and the decision; an empty one is not shown."""

    edits: tuple[EditView, ...]
    talk: Talk
    received: Received | None
    edit_url: str
    takers: tuple[Option, ...]
    snoozes: tuple[Option, ...]
    snoozed: bool
    snoozed_until: datetime | None
    posted: Posted
    error: str
    nonce: str

    @property
    def more(self) -> bool:
        """Whether there is anything else to do than to decide."""
        return bool(self.edit_url or self.takers or self.snoozes or self.snoozed)


def around(reading: Reading, who: Reviewer, *, posted: Posted, nonce: str) -> Around:
    """Everything around the ticket for somebody who may see it."""
    ticket, viewer = reading.ticket, who.person.pk
    now: datetime = getattr(ticket, "read_at", reading.now)
    pending = ticket.state == State.PENDING
    asked = pending and viewer in reading.eligible
    undecided = asked and not reading.rights.has_voted
    may_ask = pending and (asked or who.person.is_admin)
    until: datetime | None = getattr(ticket, "away_until", None) if pending else None
    others = {key: name for key, name in reading.may_still_vote.items() if key != viewer}
    takers = takers_among(others, reading.asked, reading.seats) if undecided else None
    return Around(
        edits=present_edits(edits_of(ticket)),
        talk=present_talk(
            remarks_of(ticket),
            viewer=viewer,
            may_ask=may_ask,
            owner=owner_among(ticket, reading.owner_key).name if may_ask else "",
        ),
        received=present_received(handoff_to(ticket, viewer, who.groups)) if pending else None,
        edit_url=reverse("approvals:edit", args=[ticket.uid])
        if asked and _may_edit(reading, viewer, now=now)
        else "",
        takers=present_takers(takers.people, takers.groups) if takers else (),
        snoozes=present_choices(
            choices(
                now=now,
                deadline=ticket.approval_expires_at,
                zone=zone_of(who.person.time_zone),
            )
        )
        if undecided and until is None
        else (),
        snoozed=until is not None,
        snoozed_until=until,
        posted=posted,
        error=posted.says("words_missing", "reason_too_long", "too_many_remarks"),
        nonce=nonce,
    )


def _may_edit(reading: Reading, viewer: UUID, *, now: datetime) -> bool:
    if reading.ticket.approval_expires_at <= now:
        return False
    try:
        require_author(reading.ticket, viewer, eligible=reading.eligible, parties=reading.parties)
    except Refusal:
        return False
    return True
