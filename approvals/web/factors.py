"""Pages on which a second factor comes or goes: allauth's, each change put on record and told.

A change and its row in the account's audit chain are one transaction. Each of these pages asks for
a recent password or another factor first, as allauth does it.
"""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.mfa.adapter import get_adapter
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.internal.auth import begin_registration
from allauth.mfa.webauthn.views import AddWebAuthnView, RemoveWebAuthnView
from django.db import transaction
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic import FormView

from approvals.models import User
from approvals.services import credentials
from approvals.web.access import reviewer_page, signed_in


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


@require_safe
@never_cache
@reviewer_page
def app_picture(request: HttpRequest, user: User) -> HttpResponse:
    """The QR code of the secret that this session is about to add; nobody else has it."""
    secret = request.session.get(SECRET_SESSION_KEY)
    if not isinstance(secret, str) or is_reauthentication_required(request, app="allauth.mfa"):
        raise Http404("No authenticator app is being added here.")
    adapter = get_adapter()
    drawn = adapter.build_totp_svg(adapter.build_totp_url(user, secret))
    return HttpResponse(drawn, content_type="image/svg+xml")


class RemoveApp(_Recorded, DeactivateTOTPView):  # type: ignore[misc]  # allauth ships no types
    """Remove the authenticator app."""


class MakeCodes(_Recorded, GenerateRecoveryCodesView):  # type: ignore[misc]  # allauth ships no types
    """Make new recovery codes in place of the old ones."""
