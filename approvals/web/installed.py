"""What a browser needs to be told while no page is open: a service worker and a manifest.

Both stand at the root, because a service worker serves what lies below its own address.
"""

from __future__ import annotations

from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
@never_cache
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker; the same for everybody."""
    found = finders.find("js/push-worker.js")
    if found is None:
        raise Http404("This installation has no service worker.")
    return HttpResponse(Path(found).read_bytes(), content_type="text/javascript; charset=utf-8")


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """What a phone shows when the page is put on its first screen; some need that for Web Push."""
    return JsonResponse(
        {
            "name": "Placet",
            "short_name": "Placet",
            "description": gettext("Calls that wait for a person"),
            "id": "/",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "icons": [{"src": static("favicon.svg"), "type": "image/svg+xml", "sizes": "any"}],
        },
        content_type="application/manifest+json",
    )
