"""Pages on which a second factor comes or goes: allauth's, each change put on record and told.

A change and its row in the account's audit chain are one transaction. Each of these pages asks for
a recent password or another factor first, as allauth does it.
"""

from __future__ import annotations

from typing import Any

from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.internal.auth import begin_registration
from allauth.mfa.webauthn.views import AddWebAuthnView, RemoveWebAuthnView
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.views.generic import FormView

from approvals.services import credentials
from approvals.web.access import signed_in


class _Recorded:
    """Puts on record which factors a form brought or took."""

    request: HttpRequest

    def form_valid(self, form: Form) -> HttpResponse:
        """Act, record and note whom to tell, in one transaction."""
        user = signed_in(self.request)
        with transaction.atomic(durable=True):
            before = credentials.factors_of(user)
            response: HttpResponse = super().form_valid(form)  # type: ignore[misc]  # a view's
            credentials.record_changes(user=user, before=before)
        return response


class AddPasskey(_Recorded, AddWebAuthnView):  # type: ignore[misc]  # allauth ships no types
    """Register a passkey that verifies its owner and can sign in by itself."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The page with a fresh question to the browser."""
        context: dict[str, Any] = FormView.get_context_data(self, **kwargs)
        options = begin_registration(signed_in(self.request), passwordless=True)
        context["js_data"] = {"creation_options": options}
        return context


class RemovePasskey(_Recorded, RemoveWebAuthnView):  # type: ignore[misc]  # allauth ships no types
    """Remove a passkey."""

    success_url = reverse_lazy("mfa_index")


class AddApp(_Recorded, ActivateTOTPView):  # type: ignore[misc]  # allauth ships no types
    """Add an authenticator app."""


class RemoveApp(_Recorded, DeactivateTOTPView):  # type: ignore[misc]  # allauth ships no types
    """Remove the authenticator app."""


class MakeCodes(_Recorded, GenerateRecoveryCodesView):  # type: ignore[misc]  # allauth ships no types
    """Make new recovery codes in place of the old ones."""
