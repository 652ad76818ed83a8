"""A passkey in software: registers and signs as an authenticator and its browser would (ES256)."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import transaction
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

from approvals.models import User
from approvals.services import credentials

FLAG = AuthenticatorData.FLAG


def home() -> str:
    """The origin at which this installation's passkeys work."""
    return settings.APPROVALS_PASSKEY_ORIGIN


@dataclass
class Passkey:
    """One key pair. What it claims about its surroundings can be bent."""

    name: str = "bob's key"
    rp_id: str = "localhost"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    signed: int = 0

    def registered(
        self, *, challenge: str, origin: str | None = None, verified: bool = True
    ) -> str:
        """The browser's answer (JSON) to a registration with this challenge (base64url)."""
        credential = AttestedCredentialData.create(
            Aaguid.NONE, self.credential_id, ES256.from_cryptography_key(self.key.public_key())
        )
        flags = FLAG.UP | FLAG.AT | (FLAG.UV if verified else FLAG(0))
        data = AuthenticatorData.create(self._rp_hash(), flags, 0, credential)
        client = CollectedClientData.create("webauthn.create", challenge, origin or home())
        return self._json(
            attestationObject=bytes(AttestationObject.create("none", data, {})),
            clientDataJSON=bytes(client),
        )

    def given_to(self, user: User) -> Passkey:
        """Stored and on record as the passkey of an account, as if it had been registered there."""
        credential = json.loads(self.registered(challenge=websafe_encode(b"c" * 32)))
        with transaction.atomic():
            before = credentials.factors_of(user)
            Authenticator.objects.create(
                user=user,
                type=Authenticator.Type.WEBAUTHN,
                data={"name": self.name, "credential": credential},
            )
            credentials.record_changes(user=user, before=before)
        return self

    def signs(
        self,
        challenge: str,
        *,
        origin: str | None = None,
        kind: str = "webauthn.get",
        present: bool = True,
        verified: bool = True,
        cross_origin: bool = False,
        user: User | None = None,
    ) -> str:
        """The browser's answer (JSON) to a challenge (base64url)."""
        self.signed += 1
        flags = (FLAG.UP if present else FLAG(0)) | (FLAG.UV if verified else FLAG(0))
        data = bytes(AuthenticatorData.create(self._rp_hash(), flags, self.signed))
        client = bytes(
            CollectedClientData.create(
                kind, websafe_decode(challenge), origin or home(), cross_origin
            )
        )
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        handle = {"userHandle": str(user.pk).encode()} if user else {}
        return self._json(
            authenticatorData=data, clientDataJSON=client, signature=signature, **handle
        )

    def _rp_hash(self) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest()

    def _json(self, **response: bytes) -> str:
        name = websafe_encode(self.credential_id)
        return json.dumps(
            {
                "id": name,
                "rawId": name,
                "type": "public-key",
                "response": {part: websafe_encode(value) for part, value in response.items()},
                "clientExtensionResults": {},
            }
        )
