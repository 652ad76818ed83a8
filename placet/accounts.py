"""allauth in a house where accounts are made by an admin: no sign-up, no other address.

A configuration file finds people by their address. Whoever could take an address for themselves
would get the roles and votes that a later file gives to its owner.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

_WAYS: Final = {
    "reauthenticate": gettext_lazy("Use your password"),
    "mfa_reauthenticate": gettext_lazy("Use a code from your app, or a recovery code"),
    "mfa_reauthenticate:webauthn": gettext_lazy("Use a passkey"),
}


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Signs people in and never up, in this house's words.

    A refused sign-in never says whether there is such an account.
    """

    error_messages: ClassVar[dict[str, str | Promise]] = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": gettext_lazy("E-mail and password do not belong together."),
        "too_many_login_attempts": gettext_lazy(
            "That was tried too often with a wrong password. Wait a few minutes, then try again."
        ),
        "enter_current_password": gettext_lazy("This is not the password that you have now."),
        "incorrect_password": gettext_lazy("This is not your password."),
        "incorrect_code": gettext_lazy("This code is wrong, or too old."),
        "invalid_password_reset": gettext_lazy("This link does not work any more."),
        "rate_limited": gettext_lazy("That was too much at once. Wait a little, then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes an account for themselves."""
        return False

    def get_reauthentication_methods(self, user: AbstractBaseUser) -> list[dict[str, Any]]:
        """The ways to show once more who one is, as links."""
        found: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [{**way, "description": _WAYS.get(way["id"], way["description"])} for way in found]


def no_other_address(request: HttpRequest) -> HttpResponse:
    """Stand where allauth lets people change their address."""
    raise Http404("Addresses are changed by an administrator.")
