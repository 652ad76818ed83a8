"""No answer is kept by a browser or a proxy, whoever made it: a page of ours, allauth's, a refusal.

Stands behind what serves static files, which may be kept.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin


class UnkeptMiddleware(MiddlewareMixin):
    """Forbids to keep an answer that says nothing about it."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Say so."""
        if "Cache-Control" not in response.headers:
            add_never_cache_headers(response)
        return response
