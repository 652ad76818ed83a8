"""The page of one ticket. Reads only."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from approvals.domain.inspection.arguments import Opened
from approvals.domain.states import State
from approvals.models import Ticket, User
from approvals.presenters.asking import Note
from approvals.presenters.posted import Posted
from approvals.presenters.ticket import present_ticket
from approvals.selectors.counting import next_needing
from approvals.selectors.looks import nonce_shown_now
from approvals.selectors.readers import Reviewer
from approvals.web import opened as opening
from approvals.web.access import is_part, reader, reviewer_page
from approvals.web.around import around
from approvals.web.reading import read_ticket, visible_ticket
from approvals.web.stepup import presented_in, step_up_part

NOTHING_POSTED = Posted()


@require_safe
@never_cache
@reviewer_page
def ticket(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Show a ticket; `?open=3` shows the value in row 3 whole."""
    who = reader(user)
    found = visible_ticket(user, uid, reader=who)
    return ticket_page(request, user, found, opened=opening.indexes_in(request.GET), who=who)


def ticket_page(
    request: HttpRequest,
    user: User,
    ticket: Ticket,
    *,
    opened: Opened,
    posted: Posted = NOTHING_POSTED,
    note: Note | None = None,
    just_decided: bool = False,
    status: int = 200,
    who: Reviewer | None = None,
) -> HttpResponse:
    """The ticket as it is now, whole or as the part that a page exchanges.

    `who` is who looks, where that was read before.
    """
    nonce = nonce_shown_now()
    who = who or reader(user)
    reading = read_ticket(ticket, who)
    took_part = any(vote.person_id == reading.viewer for vote in reading.votes)
    leads_on = (
        reading.rights.has_voted if ticket.state == State.PENDING else just_decided or took_part
    )
    view = present_ticket(
        reading,
        opened=opened,
        statement=partial(opening.statement, user_id=user.pk, digest=bytes(ticket.digest)),
        nonce=nonce,
        posted=posted,
        note=note,
        next_uid=next_needing(who, after=ticket.uid) if leads_on else None,
        leads_on=leads_on,
        just_decided=just_decided,
        step_up=step_up_part(reading, user, presented=presented_in(request), posted=posted),
    )
    template = "approvals/ticket.html"
    if is_part(request, "ticket"):
        template += "#ticket"
    beside = around(reading, who, posted=posted, nonce=nonce)
    told = {"view": view, "around": beside, "reader": who}
    return render(request, template, told, status=status)
