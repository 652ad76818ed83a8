"""Who is at the door of a page: the signed-in account, and what the page demands of its person."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Concatenate

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from approvals import conf
from approvals.models import User
from approvals.selectors.readers import Reviewer, reviewer


def reviewer_page[**P, R: HttpResponseBase](
    view: Callable[Concatenate[HttpRequest, User, P], R],
) -> Callable[Concatenate[HttpRequest, P], R]:
    """A page for everybody who is signed in; the view gets the account."""

    def page(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return view(request, signed_in(request), *args, **kwargs)

    guarded: Callable[Concatenate[HttpRequest, P], R] = login_required(page)
    update_wrapper(guarded, view)
    return guarded


def signed_in(request: HttpRequest) -> User:
    """The account of a request that passed the door."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Sign in first.")
    return request.user


def reader(user: User) -> Reviewer:
    """Who looks at a page, with their teams and groups of now; read once and handed on."""
    return reviewer(user.person, one_person=conf.one_person())


def is_part(request: HttpRequest, target: str) -> bool:
    """Whether the page asked for itself again, wanting only the element with this id."""
    headers = request.headers
    return headers.get("HX-Request") == "true" and headers.get("HX-Target") == target
