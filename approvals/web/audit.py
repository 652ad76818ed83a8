"""The audit record, for admins and auditors: chains, the newest checkpoint, and a verification."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from approvals.models import Checkpoint, Person, User
from approvals.presenters.audit import present_audit
from approvals.presenters.timeline import people_in
from approvals.presenters.verification import present_verification
from approvals.selectors.history import audit_events, telling_openings
from approvals.selectors.verifications import newest_verification
from approvals.selectors.visibility import sees_everything
from approvals.services.verifying import ask_to_verify
from approvals.web.access import reviewer_page
from approvals.web.addresses import key_in

SUBJECT_CHARS: Final = 80


@require_safe
@never_cache
@reviewer_page
def audit(request: HttpRequest, user: User) -> HttpResponse:
    """Show a page of the record, newest first; `?subject=` narrows it to one chain."""
    _require_sight(user)
    key = key_in(request.GET.get("before", ""))
    subject = request.GET.get("subject", "")[:SUBJECT_CHARS]
    events, next_before = audit_events(user.person, before=key, subject=subject)
    people = Person.objects.filter(pk__in=people_in(events))
    view = present_audit(
        events,
        names=dict(people.values_list("pk", "name")),
        checkpoint=Checkpoint.objects.order_by("-pk").first(),
        subject=subject,
        next_before=next_before,
        withheld=telling_openings(events),
        is_first=key is None,
    )
    verified = present_verification(newest_verification())
    return render(request, "approvals/audit.html", {"view": view, "verified": verified})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def verify_now(request: HttpRequest, user: User) -> HttpResponse:
    """Have a worker replay the whole record; the page says what it finds."""
    _require_sight(user)
    if request.method == "POST":
        ask_to_verify(user=user)
    return redirect("approvals:audit")


def _require_sight(user: User) -> None:
    if not sees_everything(user.person):
        raise PermissionDenied("Only administrators and auditors read the whole record.")
