"""Addresses of the browsers' sockets."""

from __future__ import annotations

from django.urls import URLPattern, path

from approvals.consumers import Doorbell

# The websocket router takes ASGI applications where Django's types expect views.
websocket_urlpatterns: list[URLPattern] = [
    path("ws/doorbell/", Doorbell.as_asgi()),
]
