"""What a monitor asks: is the process up, can it work, and what does it count.

`/healthz` touches nothing. `/readyz` needs the database and names the parts that are missing,
without failing for them: without broker or worker, decisions are late but never lost.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from placet import heartbeats, metrics

BROKER_TIMEOUT = 1.0  # seconds


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 with the database; says `degraded` and which part is not seen."""
    parts = {"database": database_answers(), "broker": broker_answers(), "worker": False}
    if parts["database"]:
        parts["worker"] = heartbeats.seen("worker")
    status = "ready" if all(parts.values()) else "degraded" if parts["database"] else "unavailable"
    missing = [name for name, seen in parts.items() if not seen]
    return JsonResponse(
        {"status": status, "missing": missing, "parts": parts},
        status=200 if parts["database"] else 503,
    )


@never_cache
@require_safe
def show_metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for loopback or the bearer of PLACET_METRICS_TOKEN."""
    if not _may_read_metrics(request):
        return HttpResponse(
            "Metrics are for loopback, or for the bearer of PLACET_METRICS_TOKEN.\n",
            status=403,
            content_type="text/plain",
        )
    return HttpResponse(metrics.render(), content_type=metrics.CONTENT_TYPE)


def database_answers() -> bool:
    """Whether a trivial query succeeds."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return True
    except DatabaseError:
        return False


def broker_answers() -> bool:
    """Whether the broker answers a PING within a second."""
    client = redis.Redis.from_url(
        settings.ENV.redis_url,
        socket_timeout=BROKER_TIMEOUT,
        socket_connect_timeout=BROKER_TIMEOUT,
    )
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()


def _may_read_metrics(request: HttpRequest) -> bool:
    token: str = settings.ENV.metrics_token
    if token:
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {token}".encode())
    # A proxy on this machine would make the whole world look like loopback.
    if settings.ENV.trusted_proxy_count or "x-forwarded-for" in request.headers:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
