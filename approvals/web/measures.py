"""How decisions are made: everybody's numbers for admins, for everybody else their own."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from approvals.models import User
from approvals.presenters.measures import present_measures
from approvals.selectors.measures import Measures
from approvals.selectors.measures import measures as read_measures
from approvals.web.access import reviewer_page

PERIODS: Final = (7, 30)


@require_safe
@never_cache
@reviewer_page
def measures(request: HttpRequest, user: User) -> HttpResponse:
    """Show the numbers of the last 7 or 30 days."""
    days = 30 if request.GET.get("days") == "30" else 7
    found = read_measures(days=days)
    is_admin = user.person.is_admin
    if not is_admin:
        own = tuple(row for row in found.rows if row.person == user.person_id)
        found = Measures(rows=own, more=found.more)
    context = {
        "view": present_measures(found),
        "days": days,
        "periods": PERIODS,
        "is_admin": is_admin,
    }
    return render(request, "approvals/measures.html", context)
