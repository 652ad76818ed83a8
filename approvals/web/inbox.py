"""The inbox, and the frame's facts for a page that stays open."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from approvals import conf
from approvals.models import User
from approvals.presenters.bursts import burst_rows, present_paused
from approvals.presenters.inbox import (
    NEEDS,
    OTHERS,
    InboxPage,
    present_inbox,
    present_part,
    present_rows,
)
from approvals.selectors import inbox as lists
from approvals.selectors.bursts import paused_for
from approvals.selectors.counting import next_needing
from approvals.selectors.listing import one_row
from approvals.web.access import is_part, reviewer_page
from approvals.web.addresses import key_in

_PARTS: Final = {NEEDS: lists.needs_you, OTHERS: lists.waiting_on_others}


@require_safe
@never_cache
@reviewer_page
def inbox(request: HttpRequest, user: User) -> HttpResponse:
    """Show what needs this person, what waits for others and what was decided last.

    `?group=needs&after=17` shows one group alone, from behind the ticket with that number.
    """
    view = _inbox_page(request, user)
    template = "approvals/inbox.html"
    if is_part(request, "inbox"):
        template += "#inbox"
    return render(request, template, {"view": view})


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
    found = one_row(user.person, uid, one_person=conf.one_person())
    if found is None:
        raise Http404("There is no such ticket, or you may not see it.")
    (view,) = present_rows([found], now=timezone.now())
    return render(request, "approvals/row.html", {"row": view})


def next_for(user: User, uid: UUID) -> UUID | None:
    """The ticket that needs this person next, after the one with `uid`."""
    return next_needing(user.person, one_person=conf.one_person(), after=uid)


def _inbox_page(request: HttpRequest, user: User) -> InboxPage:
    person, one_person, now = user.person, conf.one_person(), timezone.now()
    after = key_in(request.GET.get("after", ""))
    selected = _PARTS.get(request.GET.get("group", ""))
    if selected is None or after is None:
        found = lists.inbox(person, one_person=one_person)
        return present_inbox(
            found,
            now=now,
            bursts=burst_rows(found.bursts),
            paused=present_paused(paused_for(person), user),
        )
    part = selected(person, one_person=one_person, after=after)
    return present_part(request.GET["group"], part, now=now)
