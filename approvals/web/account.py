"""A person's own page: who they are here, what they may do, and how pages are shown to them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from approvals.domain.errors import LocalityUnknown
from approvals.models import User
from approvals.presenters.account import present_account
from approvals.presenters.words import told
from approvals.services.locality import choose_locality
from approvals.web.access import reviewer_page


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def account(request: HttpRequest, user: User) -> HttpResponse:
    """Show the signed-in person's account; a POST chooses their language and time zone."""
    problem = ""
    if request.method == "POST":
        try:
            choose_locality(
                person=user.person,
                language=request.POST.get("language", ""),
                time_zone=request.POST.get("time_zone", ""),
            )
        except LocalityUnknown as refusal:
            problem = told(refusal.message)
        else:
            language = user.person.language or translation.get_language_from_request(request)
            with translation.override(language):
                messages.success(request, gettext("Saved."))
            return redirect("approvals:account")
    view = present_account(user, problem=problem)
    return render(request, "approvals/account.html", {"view": view}, status=422 if problem else 200)
