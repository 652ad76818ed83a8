"""Every page in its reader's language and time zone: the person's choice, else the browser's.

Reads the choice of whoever is signed in. Where that cannot be read (nobody, or no database) the
browser's languages count; the time zone is then UTC, which the page's script rewrites.
"""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

from approvals.domain.locality import zone_of
from approvals.models import Person, User


class LocalityMiddleware(MiddlewareMixin):
    """Turns language and time zone on for one request and off after it."""

    def process_request(self, request: HttpRequest) -> None:
        """Choose both."""
        person = _person(request)
        language = person.language if person is not None else ""
        if language not in dict(settings.LANGUAGES):
            language = translation.get_language_from_request(request)
        translation.activate(language)
        timezone.activate(zone_of(person.time_zone if person is not None else ""))

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Say in which language the answer is, and forget it."""
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", translation.get_language() or "en")
        translation.deactivate()
        timezone.deactivate()
        return response


def _person(request: HttpRequest) -> Person | None:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    try:
        user = request.user
        return user.person if isinstance(user, User) else None
    except DatabaseError:
        return None
