"""Whether a passkey signed exactly this challenge, here, with its owner verified (WebAuthn).

Pure over bytes, so that the same check runs when a vote is given and, years later, offline.
Source: Web Authentication Level 3, section 7.2.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from fido2 import cbor
from fido2.cose import CoseKey
from fido2.utils import websafe_decode
from fido2.webauthn import AuthenticatorData

MAX_RESPONSE: Final = 16_384  # characters of the browser's JSON
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*\Z")


class AssertionWrong(ValueError):
    """The assertion does not prove what it should; the message says why."""


class NotVerified(AssertionWrong):
    """The authenticator did not verify its owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What an authenticator answered, byte for byte."""

    credential_id: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """Where passkeys of this installation are used: one exact origin, and its name."""

    origin: str

    @property
    def rp_id(self) -> str:
        """The name that credentials are bound to."""
        return urlsplit(self.origin).hostname or ""


def assertion_from(text: str) -> Assertion:
    """Read the browser's PublicKeyCredential as JSON; raises AssertionWrong."""
    if len(text) > MAX_RESPONSE:
        raise AssertionWrong("it is too long")
    try:
        found = json.loads(text)
        response = found["response"]
        return Assertion(
            credential_id=_decoded(found["rawId"]),
            authenticator_data=_decoded(response["authenticatorData"]),
            client_data=_decoded(response["clientDataJSON"]),
            signature=_decoded(response["signature"]),
        )
    except AssertionWrong:
        raise
    except (KeyError, TypeError, ValueError, RecursionError):
        raise AssertionWrong("it is not the answer of an authenticator") from None


def check(
    assertion: Assertion, *, challenge: bytes, public_key: bytes, party: RelyingParty
) -> None:
    """Raise AssertionWrong unless the key (COSE, CBOR) signed `challenge` at `party`.

    User presence and user verification are demanded, whatever was asked of the authenticator.
    """
    told = _client_data(assertion.client_data)
    if told.get("type") != "webauthn.get":
        raise AssertionWrong("it was not made to sign in or approve")
    if not hmac.compare_digest(challenge_in(assertion), challenge):
        raise AssertionWrong("it was made for something else")
    if told.get("origin") != party.origin or told.get("crossOrigin") not in (None, False):
        raise AssertionWrong("it was made on another site")
    try:
        data = AuthenticatorData(assertion.authenticator_data)
    except Exception:  # noqa: BLE001 (the parser raises what its reads raise)
        raise AssertionWrong("its authenticator data cannot be read") from None
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(party.rp_id.encode()).digest()):
        raise AssertionWrong("it was made for another site")
    if not data.is_user_present():
        raise AssertionWrong("nobody was present")
    if not data.is_user_verified():
        raise NotVerified("the person was not verified (fingerprint, face or PIN)")
    signed = assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest()
    try:
        key = cbor.decode(public_key)
        if not isinstance(key, Mapping):
            raise AssertionWrong("the registered key cannot be used")
        CoseKey.parse(key).verify(signed, assertion.signature)
    except InvalidSignature:
        raise AssertionWrong("its signature is not that of the registered key") from None
    except Exception:  # noqa: BLE001 (a key that cannot be read verifies nothing)
        raise AssertionWrong("the registered key cannot be used") from None


def challenge_in(assertion: Assertion) -> bytes:
    """The challenge that an assertion says it answers; raises AssertionWrong."""
    given = _client_data(assertion.client_data).get("challenge")
    if not isinstance(given, str):
        raise AssertionWrong("it answers no challenge")
    return _decoded(given)


def origin_of(client_data: bytes) -> str:
    """The origin a browser says it was on, or nothing; raises AssertionWrong."""
    told = _client_data(client_data)
    origin = told.get("origin")
    if told.get("crossOrigin") not in (None, False) or not isinstance(origin, str):
        return ""
    return origin


def _client_data(raw: bytes) -> dict[str, Any]:
    try:
        told = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise AssertionWrong("its client data cannot be read") from None
    if not isinstance(told, dict):
        raise AssertionWrong("its client data cannot be read")
    return told


def _decoded(text: str) -> bytes:
    if not _BASE64URL.match(text):  # TypeError for what is no text
        raise AssertionWrong("it is not spelled in base64url")
    try:
        decoded: bytes = websafe_decode(text)
    except (binascii.Error, ValueError):
        raise AssertionWrong("it is not spelled in base64url") from None
    return decoded
