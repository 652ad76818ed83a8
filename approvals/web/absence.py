"""The page on which people say when they are away, and who votes for them meanwhile."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from approvals.domain.errors import AbsenceInvalid, Refusal
from approvals.domain.wording import say
from approvals.models import ReviewerGroup, User
from approvals.presenters.absence import (
    AbsencePage,
    groups_to_choose,
    people_to_choose,
    present_absences,
)
from approvals.presenters.words import told
from approvals.selectors.absence import coming_absences
from approvals.services.delegation import declare_absence, end_absence, possible_stand_ins
from approvals.web.access import reviewer_page
from approvals.web.addresses import uuid_in
from approvals.web.posted import STATUS


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def absences(request: HttpRequest, user: User) -> HttpResponse:
    """Show who is away and who stands in; a POST declares an absence."""
    if request.method != "POST":
        return _page(request, user)
    try:
        declare_absence(
            user=user,
            starts_at=_moment(request, "starts") if request.POST.get("starts") else None,
            ends_at=_moment(request, "ends"),
            delegate_id=_key(request.POST.get("stand_in", "")),
            group_ids=_groups(request) if request.POST.get("stand_in") else (),
        )
    except Refusal as refusal:
        return _page(request, user, error=told(refusal.message), status=STATUS[refusal.kind])
    messages.success(request, gettext("It is noted. Nobody waits for you in that time."))
    return redirect("approvals:absences")


@require_POST
@reviewer_page
def end(request: HttpRequest, user: User, absence_id: UUID) -> HttpResponse:
    """End an absence early."""
    try:
        end_absence(absence_id=absence_id, user=user)
    except Refusal as refusal:
        messages.warning(request, told(refusal.message))
    else:
        messages.success(request, gettext("The absence has ended."))
    return redirect("approvals:absences")


def _page(request: HttpRequest, user: User, *, error: str = "", status: int = 200) -> HttpResponse:
    person, now = user.person, timezone.now()
    coming = coming_absences(None if person.is_admin else person)
    mine = [absence for absence in coming if absence.person_id == person.pk]
    lent = [absence for absence in coming if absence.delegate_id == person.pk]
    rest = [absence for absence in coming if absence not in mine and absence not in lent]
    groups = list(ReviewerGroup.objects.filter(memberships__person=person).order_by("name"))
    posted = request.method == "POST"
    view = AbsencePage(
        mine=present_absences(mine, user, now=now),
        for_others=present_absences(lent, user, now=now),
        everybody=present_absences(rest, user, now=now),
        people=people_to_choose(possible_stand_ins(person), request.POST.get("stand_in", "")),
        groups=groups_to_choose(groups, _groups(request) if posted else None),
        starts=request.POST.get("starts", "")[:40],
        ends=request.POST.get("ends", "")[:40],
        zone=timezone.get_current_timezone_name(),
        error=error,
    )
    return render(request, "approvals/absences.html", {"view": view}, status=status)


def _moment(request: HttpRequest, field: str) -> datetime:
    """A moment as the browser's own field writes it, in the person's time zone."""
    try:
        found = parse_datetime(request.POST.get(field, "")[:40])
    except ValueError:
        found = None
    if found is None:
        raise AbsenceInvalid(say("Give the day and the time, such as 2027-01-31T09:00."))
    return timezone.make_aware(found) if timezone.is_naive(found) else found


def _groups(request: HttpRequest) -> list[UUID]:
    return [key for text in request.POST.getlist("groups")[:50] if (key := _key(text)) is not None]


def _key(text: str) -> UUID | None:
    key = uuid_in(text)
    if key is None and text:
        raise AbsenceInvalid(say("Choose from what the form offers."))
    return key
