"""The history of tickets: a form that narrows it, its pages by key, and the same as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from approvals.domain.states import OPEN, TERMINAL, State
from approvals.models import User
from approvals.presenters import history as words
from approvals.presenters.spreadsheet import heading_line, lines_of
from approvals.presenters.words import RISK_MARKS
from approvals.selectors.searching import history as select
from approvals.selectors.wanted import Wanted
from approvals.web.access import reader, reviewer_page
from approvals.web.addresses import day_in, key_in, start_of, words_in

MOST_CHARS: Final = 256
EXPORT_ROWS: Final = 10_000
EXPORT_PAGES: Final = 400  # of which some may be nearly empty
_TEXTS: Final = ("q", "agent", "upstream", "tool", "reviewer", "owner")
_STATES: Final[Mapping[str, frozenset[State]]] = {
    words.OPEN: frozenset(OPEN),
    words.OVER: frozenset(TERMINAL),
    **{state.value: frozenset({state}) for state in State},
}


@require_safe
@never_cache
@reviewer_page
def history(request: HttpRequest, user: User) -> HttpResponse:
    """Show a page of the tickets that this person may see, narrowed as the address says."""
    chosen, problems = _chosen(request)
    before = key_in(request.GET.get("before", ""))
    who = reader(user)
    found = select(who, _wanted(chosen), before=before)
    view = words.present_history(
        found, chosen=chosen, is_first=before is None, problems=problems, now=timezone.now()
    )
    return render(request, "approvals/history.html", {"view": view, "reader": who})


@require_safe
@never_cache
@reviewer_page
def export(request: HttpRequest, user: User) -> HttpResponseBase:
    """The same tickets as comma-separated lines, at most EXPORT_ROWS of them."""
    chosen, _ = _chosen(request)
    base = request.build_absolute_uri("/").removesuffix("/")
    lines = _lines(user, _wanted(chosen), base)
    response = StreamingHttpResponse(
        without_blocking(lines) if isinstance(request, ASGIRequest) else lines,
        content_type="text/csv; charset=utf-8",
    )
    response.headers["Content-Disposition"] = 'attachment; filename="placet-history.csv"'
    return response


def _lines(user: User, wanted: Wanted, base: str) -> Iterator[str]:
    """A heading, then the lines of page after page."""
    yield heading_line()
    before, left = None, EXPORT_ROWS
    for _ in range(EXPORT_PAGES):
        found = select(reader(user), wanted, before=before)
        yield lines_of(found.rows[:left], base=base)
        before, left = found.page.next_before, left - len(found.rows)
        if before is None or left <= 0:
            return


async def without_blocking(lines: Iterator[str]) -> AsyncIterator[str]:
    """The same lines where an event loop sends them out."""
    following = sync_to_async(_next)
    while (line := await following(lines)) is not None:
        yield line


def _next(lines: Iterator[str]) -> str | None:
    return next(lines, None)


def _chosen(request: HttpRequest) -> tuple[dict[str, str], tuple[str, ...]]:
    """The filters in the address that mean something, and what to say of those that do not."""
    asked = request.GET
    chosen = {name: words_in(asked.get(name, ""), most=MOST_CHARS) for name in _TEXTS}
    chosen["state"] = state if (state := asked.get("state", "")) in _STATES else ""
    chosen["risk"] = risk if (risk := asked.get("risk", "")) in RISK_MARKS else ""
    problems = []
    for name in ("since", "until"):
        typed = asked.get(name, "").strip()
        chosen[name] = typed if day_in(typed) is not None else ""
        if typed and not chosen[name]:
            problems.append(gettext("A day is written like 2026-11-22."))
    return {name: value for name, value in chosen.items() if value}, tuple(problems)


def _wanted(chosen: Mapping[str, str]) -> Wanted:
    typed = chosen.get("q", "")
    number = key_in(typed.removeprefix("#"))
    since, until = day_in(chosen.get("since", "")), day_in(chosen.get("until", ""))
    return Wanted(
        words="" if number is not None else typed,
        number=number,
        states=_STATES.get(chosen.get("state", ""), frozenset()),
        agent=chosen.get("agent", ""),
        upstream=chosen.get("upstream", ""),
        tool=chosen.get("tool", ""),
        reviewer=chosen.get("reviewer", ""),
        owner=chosen.get("owner", ""),
        risk=chosen.get("risk", ""),
        since=None if since is None else start_of(since),
        until=None if until is None else start_of(until, days_later=1),
    )
