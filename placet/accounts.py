"""allauth in a house where accounts are made by an admin: no sign-up, no other address.

A configuration file finds people by their address. Whoever could take an address for themselves
would get the roles and votes that a later file gives to its owner.
"""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import Http404, HttpRequest, HttpResponse


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Signs people in and never up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes an account for themselves."""
        return False


def no_other_address(request: HttpRequest) -> HttpResponse:
    """Stand where allauth lets people change their address."""
    raise Http404("Addresses are changed by an administrator.")
