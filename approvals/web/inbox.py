"""The inbox, the list of what was decided, and the frame's facts for a page that stays open."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from approvals import conf
from approvals.domain.states import TERMINAL, State
from approvals.models import User
from approvals.presenters.inbox import (
    NEEDS,
    OTHERS,
    DecidedPage,
    Filters,
    InboxPage,
    present_decided,
    present_inbox,
    present_part,
    present_rows,
)
from approvals.presenters.words import STATE_MARKS
from approvals.selectors import inbox as lists
from approvals.selectors.counting import next_needing
from approvals.web.access import is_part, reviewer_page

PAGE_ROWS: Final = 50
MOST_KEY: Final = 2**63 - 1
NAME_CHARS: Final = 256
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
def decided(request: HttpRequest, user: User) -> HttpResponse:
    """Show a page of tickets on which nobody decides any more, newest first."""
    view = _decided_page(request, user)
    return render(request, "approvals/decided.html", {"view": view})


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
    found = lists.one_row(user.person, uid, one_person=conf.one_person())
    if found is None:
        raise Http404("There is no such ticket, or you may not see it.")
    (view,) = present_rows([found], now=timezone.now())
    return render(request, "approvals/row.html", {"row": view})


def next_for(user: User, uid: UUID) -> UUID | None:
    """The ticket that needs this person next, after the one with `uid`."""
    return next_needing(user.person, one_person=conf.one_person(), after=uid)


def _inbox_page(request: HttpRequest, user: User) -> InboxPage:
    person, one_person, now = user.person, conf.one_person(), timezone.now()
    after = _key(request.GET.get("after", ""))
    selected = _PARTS.get(request.GET.get("group", ""))
    if selected is None or after is None:
        return present_inbox(lists.inbox(person, one_person=one_person), now=now)
    part = selected(person, one_person=one_person, after=after)
    return present_part(request.GET["group"], part, now=now)


def _decided_page(request: HttpRequest, user: User) -> DecidedPage:
    asked = request.GET
    outcome = asked.get("outcome", "")
    outcomes = _outcome_words()
    if outcome not in outcomes:
        outcome = ""
    agent, tool = asked.get("agent", "")[:NAME_CHARS], asked.get("tool", "")[:NAME_CHARS]
    before = _key(asked.get("before", ""))
    page = lists.decided(
        user.person,
        one_person=conf.one_person(),
        before=before,
        limit=PAGE_ROWS,
        states=[State(outcome)] if outcome else (),
        agent=agent,
        tool=tool,
    )
    chosen = {
        name: value
        for name, value in (("outcome", outcome), ("agent", agent), ("tool", tool))
        if value
    }
    here = reverse("approvals:decided")
    older = {**chosen, "before": page.next_before} if page.next_before else None
    return present_decided(
        page.rows,
        filters=Filters(outcome=outcome, agent=agent, tool=tool, outcomes=tuple(outcomes.items())),
        older=f"{here}?{urlencode(older)}" if older else "",
        newest=f"{here}?{urlencode(chosen)}" if before is not None else "",
        now=timezone.now(),
    )


def _outcome_words() -> dict[str, str]:
    states = sorted(TERMINAL, key=list(State).index)
    return {state.value: str(STATE_MARKS[state].word) for state in states}


def _key(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:19]), MOST_KEY)
