"""Addresses where a second factor comes or goes: allauth's, with the change put on record.

They stand before allauth's own and have its names, but for the picture of an app's secret; every
other address is allauth's.
"""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from approvals.web import factors

urlpatterns: list[URLPattern | URLResolver] = [
    path("webauthn/", RedirectView.as_view(pattern_name="mfa_index"), name="mfa_list_webauthn"),
    path("webauthn/add/", factors.AddPasskey.as_view(), name="mfa_add_webauthn"),
    path(
        "webauthn/keys/<int:pk>/remove/",
        factors.RemovePasskey.as_view(),
        name="mfa_remove_webauthn",
    ),
    path("totp/activate/", factors.AddApp.as_view(), name="mfa_activate_totp"),
    path("totp/activate/code.svg", factors.app_picture, name="mfa_totp_picture"),
    path("totp/deactivate/", factors.RemoveApp.as_view(), name="mfa_deactivate_totp"),
    path(
        "recovery-codes/generate/",
        factors.MakeCodes.as_view(),
        name="mfa_generate_recovery_codes",
    ),
]
