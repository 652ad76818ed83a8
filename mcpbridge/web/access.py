"""Who may see and change the admin's pages: admins both, auditors the first, nobody else.

Roles are read from the signed-in account's person, who belongs to the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Concatenate

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from mcpbridge.approvals_gateway import accounts_person, is_admin

REFUSED = "This page is for administrators of this installation."
READING = frozenset({"GET", "HEAD"})


def admin_page[**P](
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A page for admins, which auditors may read."""

    def page(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not may_change(request) and not (request.method in READING and _is_auditor(request)):
            raise PermissionDenied(REFUSED)
        return view(request, *args, **kwargs)

    return _guarded(view, page)


def admins_only[**P](
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A page that only changes things: auditors have nothing to read there."""

    def page(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not may_change(request):
            raise PermissionDenied(REFUSED)
        return view(request, *args, **kwargs)

    return _guarded(view, page)


def may_change(request: HttpRequest) -> bool:
    """Whether the signed-in person is an admin."""
    return is_admin(request.user)


def actor_of(request: HttpRequest) -> str:
    """The signed-in person as audit rows name them."""
    return f"person:{accounts_person(request.user)}"


def _is_auditor(request: HttpRequest) -> bool:
    person = getattr(request.user, "person", None)
    return bool(request.user.is_active and person is not None and person.is_auditor)


def _guarded[**P](
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
    page: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    guarded: Callable[Concatenate[HttpRequest, P], HttpResponse] = never_cache(login_required(page))
    update_wrapper(guarded, view)
    return guarded
