"""What stands around a ticket's facts, for one person: edits, talk, whose list it is in."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from approvals.domain.errors import Refusal
from approvals.domain.locality import zone_of
from approvals.domain.snoozing import choices
from approvals.domain.states import State
from approvals.models import Ticket, User, database_now
from approvals.presenters.conversation import (
    Option,
    Received,
    Talk,
    present_choices,
    present_received,
    present_takers,
    present_talk,
)
from approvals.presenters.decision import Posted
from approvals.presenters.editing import EditView, present_edits
from approvals.selectors.conversation import edits_of, remarks_of
from approvals.selectors.handover import handoff_to
from approvals.selectors.snoozing import snoozed_until
from approvals.selectors.votes import eligible_people
from approvals.services.conversation import owner_to_ask
from approvals.services.editing import require_editor
from approvals.services.handover import takers_of


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
    snoozed_until: object
    posted: Posted
    error: str
    nonce: str

    @property
    def more(self) -> bool:
        """Whether there is anything else to do than to decide."""
        return bool(self.edit_url or self.takers or self.snoozes or self.snoozed)


def around(ticket: Ticket, user: User, *, posted: Posted, nonce: str) -> Around:
    """Everything around `ticket` for `user`, who may see it."""
    viewer = user.person_id
    pending = ticket.state == State.PENDING
    asked = pending and viewer in eligible_people(ticket)
    may_ask = pending and (asked or user.person.is_admin)
    until = snoozed_until(ticket, viewer) if pending else None
    takers = takers_of(ticket, viewer) if asked else None
    groups = list(user.person.reviewer_groups.values_list("pk", flat=True)) if pending else []
    return Around(
        edits=present_edits(edits_of(ticket)),
        talk=present_talk(
            remarks_of(ticket),
            viewer=viewer,
            may_ask=may_ask,
            owner=owner_to_ask(ticket).name if may_ask else "",
        ),
        received=present_received(handoff_to(ticket, viewer, groups)) if pending else None,
        edit_url=reverse("approvals:edit", args=[ticket.uid])
        if asked and _may_edit(ticket, user)
        else "",
        takers=present_takers(takers.people, takers.groups) if takers else (),
        snoozes=present_choices(
            choices(
                now=database_now(),
                deadline=ticket.approval_expires_at,
                zone=zone_of(user.person.time_zone),
            )
        )
        if asked and until is None
        else (),
        snoozed=until is not None,
        snoozed_until=until,
        posted=posted,
        error=posted.says("words_missing", "reason_too_long", "too_many_remarks"),
        nonce=nonce,
    )


def _may_edit(ticket: Ticket, user: User) -> bool:
    try:
        require_editor(ticket, user, bytes(ticket.digest))
    except Refusal:
        return False
    return True
