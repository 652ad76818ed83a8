"""allauth's second factors in this house: secrets sealed, passkeys bound to one origin.

Every passkey verifies its owner (fingerprint, face or PIN) and can sign in by itself.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.webauthn.forms import (
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
    SignupWebAuthnForm,
)
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from approvals import api

NAME_CHARS: Final = 100
_SEALED: Final = "sealed1:"
_BOUND: Final = b"placet:second-factor:1"
_NONCE_BYTES: Final = 12


class SealedSecondFactors(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Keeps the secrets of authenticator apps and recovery codes encrypted at rest."""

    error_messages: ClassVar[dict[str, str | Promise]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": gettext_lazy("This code is wrong, or too old."),
        "cannot_generate_recovery_codes": gettext_lazy(
            "Recovery codes stand in for a passkey or an app. Add one of those first."
        ),
    }

    def encrypt(self, text: str) -> str:
        """Seal a secret (AES-256-GCM under a key of its own)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = _cipher().encrypt(nonce, text.encode(), _BOUND)
        return _SEALED + base64.b64encode(nonce + sealed).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """Open a sealed secret; whatever was not sealed by us is refused, never used as it is."""
        try:
            if not encrypted_text.startswith(_SEALED):
                raise ValueError("not sealed")
            raw = base64.b64decode(encrypted_text.removeprefix(_SEALED), validate=True)
            return _cipher().decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _BOUND).decode()
        except (InvalidTag, ValueError, binascii.Error):
            raise ImproperlyConfigured(
                "A second factor's secret cannot be opened: it was changed, or the sealing key is "
                "not the one it was sealed with."
            ) from None

    def get_totp_issuer(self) -> str:
        """What an authenticator app lists the account under."""
        return str(settings.SITE_NAME)

    def generate_authenticator_name(self, user: AbstractBaseUser, type: Any) -> str:  # noqa: A002 (allauth's name)
        """A name for a passkey whose owner gave it none."""
        return _("Passkey")

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The name that passkeys are bound to, whatever address the page was opened by."""
        return {
            "id": urlsplit(settings.APPROVALS_PASSKEY_ORIGIN).hostname or "",
            "name": settings.SITE_NAME,
        }


class _OurOrigin:
    """Refuses what was signed on another origin: another port, or a name below ours."""

    def clean(self) -> dict[str, Any]:
        """Look at the origin after allauth has looked at everything else."""
        cleaned: dict[str, Any] = super().clean() or {}  # type: ignore[misc]  # a form's
        posted = self.data.get("credential", "")  # type: ignore[attr-defined]  # a form's
        if not api.signed_at_home(posted):
            raise ValidationError(_("This passkey was used on another site. Nothing was changed."))
        return cleaned


class AddPasskeyForm(_OurOrigin, SignupWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """A new passkey, and what its owner calls it."""

    def clean_name(self) -> str:
        """A short name; the passkey exists already, so a missing one is no reason to refuse."""
        name: str = super().clean_name()
        return name[:NAME_CHARS]


class AuthenticatePasskeyForm(_OurOrigin, AuthenticateWebAuthnForm):  # type: ignore[misc]  # as above
    """A passkey as the second factor of a sign-in."""


class LoginPasskeyForm(_OurOrigin, LoginWebAuthnForm):  # type: ignore[misc]  # as above
    """A passkey instead of a password."""


class ReauthenticatePasskeyForm(_OurOrigin, ReauthenticateWebAuthnForm):  # type: ignore[misc]  # as above
    """A passkey before something that matters."""


def _cipher() -> AESGCM:
    return AESGCM(settings.PLACET_SECOND_FACTOR_KEY)
