"""The inbox, and the frame's facts for a page that stays open."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from approvals.models import User
from approvals.presenters.bursts import present_paused
from approvals.presenters.inbox import (
    NEEDS,
    OTHERS,
    InboxPage,
    present_inbox,
    present_part,
    present_rows,
)
from approvals.presenters.rows import unticked
from approvals.selectors import inbox as lists
from approvals.selectors.bursts import paused_for
from approvals.selectors.listing import one_row
from approvals.selectors.readers import Reviewer
from approvals.web.access import is_part, reader, reviewer_page
from approvals.web.addresses import key_in

_PARTS: Final = {NEEDS: lists.needs_you, OTHERS: lists.waiting_on_others}


@require_safe
@never_cache
@reviewer_page
def inbox(request: HttpRequest, user: User) -> HttpResponse:
    """Show what needs this person, what waits for others and what was decided last.

    `?group=needs&after=17` shows one group alone, from behind the ticket with that number.
    """
    who = reader(user)
    view, needs = _inbox_page(request, user, who)
    template = "approvals/inbox.html"
    if is_part(request, "inbox"):
        template += "#inbox"
    return render(request, template, {"view": view, "reader": who, "needs": needs})


@require_safe
@never_cache
@reviewer_page
def frame(request: HttpRequest, user: User) -> HttpResponse:
    """Show the kill switch's state and how many tickets need this person."""
    return render(request, "elements/frame.html")


@require_safe
@never_cache
@reviewer_page
def row(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Show one ticket as a row of a list."""
    found = one_row(reader(user), uid)
    if found is None:
        raise Http404("There is no such ticket, or you may not see it.")
    (view,) = present_rows([found], now=timezone.now())
    if request.GET.get("tick") == "no":
        view = unticked(view)
    return render(request, "approvals/row.html", {"row": view})


def _inbox_page(request: HttpRequest, user: User, who: Reviewer) -> tuple[InboxPage, int | None]:
    """The page, and how many tickets need its reader where it has counted them."""
    now = timezone.now()
    after = key_in(request.GET.get("after", ""))
    selected = _PARTS.get(request.GET.get("group", ""))
    if selected is None or after is None:
        found = lists.inbox(who)
        paused = present_paused(paused_for(who), user)
        return present_inbox(found, now=now, paused=paused), found.needs
    return present_part(request.GET["group"], selected(who, after=after), now=now), None
