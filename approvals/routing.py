"""Addresses of the browsers' sockets."""

from __future__ import annotations

from django.urls import URLPattern, path

from approvals.consumers import doorbell

websocket_urlpatterns: list[URLPattern] = [
    path("ws/doorbell/", doorbell),  # type: ignore[arg-type]  # a router of ASGI apps
]
