"""The pages' addresses; agents' and sockets' addresses are in `placet.dispatch`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from placet import health
from placet.accounts import no_other_address

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.show_metrics),
    path("accounts/email/", no_other_address),
    path("accounts/2fa/", include("approvals.web.factor_urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("manage/", include("mcpbridge.web.urls")),
    path("", include("approvals.web.urls")),
]
