"""A person's own page: who they are here, and what they may do."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from approvals.models import User
from approvals.presenters.account import present_account
from approvals.web.access import reviewer_page


@require_safe
@never_cache
@reviewer_page
def account(request: HttpRequest, user: User) -> HttpResponse:
    """Show the signed-in person's account."""
    return render(request, "approvals/account.html", {"view": present_account(user)})
